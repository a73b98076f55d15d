#include "support.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>

static void wait_while(_Atomic uint32_t *word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void wake_all(_Atomic uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0); }
#else
// No futex: a turn of the scheduler instead.
static void wait_while(_Atomic uint32_t *word, uint32_t value) {
  if (atomic_load(word) == value) sched_yield();
}

static void wake_all(_Atomic uint32_t *word) { (void)word; }
#endif

struct audience {
  int fd;
  size_t record;
  int64_t records;
  int readers;
  /// Committed records; what the threads wait on.
  _Atomic uint32_t count;
  /// Records that all threads together have read; whenever they are `awaited` more, `last` is set to the time.
  _Atomic int64_t delivered;
  int64_t awaited;
  _Atomic int64_t last;
  _Atomic int error;
  _Atomic uint64_t sum;
};

static void *follow(void *argument) {
  struct audience *audience = argument;
  uint8_t *bytes = malloc(audience->record);
  uint64_t sum = 0;
  if (!bytes) audience->error = -ENOMEM;
  for (int64_t number = 0; number < audience->records && bytes; number++) {
    uint32_t count;
    while ((count = atomic_load(&audience->count)) <= number && !audience->error) wait_while(&audience->count, count);
    if (audience->error) break;
    int error =
      floor_read_all(audience->fd, bytes, audience->record, HEADER_SIZE + number * (int64_t)audience->record);
    if (error) audience->error = error;
    sum += floor_sum(bytes, audience->record);
    int64_t delivered = atomic_fetch_add(&audience->delivered, 1) + 1;
    if (delivered % audience->awaited == 0) atomic_store(&audience->last, floor_now());
  }
  audience->sum += sum;
  free(bytes);
  return NULL;
}

static void sleep_for(int64_t nanoseconds) {
  struct timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
  nanosleep(&time, NULL);
}

/// Waits until everybody has `records` records: when the last one came, or a negative error number.
static int64_t last_delivery(struct audience *audience, int64_t records) {
  int64_t expected = records * audience->readers;
  while (atomic_load(&audience->delivered) < expected && !audience->error) sleep_for(100000);
  // The thread that counts the last delivery tells the time right after it.
  int64_t last;
  while ((last = atomic_exchange(&audience->last, 0)) == 0 && !audience->error) sched_yield();
  return audience->error ? audience->error : last;
}

static int64_t publish(
  struct audience *audience, struct floor_log log, const uint8_t *bytes, int64_t pause, int64_t *latencies) {
  int64_t start = floor_now(), last = 0;
  for (int64_t number = 0; number < audience->records; number++) {
    if (pause > 0) sleep_for(pause);
    int64_t before = floor_now(), offset = HEADER_SIZE + number * (int64_t)audience->record;
    int error = floor_write_all(log.fd, bytes, audience->record, offset);
    if (error) return error;
    atomic_store_explicit(&log.header->count, number + 1, memory_order_release);
    atomic_store(&audience->count, (uint32_t)number + 1);
    wake_all(&audience->count);
    if (pause == 0) continue;
    last = last_delivery(audience, number + 1);
    if (last < 0) return last;
    *latencies++ = last - before;
  }
  if (pause == 0) last = last_delivery(audience, audience->records);
  return last < 0 ? last : last - start;
}

int64_t floor_wake(
  const char *path, const uint8_t *noise, size_t size, int64_t records, int readers, int64_t pause,
  int64_t *latencies) {
  size_t record = SIZE_FIELD + size;
  struct floor_log log = floor_log_create(path);
  if (log.fd < 0) return log.fd;
  struct audience audience = {.fd = log.fd, .record = record, .records = records, .readers = readers};
  audience.awaited = pause > 0 ? readers : readers * records;
  uint8_t *bytes = malloc(record);
  pthread_t *threads = calloc((size_t)readers, sizeof *threads);
  if (!bytes || !threads) audience.error = -ENOMEM;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64 << 10);
  int started = 0;
  while (!audience.error && started < readers) {
    if (pthread_create(&threads[started], &attributes, follow, &audience) != 0) audience.error = -EAGAIN;
    else started++;
  }
  int64_t time = audience.error;
  if (!audience.error) {
    uint64_t field = size;
    memcpy(bytes, &field, SIZE_FIELD);
    memcpy(bytes + SIZE_FIELD, noise, size);
    time = publish(&audience, log, bytes, pause, latencies);
    if (time < 0) audience.error = (int)time;
  }
  // A thread that waits while something failed looks again.
  if (audience.error) {
    atomic_fetch_add(&audience.count, 1);
    wake_all(&audience.count);
  }
  for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
  pthread_attr_destroy(&attributes);
  floor_log_close(log);
  free(threads);
  free(bytes);
  return time;
}
