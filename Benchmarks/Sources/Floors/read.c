#include "support.h"

#include <stdlib.h>

int64_t floor_read(const char *path, uint64_t *sum) {
  enum { piece = 1 << 20 };
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  uint8_t *bytes = malloc(piece);
  if (!bytes) {
    close(fd);
    return -ENOMEM;
  }
  int64_t start = floor_now(), offset = 0;
  ssize_t got;
  while ((got = pread(fd, bytes, piece, offset)) > 0) {
    *sum += floor_sum(bytes, (size_t)got);
    offset += got;
  }
  int64_t time = got < 0 ? -errno : floor_now() - start;
  free(bytes);
  close(fd);
  return time;
}

int64_t floor_read_at(const char *path, const int64_t *offsets, int64_t reads, size_t count, uint64_t *sum) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  uint8_t *bytes = malloc(count);
  int error = bytes ? 0 : -ENOMEM;
  int64_t start = floor_now();
  for (int64_t i = 0; i < reads && !error; i++) {
    error = floor_read_all(fd, bytes, count, offsets[i]);
    *sum += floor_sum(bytes, count);
  }
  int64_t time = floor_now() - start;
  free(bytes);
  close(fd);
  return error ? error : time;
}

static int read_header(const char *path, size_t count) {
  uint8_t bytes[64];
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return -errno;
  int error = floor_read_all(fd, bytes, count, 0);
  close(fd);
  return error;
}

int64_t floor_open(const char *log, const char *companion, int64_t times) {
  int error = 0;
  int64_t start = floor_now();
  for (int64_t i = 0; i < times && !error; i++) {
    error = read_header(log, HEADER_SIZE);
    if (!error) error = read_header(companion, 64);
  }
  int64_t time = floor_now() - start;
  return error ? error : time;
}
