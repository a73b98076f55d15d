// x86-64 with the CRC32 instruction and carry-less multiplication: Intel since 2010, AMD since 2011.

#include "implementation.h"

#if defined(__x86_64__)

#include <nmmintrin.h>
#include <wmmintrin.h>

#define LANES_TARGET __attribute__((target("sse4.2,pclmul")))
#define LANES_THRESHOLD 72

CRC32C_INLINE LANES_TARGET uint64_t lanes_word(uint64_t state, uint64_t word) { return _mm_crc32_u64(state, word); }

CRC32C_INLINE LANES_TARGET uint64_t lanes_multiply(uint64_t a, uint32_t b) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)a), _mm_cvtsi32_si128((int32_t)b), 0);
  return (uint64_t)_mm_cvtsi128_si64(product);
}

#include "three_lanes.h"

static bool is_supported(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

LANES_IMPLEMENTATION(crc32c_sse42, "sse4.2", lanes_extend);

#endif
