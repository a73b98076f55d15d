#ifndef CRC32C_H
#define CRC32C_H

#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus)
extern "C" {
#endif

/// The CRC-32C of the bytes so far and `count` more.
///
/// CRC-32C (Castagnoli): reflected polynomial 0x82F63B78, initial value and final xor 0xFFFFFFFF (RFC 3720, appendix
/// B.4). `crc` is 0 to begin, or the result for the bytes before. `bytes` needs no alignment, and may be null if
/// `count` is 0. Safe to call from any thread. The first call picks the fastest implementation that the processor has.
uint32_t crc32c_extend(uint32_t crc, const void *_Nullable bytes, size_t count);

/// Copies `count` bytes and checksums them, in one pass: `memcpy` and then `crc32c_extend`.
///
/// The regions must not overlap. No byte outside of the destination is written.
uint32_t crc32c_copy_extend(
  uint32_t crc, void *_Nullable destination, const void *_Nullable source, size_t count);

/// The CRC-32C of the bytes so far and the eight bytes of `little_endian_value`, lowest first.
uint32_t crc32c_extend_u64(uint32_t crc, uint64_t little_endian_value);

/// The same for four values, one after the other, in one call.
uint32_t crc32c_extend_4_u64(uint32_t crc, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/// The CRC-32C of A followed by B, from that of A, that of B, and the number of bytes in B.
///
/// Costs time in proportion to the bits set in `count_b`, not to its value: well below a microsecond for a megabyte.
uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, size_t count_b);

/// LogStore's checksum of the bytes so far and `count` more: no CRC-32C, but the one its files hold.
///
/// A CRC-32, reflected, initial value and final xor 0xFFFFFFFF, by the table that comes of taking 0x04C11DB7 for the
/// reflected polynomial. `crc` is 0 to begin. `bytes` needs no alignment, and may be null if `count` is 0.
uint32_t logstore_crc_extend(uint32_t crc, const void *_Nullable bytes, size_t count);

/// The number of implementations that this processor can run: at least one.
///
/// They are numbered from the fastest, which all functions above use, to the table, which is always last.
size_t crc32c_implementation_count(void);

/// The name of an implementation: "vpclmulqdq", "sse4.2", "armv8-pmull", "armv8" or "table".
///
/// `index` must be below `crc32c_implementation_count()`.
const char *_Nonnull crc32c_implementation_name(size_t index);

/// `crc32c_extend` by a certain implementation, for tests and benchmarks.
///
/// `index` must be below `crc32c_implementation_count()`.
uint32_t crc32c_extend_with(size_t index, uint32_t crc, const void *_Nullable bytes, size_t count);

/// `crc32c_copy_extend` by a certain implementation, for tests and benchmarks.
///
/// `index` must be below `crc32c_implementation_count()`.
uint32_t crc32c_copy_extend_with(
  size_t index, uint32_t crc, void *_Nullable destination, const void *_Nullable source, size_t count);

/// `crc32c_extend_u64` by a certain implementation, for tests and benchmarks.
///
/// `index` must be below `crc32c_implementation_count()`.
uint32_t crc32c_extend_u64_with(size_t index, uint32_t crc, uint64_t little_endian_value);

/// `crc32c_extend_4_u64` by a certain implementation, for tests and benchmarks.
///
/// `index` must be below `crc32c_implementation_count()`.
uint32_t crc32c_extend_4_u64_with(size_t index, uint32_t crc, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/// A power of x modulo the polynomial: what every constant in the implementations is.
typedef struct {
  /// The power. Negative ones are inverses.
  int32_t exponent;
  /// The remainder of x to the exponent: bit 31 is the coefficient of x^0, bit 0 that of x^31.
  uint32_t remainder;
} crc32c_power;

/// The number of constants that the implementations contain.
size_t crc32c_power_count(void);

/// One of the constants that the implementations contain, so that a test can compute it again.
///
/// `index` must be below `crc32c_power_count()`.
crc32c_power crc32c_power_at(size_t index);

#if defined(__cplusplus)
}
#endif

#endif
