// The public functions: each jumps through a pointer to the fastest implementation that the processor has.

#include "implementation.h"

#include <stdatomic.h>

static const struct crc32c_implementation *const candidates[] = {
#if defined(__x86_64__)
  &crc32c_vpclmulqdq,
  &crc32c_sse42,
#elif defined(__aarch64__) && defined(__AARCH64EL__)
  &crc32c_armv8_pmull,
  &crc32c_armv8,
#endif
  &crc32c_table,
};

/// The index-th of the supported candidates; null if there are fewer.
static const struct crc32c_implementation *implementation_at(size_t index) {
  for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i += 1) {
    if (!candidates[i]->is_supported()) continue;
    if (index == 0) return candidates[i];
    index -= 1;
  }
  return 0;
}

typedef uint32_t extend_function(uint32_t, const void *, size_t);
typedef uint32_t copy_extend_function(uint32_t, void *, const void *, size_t);
typedef uint32_t extend_u64_function(uint32_t, uint64_t);
typedef uint32_t extend_4_u64_function(uint32_t, uint64_t, uint64_t, uint64_t, uint64_t);

static extend_function first_extend;
static copy_extend_function first_copy_extend;
static extend_u64_function first_extend_u64;
static extend_4_u64_function first_extend_4_u64;

// Until the first call, these point to functions that replace them. Relaxed order is enough: a pointer publishes
// nothing but itself, since code and constants were there before any thread; and a thread that sees an old pointer
// finds the same implementation again.
static _Atomic(extend_function *) chosen_extend = first_extend;
static _Atomic(copy_extend_function *) chosen_copy_extend = first_copy_extend;
static _Atomic(extend_u64_function *) chosen_extend_u64 = first_extend_u64;
static _Atomic(extend_4_u64_function *) chosen_extend_4_u64 = first_extend_4_u64;

static const struct crc32c_implementation *choose(void) {
  const struct crc32c_implementation *best = implementation_at(0);
  atomic_store_explicit(&chosen_extend, best->extend, memory_order_relaxed);
  atomic_store_explicit(&chosen_copy_extend, best->copy_extend, memory_order_relaxed);
  atomic_store_explicit(&chosen_extend_u64, best->extend_u64, memory_order_relaxed);
  atomic_store_explicit(&chosen_extend_4_u64, best->extend_4_u64, memory_order_relaxed);
  return best;
}

static uint32_t first_extend(uint32_t crc, const void *bytes, size_t count) {
  return choose()->extend(crc, bytes, count);
}

static uint32_t first_copy_extend(uint32_t crc, void *destination, const void *source, size_t count) {
  return choose()->copy_extend(crc, destination, source, count);
}

static uint32_t first_extend_u64(uint32_t crc, uint64_t value) { return choose()->extend_u64(crc, value); }

static uint32_t first_extend_4_u64(uint32_t crc, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  return choose()->extend_4_u64(crc, a, b, c, d);
}

uint32_t crc32c_extend(uint32_t crc, const void *bytes, size_t count) {
  return atomic_load_explicit(&chosen_extend, memory_order_relaxed)(crc, bytes, count);
}

uint32_t crc32c_copy_extend(uint32_t crc, void *destination, const void *source, size_t count) {
  return atomic_load_explicit(&chosen_copy_extend, memory_order_relaxed)(crc, destination, source, count);
}

uint32_t crc32c_extend_u64(uint32_t crc, uint64_t little_endian_value) {
  return atomic_load_explicit(&chosen_extend_u64, memory_order_relaxed)(crc, little_endian_value);
}

uint32_t crc32c_extend_4_u64(uint32_t crc, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  return atomic_load_explicit(&chosen_extend_4_u64, memory_order_relaxed)(crc, a, b, c, d);
}

size_t crc32c_implementation_count(void) {
  size_t count = 0;
  while (implementation_at(count)) count += 1;
  return count;
}

/// The implementation with a public index. A wrong one is the caller's error, and stops the program.
static const struct crc32c_implementation *checked_implementation_at(size_t index) {
  const struct crc32c_implementation *implementation = implementation_at(index);
  if (!implementation) __builtin_trap();
  return implementation;
}

const char *crc32c_implementation_name(size_t index) { return checked_implementation_at(index)->name; }

uint32_t crc32c_extend_with(size_t index, uint32_t crc, const void *bytes, size_t count) {
  return checked_implementation_at(index)->extend(crc, bytes, count);
}

uint32_t crc32c_copy_extend_with(size_t index, uint32_t crc, void *destination, const void *source, size_t count) {
  return checked_implementation_at(index)->copy_extend(crc, destination, source, count);
}

uint32_t crc32c_extend_u64_with(size_t index, uint32_t crc, uint64_t little_endian_value) {
  return checked_implementation_at(index)->extend_u64(crc, little_endian_value);
}

uint32_t crc32c_extend_4_u64_with(size_t index, uint32_t crc, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  return checked_implementation_at(index)->extend_4_u64(crc, a, b, c, d);
}
