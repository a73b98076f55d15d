#include "support.h"

#ifdef __linux__
#include <malloc.h>
#endif
#include <string.h>
#include <time.h>

int64_t floor_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

size_t floor_heap_in_use(void) {
#ifdef __GLIBC__
  struct mallinfo2 heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
#else
  return 0;
#endif
}

uint64_t floor_sum(const void *bytes, size_t count) {
  const uint8_t *at = bytes;
  uint64_t sum = 0;
  size_t words = count / 8;
  for (size_t i = 0; i < words; i++) {
    uint64_t word;
    memcpy(&word, at + i * 8, 8);
    sum += word;
  }
  for (size_t i = words * 8; i < count; i++) sum += at[i];
  return sum;
}

struct floor_log floor_log_create(const char *path) {
  struct floor_log log = {open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), NULL};
  if (log.fd < 0) return (struct floor_log){-errno, NULL};
  if (ftruncate(log.fd, HEADER_SIZE) == 0) {
    log.header = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_SHARED, log.fd, 0);
    if (log.header != MAP_FAILED) return log;
  }
  int error = errno;
  close(log.fd);
  return (struct floor_log){-error, NULL};
}

void floor_log_close(struct floor_log log) {
  munmap(log.header, MAPPED);
  close(log.fd);
}

int floor_write_all(int fd, const void *bytes, size_t count, int64_t offset) {
  while (count > 0) {
    ssize_t written = pwrite(fd, bytes, count, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return -errno;
    bytes = (const char *)bytes + written;
    count -= (size_t)written;
    offset += written;
  }
  return 0;
}

int floor_read_all(int fd, void *bytes, size_t count, int64_t offset) {
  while (count > 0) {
    ssize_t got = pread(fd, bytes, count, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    if (got == 0) return -EIO;
    bytes = (char *)bytes + got;
    count -= (size_t)got;
    offset += got;
  }
  return 0;
}
