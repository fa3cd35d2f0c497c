/* libatrous-glibc.so: functions of newer glibc that shipped libraries call, for systems whose glibc has none of them.
 * Packaging/shipped/libraries makes those libraries take them from here. */
#define _GNU_SOURCE
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

/* Of glibc 2.36. */
void arc4random_buf(void *bytes, size_t count) {
  char *place = bytes;
  while (count > 0) {
    ssize_t got = getrandom(place, count, 0);
    if (got < 0 && errno != EINTR) abort();
    if (got > 0) {
      place += got;
      count -= (size_t)got;
    }
  }
}

uint32_t arc4random(void) {
  uint32_t value;
  arc4random_buf(&value, sizeof value);
  return value;
}

/* Of glibc 2.35, as <dlfcn.h> declares it on x86-64 and arm64: which object holds an address, and where the table for
 * unwinding is. */
struct found {
  unsigned long long flags;
  void *start, *end;
  struct link_map *object;
  void *frames;
  unsigned long long reserved[7];
};

struct search {
  uintptr_t address;
  struct found *found;
};

static int look(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  struct search *search = data;
  uintptr_t start = UINTPTR_MAX, end = 0, frames = 0;
  int holds = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &info->dlpi_phdr[i];
    uintptr_t first = info->dlpi_addr + part->p_vaddr, behind = first + part->p_memsz;
    if (part->p_type == PT_GNU_EH_FRAME) frames = first;
    if (part->p_type != PT_LOAD) continue;
    if (first < start) start = first;
    if (behind > end) end = behind;
    holds |= search->address >= first && search->address < behind;
  }
  if (!holds || !frames) return 0;
  *search->found = (struct found){.start = (void *)start, .end = (void *)end, .frames = (void *)frames};
  return 1;
}

/* By another name here, as newer headers declare it. */
int find_object(void *address, struct found *found) __asm__("_dl_find_object");

int find_object(void *address, struct found *found) {
  struct search search = {(uintptr_t)address, found};
  return dl_iterate_phdr(look, &search) ? 0 : -1;
}
