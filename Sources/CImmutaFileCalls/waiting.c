#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "CFileWaiting.h"

#include <errno.h>

#if defined(__linux__)

#include <limits.h>
#include <linux/futex.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// The same on all of Linux's architectures; headers may be older than the kernel (5.16).
#if !defined(SYS_futex_waitv)
#define SYS_futex_waitv 449
#endif
#if !defined(SYS_futex)
#define SYS_futex SYS_futex_time64
#endif
// FUTEX2_SIZE_U32, and not FUTEX2_PRIVATE: others map the word, too.
#define WORD_OF_32_BITS 2

struct waited_word {
  uint64_t value;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};

struct kernel_time {
  int64_t seconds;
  int64_t nanoseconds;
};

int file_wait_for_words(const struct file_word *words, size_t count, int64_t deadline) {
  struct waited_word waited[FILE_MOST_WORDS];
  if (count > FILE_MOST_WORDS) return -EINVAL;
  for (size_t i = 0; i < count; i++) {
    waited[i] = (struct waited_word){words[i].value, (uint64_t)(uintptr_t)words[i].address, WORD_OF_32_BITS, 0};
  }
  struct kernel_time time = {deadline / 1000000000, deadline % 1000000000};
  long result = syscall(SYS_futex_waitv, waited, (unsigned)count, 0u, &time, CLOCK_MONOTONIC);
  return result < 0 ? -errno : (int)result;
}

int file_wake(const void *address) {
  long result = syscall(SYS_futex, address, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
  return result < 0 ? -errno : (int)result;
}

int file_events_open(void) {
  int descriptor = inotify_init1(IN_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

int file_events_watch(int events, const char *path, enum file_watch watch) {
  const uint32_t own = IN_MOVE_SELF | IN_DELETE_SELF;
  uint32_t mask = 0;
  switch (watch) {
    case FILE_WATCH_NAMES: mask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | own; break;
    case FILE_WATCH_CLOSES: mask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | own; break;
    case FILE_WATCH_NEXT_WRITE: mask = IN_MODIFY | IN_ONESHOT; break;
    // A link that another is renamed onto loses its name: that changes its attributes.
    case FILE_WATCH_PLACE: mask = own | IN_ATTRIB | IN_DONT_FOLLOW; break;
  }
  // Added to what is watched of the same file already.
  int number = inotify_add_watch(events, path, mask | IN_MASK_ADD);
  return number < 0 ? -errno : number;
}

void file_events_end(int events, int watch) { inotify_rm_watch(events, watch); }

#else

int file_wait_for_words(const struct file_word *words, size_t count, int64_t deadline) {
  (void)words, (void)count, (void)deadline;
  return -ENOSYS;
}

int file_wake(const void *address) {
  (void)address;
  return -ENOSYS;
}

int file_events_open(void) { return -ENOSYS; }

int file_events_watch(int events, const char *path, enum file_watch watch) {
  (void)events, (void)path, (void)watch;
  return -ENOSYS;
}

void file_events_end(int events, int watch) { (void)events, (void)watch; }

#endif
