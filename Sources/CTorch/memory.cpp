// Memory of large tensors, whose pages serve whatever comes next.
//
// Pages taken from the system cost more than what is computed on them, so that programs keep what
// tensors give back. A heap keeps it as holes of certain lengths between tensors that stay, which the
// next tensors may not fit. Here holes are joined by moving their pages to other addresses (mremap), and
// what is too short for that goes back to the system before new pages are taken, so that the process never
// holds more of them than its tensors once held together.
#include "catrous.h"
#include "ctorch.h"

#ifdef __linux__
#include <c10/core/CPUAllocator.h>
#include <algorithm>
#include <cstdint>
#include <link.h>
#include <map>
#include <mutex>
#include <sys/mman.h>
#include <unistd.h>
#include <unordered_map>

namespace {

/// Lengths are multiples of this.
constexpr size_t unit = size_t(1) << 16;
/// Smaller tensors are the C library's.
constexpr size_t least = size_t(1) << 16;
/// Memory is taken from the system, and moved, in blocks of this length that begin at multiples of it, so
/// that each can be one page. With small pages each pixel of a map with many channels lies on others, more
/// than the processor keeps the addresses of.
constexpr size_t block = size_t(1) << 21;

size_t rounded(size_t count, size_t to = unit) { return (count + to - 1) / to * to; }

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

  /// Takes memory back; false if it is not from here.
  bool giveBack(void *memory) {
    std::lock_guard<std::mutex> lock(mutex);
    const auto found = used.find(memory);
    if (found == used.end()) return false;
    keep(static_cast<char *>(memory), found->second);
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
    cut(*best, {start, length});
    return start;
  }

  using Piece = std::pair<char *, size_t>;

  /// Removes a part of a piece.
  void cut(const Piece piece, const Piece part) {
    kept.erase(piece.first);
    if (part.first > piece.first) kept[piece.first] = part.first - piece.first;
    char *after = part.first + part.second, *end = piece.first + piece.second;
    if (end > after) kept[after] = end - after;
  }

  /// The whole blocks of a piece.
  static Piece blocks(const Piece &piece) {
    const auto start = reinterpret_cast<uintptr_t>(piece.first);
    const size_t before = rounded(start, block) - start;
    return {piece.first + before,
            piece.second < before ? 0 : (piece.second - before) / block * block};
  }

  /// New addresses with the blocks of several pieces, the longest first, and new pages after them.
  char *gathered(size_t length) {
    const size_t all = rounded(length, block);
    char *start = reserved(all, length);
    if (!start) return nullptr;
    size_t filled = 0;
    while (filled < all) {
      Piece longest{nullptr, 0}, owner;
      for (const Piece piece : kept)
        if (const Piece inner = blocks(piece); inner.second > longest.second) {
          longest = inner;
          owner = piece;
        }
      if (longest.second == 0) break;
      const size_t part = std::min(longest.second, all - filled);
      cut(owner, {longest.first, part});
      if (!moved(longest.first, part, start + filled)) return nullptr;
      filled += part;
    }
    drop(all - filled);
    if (all > length) keep(start + length, all - length);
    return start;
  }

  /// Returns up to `length` bytes of what was given back to the system.
  void drop(size_t length) {
    while (length > 0 && !kept.empty()) {
      const Piece piece = *kept.begin();
      const size_t part = std::min(piece.second, length);
      cut(piece, {piece.first, part});
      munmap(piece.first, part);
      length -= part;
    }
  }

  /// New pages, at an address if one is given.
  static char *fresh(char *at, size_t length) {
    void *memory = mmap(at, length, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);
    return memory == MAP_FAILED ? nullptr : static_cast<char *>(memory);
  }

  /// New blocks of `length` bytes, of which the system may make one page each where `count` bytes fill them:
  /// what nothing has been written to takes no memory.
  static char *reserved(size_t length, size_t count) {
    char *memory = fresh(nullptr, length + block);
    if (!memory) return nullptr;
    const auto [start, _] = blocks({memory, length + block});
    const size_t before = start - memory;
    if (before > 0) munmap(memory, before);
    if (before < block) munmap(start + length, block - before);
    madvise(start, count / block * block, MADV_HUGEPAGE);
    return start;
  }

  /// Moves blocks; what the system refuses to move is replaced.
  static bool moved(char *from, size_t length, char *to) {
    if (move(from, length, to)) return true;
    // Blocks of different origin move one by one.
    for (size_t i = 0; i < length; i += block) {
      if (move(from + i, block, to + i)) continue;
      munmap(from + i, block);
      if (!fresh(to + i, block)) return false;
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

void release(void *memory) {
  if (memory && !pages().giveBack(memory)) c10::GetDefaultCPUAllocator()->raw_deallocate(memory);
}

struct PageAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t count) override {
    if (count < least) return c10::GetDefaultCPUAllocator()->allocate(count);
    void *memory = count <= SIZE_MAX - 3 * block ? pages().take(rounded(count)) : nullptr;
    TORCH_CHECK_WITH(OutOfMemoryError, memory, "not enough memory for ", count, " bytes");
    return {memory, memory, &release, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void *target, const void *source, size_t count) const override {
    default_copy_data(target, source, count);
  }
};

/// Takes the code of a library out of the process's memory; what is called again comes back from the file or its cache.
int give_back_code(struct dl_phdr_info *library, size_t, void *) {
  const uintptr_t page = sysconf(_SC_PAGESIZE);
  for (int i = 0; i < library->dlpi_phnum; ++i) {
    const auto &part = library->dlpi_phdr[i];
    // What may be written to is the process's own.
    const bool isCode = part.p_type == PT_LOAD && (part.p_flags & PF_X) && !(part.p_flags & PF_W);
    if (!isCode || part.p_filesz < size_t(1) << 20) continue;
    const uintptr_t start = library->dlpi_addr + part.p_vaddr, end = start + part.p_filesz;
    const uintptr_t first = (start + page - 1) / page * page, last = end / page * page;
    madvise(reinterpret_cast<void *>(first), last - first, MADV_DONTNEED);
  }
  return 0;
}

} // namespace

void ct_give_back_code(void) { dl_iterate_phdr(give_back_code, nullptr); }

void ct_reuse_pages(void) {
  static PageAllocator allocator;
  c10::SetCPUAllocator(&allocator, /*priority=*/1);
  ca_set_memory({[](size_t size) { return pages().take(rounded(size)); }, release});
}
#else
void ct_give_back_code(void) {}
void ct_reuse_pages(void) {}
#endif
