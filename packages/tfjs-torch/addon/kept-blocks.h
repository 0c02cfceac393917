// Large blocks of CPU memory, kept when tensors are freed.
#pragma once

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <list>
#include <mutex>
#include <unordered_map>

/// Keeps large blocks for the next tensor of about their size. A thread's heap in glibc has no blocks over 64 MB, and wastes the
/// rest of a heap for smaller ones: such memory would be mapped and faulted in again each time.
class KeptBlocks final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t size) override {
    if (size < smallest) return withRoom([&] { return c10::GetDefaultCPUAllocator()->allocate(size); });
    Block block = takeKept(size);
    if (!block.data) block = {withRoom([&] { return c10::alloc_cpu(size); }), size};
    const std::lock_guard<std::mutex> lock(mutex);
    sizes[block.data] = block.size;
    return {block.data, block.data, &KeptBlocks::leave, c10::Device(c10::DeviceType::CPU)};
  }

  /// oneDNN allocates and frees its scratch memory by address only.
  c10::DeleterFnPtr raw_deleter() const override { return &KeptBlocks::leave; }

  void copy_data(void* to, const void* from, size_t size) const override { default_copy_data(to, from, size); }

  /// Never destroyed: tensors may outlive everything else.
  static KeptBlocks& instance() {
    static auto* blocks = new KeptBlocks();
    return *blocks;
  }

 private:
  struct Block {
    void* data;
    size_t size;
  };

  static constexpr size_t smallest = size_t{16} << 20;
  static constexpr size_t mostKept = size_t{1} << 30;

  /// Removes and returns the kept block that wastes least; a null block if none fits.
  Block takeKept(size_t size) {
    const std::lock_guard<std::mutex> lock(mutex);
    auto best = kept.end();
    for (auto block = kept.begin(); block != kept.end(); ++block) {
      const bool fits = block->size >= size && block->size - size <= size / 8;
      if (fits && (best == kept.end() || block->size < best->size)) best = block;
    }
    if (best == kept.end()) return {nullptr, 0};
    const Block block = *best;
    kept.erase(best);
    keptBytes -= block.size;
    return block;
  }

  /// Allocates with `make`; if memory is out, frees the kept blocks and tries once more.
  template <typename Make>
  auto withRoom(Make make) -> decltype(make()) {
    try {
      return make();
    } catch (const c10::Error&) {
      const std::lock_guard<std::mutex> lock(mutex);
      while (!kept.empty()) giveBackOldest();
    }
    return make();
  }

  void giveBackOldest() {
    keptBytes -= kept.front().size;
    c10::free_cpu(kept.front().data);
    kept.pop_front();
  }

  static void leave(void* data) {
    KeptBlocks& self = instance();
    const std::lock_guard<std::mutex> lock(self.mutex);
    const auto found = self.sizes.find(data);
    if (found == self.sizes.end()) return c10::free_cpu(data);
    self.kept.push_back({data, found->second});
    self.keptBytes += found->second;
    self.sizes.erase(found);
    // The least recently used are freed first.
    while (self.keptBytes > mostKept) self.giveBackOldest();
  }

  std::mutex mutex;
  std::list<Block> kept;
  size_t keptBytes = 0;
  /// Sizes of the blocks that tensors use.
  std::unordered_map<void*, size_t> sizes;
};
