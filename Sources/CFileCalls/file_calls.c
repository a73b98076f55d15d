#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "CFileCalls.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__linux__)

#if !defined(MADV_POPULATE_READ)
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

int file_reserve(int descriptor, int64_t offset, int64_t length) {
  return fallocate(descriptor, 0, offset, length) == 0 ? 0 : errno;
}

int file_populate_write(void *address, int64_t length) {
  return madvise(address, (size_t)length, MADV_POPULATE_WRITE) == 0 ? 0 : errno;
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

int file_populate_write(void *address, int64_t length) {
  (void)address, (void)length;
  return EINVAL;
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

int file_populate_write(void *address, int64_t length) {
  (void)address, (void)length;
  return EINVAL;
}

int file_populate_read(void *address, int64_t length) {
  (void)address, (void)length;
  return EINVAL;
}

#endif
