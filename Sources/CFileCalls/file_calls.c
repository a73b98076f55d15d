#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "CFileCalls.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t file_write_two(int descriptor, const void *first, size_t first_count, const void *second, size_t second_count,
                       int64_t offset) {
  // The system call reads through the pointers only.
  const struct iovec pieces[] = {{(void *)first, first_count}, {(void *)second, second_count}};
  return pwritev(descriptor, pieces, 2, (off_t)offset);
}

// Not const: so it takes no room in the program's file, and untouched pages share the system's one page of zeros.
static unsigned char zeros[256 << 10];

const void *file_zeros(void) { return zeros; }

size_t file_zeros_count(void) { return sizeof zeros; }

#if defined(__linux__)

#if !defined(MADV_POPULATE_READ)
#define MADV_POPULATE_READ 22
#endif

int file_reserve(int descriptor, int64_t offset, int64_t length) {
  return fallocate(descriptor, 0, offset, length) == 0 ? 0 : errno;
}

int file_populate_read(void *address, int64_t length) {
  return madvise(address, (size_t)length, MADV_POPULATE_READ) == 0 ? 0 : errno;
}

#elif defined(__APPLE__)

int file_reserve(int descriptor, int64_t offset, int64_t length) {
  struct stat status;
  if (fstat(descriptor, &status) != 0) return errno;
  const int64_t end = offset + length;
  if (status.st_size >= end) return 0;
  fstore_t store = {F_ALLOCATEALL, F_PEOFPOSMODE, 0, end - status.st_size, 0};
  if (fcntl(descriptor, F_PREALLOCATE, &store) != 0) return errno == ENOTSUP ? EOPNOTSUPP : errno;
  return ftruncate(descriptor, end) == 0 ? 0 : errno;
}

int file_populate_read(void *address, int64_t length) {
  (void)address, (void)length;
  return EINVAL;
}

#else

int file_reserve(int descriptor, int64_t offset, int64_t length) {
  (void)descriptor, (void)offset, (void)length;
  return EOPNOTSUPP;
}

int file_populate_read(void *address, int64_t length) {
  (void)address, (void)length;
  return EINVAL;
}

#endif
