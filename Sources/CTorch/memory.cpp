// Memory of large tensors, whose pages serve whatever comes next.
//
// Pages taken from the system cost more than what is computed on them, so that programs keep what
// tensors give back. A heap keeps it as holes of certain lengths between tensors that stay, which the
// next tensors may not fit. Here holes are joined by moving their pages to other addresses (mremap), and
// the process never holds more of them than its tensors once held together.
#include "catrous.h"
#include "ctorch.h"

#ifdef __linux__
#include <c10/core/CPUAllocator.h>
#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <sys/mman.h>
#include <unordered_map>

namespace {

/// Lengths are multiples of this.
constexpr size_t unit = size_t(1) << 16;
/// Smaller tensors are the C library's.
constexpr size_t least = size_t(1) << 16;

size_t rounded(size_t count) { return (count + unit - 1) / unit * unit; }

class Pages {
public:
  /// `length` bytes, from what was given back as far as that reaches; nullptr if memory is short.
  void *take(size_t length) {
    std::lock_guard<std::mutex> lock(mutex);
    char *start = fitting(length);
    if (!start) start = gathered(length);
    if (start) used[start] = length;
    return start;
  }

  /// Takes a block back; false if it is none of these.
  bool giveBack(void *block) {
    std::lock_guard<std::mutex> lock(mutex);
    const auto found = used.find(block);
    if (found == used.end()) return false;
    keep(static_cast<char *>(block), found->second);
    used.erase(found);
    return true;
  }

private:
  std::mutex mutex;
  std::unordered_map<void *, size_t> used;
  /// What was given back, by its start; neighbours are joined.
  std::map<char *, size_t> kept;

  void keep(char *start, size_t length) {
    auto next = kept.lower_bound(start);
    if (next != kept.end() && next->first == start + length) {
      length += next->second;
      next = kept.erase(next);
    }
    if (next != kept.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == start) {
        before->second += length;
        return;
      }
    }
    kept.emplace_hint(next, start, length);
  }

  /// The start of the shortest piece that is long enough.
  char *fitting(size_t length) {
    auto best = kept.end();
    for (auto piece = kept.begin(); piece != kept.end(); ++piece)
      if (piece->second >= length && (best == kept.end() || piece->second < best->second))
        best = piece;
    if (best == kept.end()) return nullptr;
    char *start = best->first;
    const size_t rest = best->second - length;
    kept.erase(best);
    if (rest > 0) kept[start + length] = rest;
    return start;
  }

  /// New addresses with the pages of several pieces, the longest first, and new pages after them.
  char *gathered(size_t length) {
    void *memory =
        mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    char *start = static_cast<char *>(memory);
    for (size_t filled = 0; filled < length && !kept.empty();) {
      auto piece = kept.begin();
      for (auto other = kept.begin(); other != kept.end(); ++other)
        if (other->second > piece->second) piece = other;
      char *from = piece->first;
      const size_t all = piece->second, part = std::min(all, length - filled);
      kept.erase(piece);
      if (part < all) kept[from + part] = all - part;
      if (!moved(from, part, start + filled)) return nullptr;
      filled += part;
    }
    return start;
  }

  /// Moves pages; what the system refuses to move is replaced.
  static bool moved(char *from, size_t length, char *to) {
    if (move(from, length, to)) return true;
    // Pieces of different origin move one by one.
    for (size_t i = 0; i < length; i += unit) {
      if (move(from + i, unit, to + i)) continue;
      munmap(from + i, unit);
      if (mmap(to + i, unit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
               0) == MAP_FAILED)
        return false;
    }
    return true;
  }
  static bool move(char *from, size_t length, char *to) {
    return mremap(from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED;
  }
};

/// Never destroyed: tensors may outlive it at the program's end.
Pages &pages() {
  static auto *pages = new Pages;
  return *pages;
}

void release(void *block) {
  if (block && !pages().giveBack(block)) c10::GetDefaultCPUAllocator()->raw_deallocate(block);
}

struct PageAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t count) override {
    if (count < least) return c10::GetDefaultCPUAllocator()->allocate(count);
    void *block = count <= SIZE_MAX - unit ? pages().take(rounded(count)) : nullptr;
    TORCH_CHECK_WITH(OutOfMemoryError, block, "not enough memory for ", count, " bytes");
    return {block, block, &release, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void *target, const void *source, size_t count) const override {
    default_copy_data(target, source, count);
  }
};

} // namespace

void ct_reuse_pages(void) {
  static PageAllocator allocator;
  c10::SetCPUAllocator(&allocator, /*priority=*/1);
  ca_set_memory({[](size_t size) { return pages().take(rounded(size)); }, release});
}
#else
void ct_reuse_pages(void) {}
#endif
