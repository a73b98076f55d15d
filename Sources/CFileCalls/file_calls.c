#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "CFileCalls.h"

#include <errno.h>
#include <fcntl.h>
#if defined(__linux__)
#include <linux/magic.h>
#endif
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#if defined(__linux__)
#include <sys/vfs.h>
#endif
#include <unistd.h>

ssize_t file_write_two(int descriptor, const void *first, size_t first_count, const void *second, size_t second_count,
                       int64_t offset) {
  // The system call reads through the pointers only.
  const struct iovec pieces[] = {{(void *)first, first_count}, {(void *)second, second_count}};
  return pwritev(descriptor, pieces, 2, (off_t)offset);
}

int file_open_unnamed(const char *directory) {
#if defined(O_TMPFILE)
  int descriptor = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  // What a file system without such files says, and a kernel that takes the flags for others.
  if (descriptor < 0 && (errno == EISDIR || errno == ENOENT || errno == EINVAL)) errno = EOPNOTSUPP;
  return descriptor;
#else
  (void)directory;
  errno = EOPNOTSUPP;
  return -1;
#endif
}

// Not const: so it takes no room in the program's file, and untouched pages share the system's one page of zeros.
// No more at once: the page cache keeps what one call wrote in one piece, if it can, and a flush writes all of a piece of
// which a byte has changed. On ext4 a flush behind each append takes 75 µs with 64 KiB, and 166 µs with 256 KiB.
static unsigned char zeros[64 << 10];

const void *file_zeros(void) { return zeros; }

size_t file_zeros_count(void) { return sizeof zeros; }

#if defined(__linux__)

#if !defined(MADV_POPULATE_READ)
#define MADV_POPULATE_READ 22
#endif

int file_reserve(int descriptor, int64_t offset, int64_t length) {
  return fallocate(descriptor, 0, offset, length) == 0 ? 0 : errno;
}

int file_start_write_back(int descriptor) {
  return sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE) == 0 ? 0 : errno;
}

int file_finish_write_back(int descriptor) {
  const unsigned flags = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  return sync_file_range(descriptor, 0, 0, flags) == 0 ? 0 : errno;
}

bool file_overwrites_in_place(int descriptor) {
  struct statfs status;
  if (fstatfs(descriptor, &status) != 0) return false;
  return status.f_type == EXT4_SUPER_MAGIC;
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

#if !defined(__linux__)

int file_start_write_back(int descriptor) {
  (void)descriptor;
  return ENOSYS;
}

int file_finish_write_back(int descriptor) {
  (void)descriptor;
  return ENOSYS;
}

bool file_overwrites_in_place(int descriptor) {
  (void)descriptor;
  return false;
}

#endif
