#include "cuda.h"

#include <stdexcept>

#ifdef TFJS_TORCH_CUDA

#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <ATen/cuda/CachingHostAllocator.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <map>
#include <set>

struct CudaState {
  int device;
  c10::cuda::CUDAStream compute;
  c10::cuda::CUDAStream copies;
  bool copying = false;
  std::map<int64_t, std::unique_ptr<at::cuda::CUDAGraph>> graphs;
  std::unique_ptr<at::cuda::CUDAGraph> capturing;
  int64_t graphCount = 0;
  std::set<void*> pinned;
  /// Graphs of one pool share the memory of their temporaries.
  at::cuda::MempoolId_t pool = at::cuda::graph_pool_handle();

  ~CudaState() {
    // The memory is freed next; another thread may get the same addresses and pin them.
    if (pinned.empty()) return;
    try {
      const c10::cuda::CUDAGuard guard(device);
      for (void* data : pinned) cudaHostUnregister(data);
    } catch (const c10::Error&) {
      // The driver has shut down before this thread.
    }
  }
};

namespace {

CudaState& used(const Cuda& cuda) {
  if (!cuda.state) throw std::runtime_error("no CUDA device is in use");
  return *cuda.state;
}

/// A pool cannot be reused once its last graph is freed.
void renewPool(CudaState& cuda) {
  if (cuda.graphs.empty()) cuda.pool = at::cuda::graph_pool_handle();
}

/// In newer libtorch versions pinned memory belongs to pools too.
template <typename Allocator>
void endHostPool(Allocator* allocator, at::cuda::MempoolId_t pool) {
  if constexpr (requires { allocator->end_allocate_to_pool(pool); }) {
    allocator->end_allocate_to_pool(pool);
    allocator->release_pool(pool);
  }
}

/// Cleans up after a capture that failed at its beginning or end: libtorch's allocators may otherwise continue as if it were
/// capturing and never free anything. They query the graph, so it has to live until here.
void abandonPool(CudaState& cuda) {
  const auto device = static_cast<c10::DeviceIndex>(cuda.device);
  const auto attempt = [](auto end) {
    try {
      end();
    } catch (const c10::Error&) {
      // It had already ended.
    }
  };
  attempt([&] {
    c10::cuda::CUDACachingAllocator::endAllocateToPool(device, cuda.pool);
    c10::cuda::CUDACachingAllocator::releasePool(device, cuda.pool);
  });
  attempt([&] { endHostPool(at::cuda::getCachingHostAllocator(), cuda.pool); });
  renewPool(cuda);
}

}  // namespace

void Cuda::use(int device) {
  state.reset(new CudaState{device, c10::cuda::getStreamFromPool(true, device), c10::cuda::getStreamFromPool(false, device)});
}

void Cuda::synchronize() {
  if (!state) return;
  state->compute.synchronize();
  state->copies.synchronize();
}

std::vector<int64_t> Cuda::memory() const {
  // The first tensor initialises the allocator.
  if (!state || !c10::cuda::CUDACachingAllocator::get()->initialized()) return {0, 0, 0, 0};
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(state->device);
  size_t free = 0, total = 0;
  C10_CUDA_CHECK(cudaMemGetInfo(&free, &total));
  return {stats.allocated_bytes[0].current, stats.reserved_bytes[0].current, static_cast<int64_t>(free),
          static_cast<int64_t>(total)};
}

void Cuda::beginGraph() {
  CudaState& cuda = used(*this);
  // A graph allocates from the device: it cannot use what earlier kernels left in the cache.
  c10::cuda::CUDACachingAllocator::emptyCache();
  cuda.capturing = std::make_unique<at::cuda::CUDAGraph>();
  try {
    // Other threads may copy meanwhile.
    cuda.capturing->capture_begin(cuda.pool, cudaStreamCaptureModeThreadLocal);
  } catch (...) {
    abandonPool(cuda);
    cuda.capturing.reset();
    throw;
  }
}

int64_t Cuda::endGraph() {
  CudaState& cuda = used(*this);
  if (!cuda.capturing) throw std::runtime_error("no graph is being captured");
  auto graph = std::move(cuda.capturing);
  try {
    graph->capture_end();
  } catch (...) {
    abandonPool(cuda);
    throw;
  }
  cuda.graphs[++cuda.graphCount] = std::move(graph);
  return cuda.graphCount;
}

void Cuda::replayGraph(int64_t graph) { used(*this).graphs.at(graph)->replay(); }

void Cuda::freeGraph(int64_t graph) {
  CudaState& cuda = used(*this);
  cuda.graphs.erase(graph);
  renewPool(cuda);
}

void Cuda::copiesAwaitComputation() {
  if (!state) return;
  at::cuda::CUDAEvent event;
  event.record(state->compute);
  event.block(state->copies);
}

void Cuda::onCopyStream(bool on) {
  if (state) state->copying = on;
}

bool Cuda::pin(void* data, size_t sizeBytes) {
  std::set<void*>& pinned = used(*this).pinned;
  if (pinned.count(data)) return false;
  if (cudaHostRegister(data, sizeBytes, cudaHostRegisterDefault) != cudaSuccess) {
    // Otherwise the next kernel would report the error.
    cudaGetLastError();
    return false;
  }
  return pinned.insert(data).second;
}

void Cuda::unpin() {
  CudaState& cuda = used(*this);
  synchronize();
  for (void* data : cuda.pinned) C10_CUDA_CHECK(cudaHostUnregister(data));
  cuda.pinned.clear();
}

struct StreamGuard::Guard {
  c10::cuda::CUDAStreamGuard guard;
};

StreamGuard::StreamGuard(const Cuda& cuda) {
  if (!cuda.state) return;
  guard_.reset(new Guard{c10::cuda::CUDAStreamGuard(cuda.state->copying ? cuda.state->copies : cuda.state->compute)});
}

std::vector<std::string> cudaDeviceNames() {
  std::vector<std::string> names;
  int count = 0;
  // whyNoCuda reports the reason.
  if (cudaGetDeviceCount(&count) != cudaSuccess) cudaGetLastError();
  for (int device = 0; device < count; device++) names.emplace_back(at::cuda::getDeviceProperties(device)->name);
  return names;
}

std::string whyNoCuda() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess) return "";
  cudaGetLastError();
  return cudaGetErrorString(error);
}

#else

struct CudaState {};

namespace {
[[noreturn]] void none() { throw std::runtime_error("this addon was built without CUDA"); }
}  // namespace

void Cuda::use(int) { none(); }
void Cuda::synchronize() {}
std::vector<int64_t> Cuda::memory() const { return {0, 0, 0, 0}; }
void Cuda::beginGraph() { none(); }
int64_t Cuda::endGraph() { none(); }
void Cuda::replayGraph(int64_t) { none(); }
void Cuda::freeGraph(int64_t) { none(); }
void Cuda::copiesAwaitComputation() {}
void Cuda::onCopyStream(bool) {}
bool Cuda::pin(void*, size_t) { none(); }
void Cuda::unpin() { none(); }

struct StreamGuard::Guard {};
StreamGuard::StreamGuard(const Cuda&) {}

std::vector<std::string> cudaDeviceNames() { return {}; }

std::string whyNoCuda() { return "the addon was built without CUDA"; }

#endif

Cuda::Cuda() = default;
Cuda::~Cuda() = default;
StreamGuard::~StreamGuard() = default;
