// The tensors that JavaScript holds, by number.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <stdexcept>
#include <vector>

/// A table of tensors. A number refers to a tensor until it is freed; 0 refers to none. Numbers are reused.
class TensorTable {
 public:
  /// Add a tensor; it is temporary until a `release` keeps it.
  int64_t add(at::Tensor tensor) {
    if (!tensor.defined()) return 0;
    int64_t handle;
    if (free_.empty()) {
      handle = static_cast<int64_t>(slots_.size());
      slots_.push_back(std::move(tensor));
    } else {
      handle = free_.back();
      free_.pop_back();
      slots_[handle] = std::move(tensor);
    }
    temporaries_.push_back(handle);
    return handle;
  }

  const at::Tensor& get(int64_t handle) const {
    if (!holds(handle)) throw std::invalid_argument("tensor " + std::to_string(handle) + " does not exist, or was freed");
    return slots_[handle];
  }

  bool holds(int64_t handle) const {
    return handle > 0 && handle < static_cast<int64_t>(slots_.size()) && slots_[handle].defined();
  }

  /// Free a tensor; no effect if it was freed already.
  void free(int64_t handle) {
    if (!holds(handle)) return;
    slots_[handle].reset();
    free_.push_back(handle);
  }

  /// A mark with which `release` frees everything added from now on.
  size_t mark() const { return temporaries_.size(); }

  /// Free the temporaries added since `mark`, except `kept`.
  void release(size_t mark, const std::vector<int64_t>& kept) {
    while (temporaries_.size() > mark) {
      const int64_t handle = temporaries_.back();
      temporaries_.pop_back();
      bool keep = false;
      for (const int64_t other : kept) keep = keep || other == handle;
      if (!keep) free(handle);
    }
  }

  size_t size() const { return slots_.size() - 1 - free_.size(); }

 private:
  std::vector<at::Tensor> slots_{at::Tensor()};
  std::vector<int64_t> free_;
  std::vector<int64_t> temporaries_;
};
