// ARMv8 with the CRC-32C instruction and carry-less multiplication: Apple's processors, and all current servers.

#include "implementation.h"

#if defined(__aarch64__) && defined(__AARCH64EL__)

#include <arm_neon.h>

#include "armv8.h"

#define LANES_TARGET __attribute__((target("+crc+aes")))
#define LANES_THRESHOLD 96

CRC32C_INLINE LANES_TARGET uint64_t lanes_word(uint64_t state, uint64_t word) {
  return __builtin_arm_crc32cd((uint32_t)state, word);
}

CRC32C_INLINE LANES_TARGET uint64_t lanes_multiply(uint64_t a, uint32_t b) {
  return vgetq_lane_u64(vreinterpretq_u64_p128(vmull_p64((poly64_t)a, (poly64_t)b)), 0);
}

#include "three_lanes.h"

static bool is_supported(void) { return armv8_has_crc32() && armv8_has_pmull(); }

LANES_IMPLEMENTATION(crc32c_armv8_pmull, "armv8-pmull", lanes_extend);

#endif
