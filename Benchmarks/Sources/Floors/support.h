// What the floors have in common.
#pragma once

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "Floors.h"

#define HEADER_SIZE 16
#define SIZE_FIELD 8
#define MAPPED 4096

/// The log's header, mapped: COUNT and LAST INDEX.
struct header {
  _Atomic int64_t count;
  _Atomic int64_t last;
};

/// A new log with a mapped header; `fd` is a negative error number if it could not be made.
struct floor_log {
  int fd;
  struct header *header;
};

struct floor_log floor_log_create(const char *path);
void floor_log_close(struct floor_log log);

/// Writes or reads all of it: 0, or a negative error number.
int floor_write_all(int fd, const void *bytes, size_t count, int64_t offset);
int floor_read_all(int fd, void *bytes, size_t count, int64_t offset);
