#include "support.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/// Bytes that the file has before the measurement begins, where that is asked for: written, so that `fdatasync` has no
/// space to find and no size to store. A page at a time: the page cache would keep more in one piece, of which a flush
/// writes all.
static int write_beforehand(int fd, size_t bytes) {
  enum { piece = 4 << 10 };
  char *zeros = calloc(1, piece);
  if (!zeros) return -ENOMEM;
  int error = 0;
  for (size_t at = HEADER_SIZE; at < bytes && !error; at += piece) error = floor_write_all(fd, zeros, piece, (int64_t)at);
  free(zeros);
  if (!error && fsync(fd) != 0) error = -errno;
  return error;
}

int64_t floor_append(
  const char *path, const uint8_t *noise, size_t noise_shifts, size_t size, int64_t records, int64_t per_commit,
  enum floor_flush flush, int64_t *latencies) {
  size_t record = SIZE_FIELD + size;
  uint8_t *batch = malloc(record * (size_t)per_commit);
  if (!batch) return -ENOMEM;
  // Touched, so that the first batch is as fast as the others.
  memset(batch, 1, record * (size_t)per_commit);
  struct floor_log log = floor_log_create(path);
  if (log.fd < 0) {
    free(batch);
    return log.fd;
  }
  int error = flush == FLOOR_FLUSH_WRITTEN ? write_beforehand(log.fd, HEADER_SIZE + record * (size_t)records) : 0;
  int64_t end = HEADER_SIZE, count = 0, start = floor_now(), before = start;
  while (count < records && !error) {
    int64_t last = end;
    size_t filled = 0;
    for (int64_t i = 0; i < per_commit; i++, filled += record) {
      uint64_t field = size;
      memcpy(batch + filled, &field, SIZE_FIELD);
      memcpy(batch + filled + SIZE_FIELD, noise + (size_t)(count + i) % noise_shifts, size);
      last = end + (int64_t)filled;
    }
    error = floor_write_all(log.fd, batch, filled, end);
    end += (int64_t)filled;
    count += per_commit;
    // A store into the mapped header behind a flush costs a page fault: beside a flush, the floor does without.
    if (flush == FLOOR_NO_FLUSH) {
      atomic_store_explicit(&log.header->last, last, memory_order_relaxed);
      atomic_store_explicit(&log.header->count, count, memory_order_release);
    }
    if (!error && flush != FLOOR_NO_FLUSH && fdatasync(log.fd) != 0) error = -errno;
    if (latencies) {
      int64_t now = floor_now();
      *latencies++ = now - before;
      before = now;
    }
  }
  int64_t time = floor_now() - start;
  floor_log_close(log);
  free(batch);
  return error ? error : time;
}

struct crowd {
  int fd;
  const uint8_t *noise;
  size_t size;
  int64_t records;
  _Atomic int64_t next;
  _Atomic int error;
};

static void *append_in_crowd(void *argument) {
  struct crowd *crowd = argument;
  size_t record = SIZE_FIELD + crowd->size;
  uint8_t *bytes = malloc(record);
  if (!bytes) {
    crowd->error = -ENOMEM;
    return NULL;
  }
  uint64_t field = crowd->size;
  memcpy(bytes, &field, SIZE_FIELD);
  memcpy(bytes + SIZE_FIELD, crowd->noise, crowd->size);
  while (!crowd->error) {
    int64_t number = atomic_fetch_add(&crowd->next, 1);
    if (number >= crowd->records) break;
    int error = floor_write_all(crowd->fd, bytes, record, HEADER_SIZE + number * (int64_t)record);
    if (!error && fdatasync(crowd->fd) != 0) error = -errno;
    if (error) crowd->error = error;
  }
  free(bytes);
  return NULL;
}

int64_t floor_append_threads(const char *path, const uint8_t *noise, size_t size, int64_t records, int threads) {
  struct floor_log log = floor_log_create(path);
  if (log.fd < 0) return log.fd;
  struct crowd crowd = {.fd = log.fd, .noise = noise, .size = size, .records = records};
  pthread_t members[threads];
  int started = 0;
  int64_t start = floor_now();
  while (started < threads && pthread_create(&members[started], NULL, append_in_crowd, &crowd) == 0) started++;
  if (started < threads) crowd.error = -EAGAIN;
  for (int i = 0; i < started; i++) pthread_join(members[i], NULL);
  int64_t time = floor_now() - start;
  floor_log_close(log);
  return crowd.error ? crowd.error : time;
}

int64_t floor_copy(
  const char *path, const uint8_t *noise, size_t noise_shifts, size_t size, int64_t records) {
  size_t record = SIZE_FIELD + size, bytes = record * (size_t)records;
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return -errno;
  uint8_t *memory = MAP_FAILED;
  int error = ftruncate(fd, (off_t)bytes) == 0 ? 0 : -errno;
  if (!error) memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (!error && memory == MAP_FAILED) error = -errno;
  int64_t time = 0;
  if (!error) {
    for (size_t at = 0; at < bytes; at += MAPPED) memory[at] = 1;
    int64_t start = floor_now();
    for (int64_t i = 0; i < records; i++) {
      uint8_t *to = memory + (size_t)i * record;
      uint64_t field = size;
      memcpy(to, &field, SIZE_FIELD);
      memcpy(to + SIZE_FIELD, noise + (size_t)i % noise_shifts, size);
    }
    time = floor_now() - start;
    munmap(memory, bytes);
  }
  close(fd);
  return error ? error : time;
}
