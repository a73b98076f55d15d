// x86-64 with AVX-512 and carry-less multiplication of whole vectors: Intel since Ice Lake, AMD since Zen 4.
//
// Folding, after Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Intel,
// 2009): a remainder does not change when 128 bits are replaced by their product with x^d modulo the polynomial, added
// to the 128 bits that come d bits later. Four vectors of 64 bytes go through the input side by side, each folded onto
// the one 256 bytes further on; in the end all is folded into the last 128 bits, and the CRC-32C instruction finishes
// those.

#include "implementation.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define LANES_TARGET __attribute__((target("sse4.2,pclmul,avx512f,avx512vl,vpclmulqdq")))
#define LANES_THRESHOLD 72

CRC32C_INLINE LANES_TARGET uint64_t lanes_word(uint64_t state, uint64_t word) { return _mm_crc32_u64(state, word); }

CRC32C_INLINE LANES_TARGET uint64_t lanes_multiply(uint64_t a, uint32_t b) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)a), _mm_cvtsi32_si128((int32_t)b), 0);
  return (uint64_t)_mm_cvtsi128_si64(product);
}

#include "three_lanes.h"

/// The least number of bytes worth folding; at least 127, so that a whole vector is left after the odd bytes.
#define FOLD_THRESHOLD 128

/// The least number of bytes to copy whose destination is worth aligning.
#define ALIGN_THRESHOLD 2048

#define VECTOR ((size_t)64)

/// A folding constant's place in a vector: the product of the first eight bytes takes the lower half, of the last the
/// upper.
///
/// A remainder of 32 bits is the upper half of a reflected 64-bit polynomial.
#define FOLD_LOW(fold) ((long long)((uint64_t)(fold).first << 32))
#define FOLD_HIGH(fold) ((long long)((uint64_t)(fold).last << 32))

LANES_INLINE __m512i same_for_all(struct crc32c_fold fold) {
  return _mm512_set4_epi64(FOLD_HIGH(fold), FOLD_LOW(fold), FOLD_HIGH(fold), FOLD_LOW(fold));
}

/// `vector`, each of its 128 bits moved forward, and `next` added.
LANES_INLINE __m512i fold(__m512i vector, __m512i constants, __m512i next) {
  const __m512i first = _mm512_clmulepi64_epi128(vector, constants, 0x00);
  const __m512i last = _mm512_clmulepi64_epi128(vector, constants, 0x11);
  return _mm512_ternarylogic_epi64(first, last, next, 0x96);
}

/// The register after the 64 bytes of `vector`.
LANES_INLINE uint64_t reduce(__m512i vector) {
  const __m512i constants = _mm512_set_epi64(
    0, 0, FOLD_HIGH(crc32c_fold_128), FOLD_LOW(crc32c_fold_128), FOLD_HIGH(crc32c_fold_256), FOLD_LOW(crc32c_fold_256),
    FOLD_HIGH(crc32c_fold_384), FOLD_LOW(crc32c_fold_384));
  // The last 128 bits are where the others go to; their own product is zero.
  const __m512i folded = fold(vector, constants, _mm512_maskz_mov_epi64(0xc0, vector));
  const __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(folded), _mm512_extracti64x4_epi64(folded, 1));
  const __m128i quarter = _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  return lanes_word(lanes_word(0, (uint64_t)_mm_cvtsi128_si64(quarter)), (uint64_t)_mm_extract_epi64(quarter, 1));
}

/// The vector at an offset, copied if `copies`.
LANES_INLINE __m512i take(bool copies, uint8_t *target, const uint8_t *source, size_t at) {
  const __m512i vector = _mm512_loadu_si512(source + at);
  if (copies) _mm512_storeu_si512(target + at, vector);
  return vector;
}

/// Any number of whole vectors, at least one.
LANES_INLINE uint64_t fold_vectors(
  uint64_t state, bool copies, uint8_t *target, const uint8_t *source, size_t vectors) {
  const __m512i onto_next_4 = same_for_all(crc32c_fold_2048);
  const __m512i zero = _mm512_setzero_si512();
  __m512i v0 = zero, v1 = zero, v2 = zero, v3 = zero;
  size_t at = 0;

  // Zeros in front of the input change nothing: with them, it is a multiple of four vectors long.
  __m512i first = _mm512_zextsi128_si512(_mm_cvtsi32_si128((int32_t)state));
  for (const size_t end = ((vectors - 1) % 4 + 1) * VECTOR; at < end; at += VECTOR) {
    v0 = v1;
    v1 = v2;
    v2 = v3;
    // The register meets the first four bytes only.
    v3 = _mm512_xor_si512(first, take(copies, target, source, at));
    first = zero;
  }
  for (const size_t end = vectors * VECTOR; at < end; at += 4 * VECTOR) {
    v0 = fold(v0, onto_next_4, take(copies, target, source, at));
    v1 = fold(v1, onto_next_4, take(copies, target, source, at + VECTOR));
    v2 = fold(v2, onto_next_4, take(copies, target, source, at + 2 * VECTOR));
    v3 = fold(v3, onto_next_4, take(copies, target, source, at + 3 * VECTOR));
  }
  v3 = fold(v0, same_for_all(crc32c_fold_1536), v3);
  v3 = fold(v1, same_for_all(crc32c_fold_1024), v3);
  v3 = fold(v2, same_for_all(crc32c_fold_512), v3);
  return reduce(v3);
}

LANES_INLINE uint64_t fold_extend(uint64_t state, bool copies, uint8_t *target, const uint8_t *source, size_t count) {
  if (count < FOLD_THRESHOLD) return lanes_extend(state, copies, target, source, count);
  // The odd bytes first: then their chain runs beside the first multiplications, instead of after the last.
  size_t odd = count % VECTOR;
  // Stores that straddle cache lines would cost more than that wins.
  const bool aligns = copies && count >= ALIGN_THRESHOLD;
  if (aligns) odd = (0 - (uintptr_t)target) % VECTOR;
  state = lanes_serial(state, copies, target, source, odd);
  if (copies) target += odd;
  source += odd;
  count -= odd;
  state = fold_vectors(state, copies, target, source, count / VECTOR);
  if (!aligns) return state;
  const size_t whole = count - count % VECTOR;
  return lanes_serial(state, copies, target + whole, source + whole, count - whole);
}

static bool is_supported(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("avx512f")
    && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("vpclmulqdq");
}

LANES_IMPLEMENTATION(crc32c_vpclmulqdq, "vpclmulqdq", fold_extend);

#endif
