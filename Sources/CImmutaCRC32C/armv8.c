// ARMv8 with the CRC-32C instruction, but without carry-less multiplication: small boards, such as the Raspberry Pi 4.

#include "implementation.h"

#if defined(__aarch64__) && defined(__AARCH64EL__)

#include "armv8.h"

#define LANES_TARGET __attribute__((target("+crc")))
// The multiplication in integers takes some fifty cycles.
#define LANES_THRESHOLD 256

CRC32C_INLINE LANES_TARGET uint64_t lanes_word(uint64_t state, uint64_t word) {
  return __builtin_arm_crc32cd((uint32_t)state, word);
}

/// A carry-less product from integer ones: only every fourth bit of a factor is set in each, so that a column sums up
/// at most eight ones, and its carries stay in the three bits above it, which are masked away.
CRC32C_INLINE LANES_TARGET uint64_t lanes_multiply(uint64_t a, uint32_t b) {
  const uint64_t mask = 0x1111111111111111;
  uint64_t product = 0;
  for (unsigned column = 0; column < 4; column += 1) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < 4; i += 1) sum ^= (a & mask << i) * (b & mask << (column - i) % 4);
    product |= sum & mask << column;
  }
  return product;
}

#include "three_lanes.h"

static bool is_supported(void) { return armv8_has_crc32(); }

LANES_IMPLEMENTATION(crc32c_armv8, "armv8", lanes_extend);

#endif
