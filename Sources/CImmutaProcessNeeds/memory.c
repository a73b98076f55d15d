#include "CImmutaProcessNeeds.h"

#if defined(__linux__)

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

// Swift's scheduler starts a thread for each processor, up to so many where there is work; and some wait for files.
enum { most_processors = 14, other_threads = 2 };
// What the runtime and a command need besides the stacks: 10 MiB for an append, 20 with a large record; and address space
// alone, which each thread's allocator reserves 64 MiB of, and 128 for a moment.
enum { besides = 256 << 20 };

static size_t needed_memory(void) {
  size_t stack = 8 << 20;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) == 0) {
    pthread_attr_getstacksize(&attributes, &stack);
    pthread_attr_destroy(&attributes);
  }
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  if (processors < 1) processors = 1;
  if (processors > most_processors) processors = most_processors;
  return besides + (size_t)(processors + other_threads) * stack;
}

// KiB of address space that the process has; 0 where nothing says so.
static unsigned long used(void) {
  FILE *file = fopen("/proc/self/statm", "re");
  unsigned long pages = 0;
  if (file == NULL) return 0;
  if (fscanf(file, "%lu", &pages) != 1) pages = 0;
  fclose(file);
  return pages * ((unsigned long)sysconf(_SC_PAGESIZE) >> 10);
}

static int can_have(size_t size, int protection) {
  void *memory = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return 0;
  munmap(memory, size);
  return 1;
}

static int is_limited(int resource) {
  struct rlimit limit;
  return getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

// Before main: the scheduler waits without end for memory for a thread's stack that it does not get, and the runtime traps.
__attribute__((constructor)) static void check_memory(void) {
  const char *option = NULL;
  const size_t needed = needed_memory();
  if (is_limited(RLIMIT_AS) && !can_have(needed, PROT_NONE)) {
    option = "-v";
  } else if (is_limited(RLIMIT_DATA) && !can_have(needed, PROT_READ | PROT_WRITE)) {
    option = "-d";
  }
  if (option == NULL) return;
  char text[256];
  int length = snprintf(text, sizeof text,
                        "immuta: %zu MiB of memory are needed, and this process may not have as much: raise the limit "
                        "(ulimit %s %lu)\n",
                        needed >> 20, option, used() + (unsigned long)(needed >> 10) + 1024);
  if (length > 0 && write(2, text, (size_t)length) < 0) _exit(1);
  _exit(1);
}

#endif
