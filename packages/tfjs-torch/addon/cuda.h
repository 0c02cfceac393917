// CUDA: a device, its streams, its graphs. Without TFJS_TORCH_CUDA every function here reports that no device exists.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct CudaState;

/// The CUDA device of one JavaScript thread.
class Cuda {
 public:
  Cuda();
  ~Cuda();
  /// Compute on this device from now on, on a separate stream.
  void use(int device);
  void synchronize();
  /// Bytes in tensors, bytes reserved on the device, free bytes of the device, total bytes of the device.
  std::vector<int64_t> memory() const;
  /// From here to endGraph kernels are captured instead of run.
  void beginGraph();
  int64_t endGraph();
  void replayGraph(int64_t graph);
  void freeGraph(int64_t graph);
  /// Copies queued from now on start after the computation queued so far. Like `onCopyStream` it has no effect if no device
  /// is in use: a CPU computes and copies in order.
  void copiesAwaitComputation();
  /// Whether later work runs on the copy stream, in parallel with the computation.
  void onCopyStream(bool on);
  /// Pin a range of host memory, which must not be freed before `unpin`: copies to and from it run at full speed. Returns
  /// whether this call pinned it: it may have been pinned before, or pinning may fail, which only makes copies slower.
  bool pin(void* data, size_t sizeBytes);
  /// Unpin everything.
  void unpin();

  std::unique_ptr<CudaState> state;
};

/// Puts this thread on the device's stream during its lifetime.
class StreamGuard {
 public:
  explicit StreamGuard(const Cuda& cuda);
  ~StreamGuard();

 private:
  struct Guard;
  std::unique_ptr<Guard> guard_;
};

/// Names of the devices; empty if none exists or the build has no CUDA.
std::vector<std::string> cudaDeviceNames();

/// Why no device can be used; empty if one can.
std::string whyNoCuda();
