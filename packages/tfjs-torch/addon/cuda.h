// CUDA: a device, its streams, its graphs. Without TFJS_TORCH_CUDA everything here says that there is none.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct CudaState;

/// The CUDA device of one thread of JavaScript.
class Cuda {
 public:
  Cuda();
  ~Cuda();
  /// Compute on this device from now on, on a stream of its own.
  void use(int device);
  void synchronize();
  /// Bytes in tensors, bytes taken from the device, bytes free there, bytes there in all.
  std::vector<int64_t> memory() const;
  /// From here to endGraph everything is captured, nothing runs.
  void beginGraph();
  int64_t endGraph();
  void replayGraph(int64_t graph);
  void freeGraph(int64_t graph);
  /// Copies asked for from now on start after what has been asked of the computation so far. As `onCopyStream` nothing where no
  /// device is in use: a CPU computes and copies in order.
  void copiesAwaitComputation();
  /// Whether what follows runs on the copies' stream, beside the computation.
  void onCopyStream(bool on);
  /// Pin a range of host memory, which must not be freed before `unpin`: copies to and from it run at full speed. Returns
  /// whether that was new, and possible; where it is not, copies are slower.
  bool pin(void* data, size_t sizeBytes);
  /// Everything that is pinned.
  void unpin();

  std::unique_ptr<CudaState> state;
};

/// Puts this thread on the device's stream for as long as it lives.
class StreamGuard {
 public:
  explicit StreamGuard(const Cuda& cuda);
  ~StreamGuard();

 private:
  struct Guard;
  std::unique_ptr<Guard> guard_;
};

/// Names of the devices; empty where there is none, or no CUDA in the build.
std::vector<std::string> cudaDeviceNames();

/// Why there is no device; empty where there is one.
std::string whyNoCuda();
