// What the bare system calls cost: the least that a log on the same file layout could take.
//
// A function does its work on files of its own under the given path, and returns the nanoseconds that the work took,
// without opening and closing; or a negative error number.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// How a floor makes its appends stable.
enum floor_flush {
  FLOOR_NO_FLUSH,
  /// `fdatasync` after each commit, of a file that grows.
  FLOOR_FLUSH_GROWING,
  /// `fdatasync` after each commit, into space that was written beforehand.
  FLOOR_FLUSH_WRITTEN,
};

/// Nanoseconds on a clock that never goes back.
int64_t floor_now(void);

/// Bytes of heap that this process has in use, all arenas together; 0 where the C library does not tell.
size_t floor_heap_in_use(void);

/// Adds up the bytes, eight at a time: every byte is touched, as cheaply as can be.
uint64_t floor_sum(const void *bytes, size_t count);

/// Appends `records` records of `size` bytes, each behind its size: one `pwrite` and one store into a mapped header for
/// every `per_commit` of them. `noise` holds at least `size` bytes more than `noise_shifts`. If `latencies` is not
/// NULL, it receives the nanoseconds of each commit.
int64_t floor_append(
  const char *path, const uint8_t *noise, size_t noise_shifts, size_t size, int64_t records, int64_t per_commit,
  enum floor_flush flush, int64_t *latencies);

/// The same by `threads` threads, each with a `pwrite` and an `fdatasync` of its own for every record.
int64_t floor_append_threads(const char *path, const uint8_t *noise, size_t size, int64_t records, int threads);

/// Copies `records` records of `size` bytes, each behind its size, into a mapped file whose pages are already there.
int64_t floor_copy(
  const char *path, const uint8_t *noise, size_t noise_shifts, size_t size, int64_t records);

/// Reads a file from beginning to end in pieces of 1 MiB, and sums every byte.
int64_t floor_read(const char *path, uint64_t *sum);

/// Reads `count` bytes at each of the offsets, one `pread` each, and sums every byte.
int64_t floor_read_at(const char *path, const int64_t *offsets, int64_t reads, size_t count, uint64_t *sum);

/// Opens a log and its companion, reads a header of each, and closes them, `times` times.
int64_t floor_open(const char *log, const char *companion, int64_t times);

/// `readers` threads wait on a futex for records that one writer appends, and each `pread`s every one of them.
///
/// With `pause` (nanoseconds) more than 0 the writer lets everybody fall asleep again before each record, and
/// `latencies` receives, for each, the nanoseconds from before the `pwrite` until the last thread has the record.
/// With `pause` 0 the records are appended back to back. Returns the time from the first append until every thread has
/// every record.
int64_t floor_wake(
  const char *path, const uint8_t *noise, size_t size, int64_t records, int readers, int64_t pause, int64_t *latencies);
