// What the files of this module share. None of it is public.
#ifndef CRC32C_IMPLEMENTATION_H
#define CRC32C_IMPLEMENTATION_H

#include "include/CImmutaCRC32C.h"

#include <stdbool.h>

#define CRC32C_INLINE static inline __attribute__((always_inline))

#if defined(__has_builtin)
#if __has_builtin(__builtin_memcpy_inline)
#define crc32c_move(destination, source, count) __builtin_memcpy_inline(destination, source, count)
#endif
#endif
#if !defined(crc32c_move)
#define crc32c_move(destination, source, count) __builtin_memcpy(destination, source, count)
#endif

/// One way to compute the checksum.
///
/// Its functions take and return checksums, as the public ones do, so that calling through a pointer to one of them is
/// a jump and nothing more. Inside, all work on the *register*, the complement of the checksum.
struct crc32c_implementation {
  const char *name;
  bool (*is_supported)(void);
  uint32_t (*extend)(uint32_t crc, const void *bytes, size_t count);
  uint32_t (*copy_extend)(uint32_t crc, void *destination, const void *source, size_t count);
  uint32_t (*extend_u64)(uint32_t crc, uint64_t value);
  uint32_t (*extend_4_u64)(uint32_t crc, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
};

extern const struct crc32c_implementation crc32c_table;
#if defined(__x86_64__)
extern const struct crc32c_implementation crc32c_sse42;
extern const struct crc32c_implementation crc32c_vpclmulqdq;
#elif defined(__aarch64__) && defined(__AARCH64EL__)
extern const struct crc32c_implementation crc32c_armv8;
extern const struct crc32c_implementation crc32c_armv8_pmull;
#endif

CRC32C_INLINE uint64_t crc32c_little_endian_u64(uint64_t value) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  return __builtin_bswap64(value);
#else
  return value;
#endif
}

/// Eight bytes of any alignment, the first one lowest.
CRC32C_INLINE uint64_t crc32c_load_u64(const uint8_t *bytes) {
  uint64_t value;
  crc32c_move(&value, bytes, sizeof value);
  return crc32c_little_endian_u64(value);
}

CRC32C_INLINE void crc32c_store_u64(uint8_t *bytes, uint64_t value) {
  value = crc32c_little_endian_u64(value);
  crc32c_move(bytes, &value, sizeof value);
}

#endif
