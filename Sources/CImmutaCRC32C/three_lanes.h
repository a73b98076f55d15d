// Three lanes: the checksum by a processor's CRC-32C instruction, three at a time.
//
// The instruction takes eight bytes per cycle, but a result only comes out about three cycles later, so that one chain
// of them runs at a third of the speed. Gopal et al., "Fast CRC Computation for iSCSI Polynomial Using CRC32
// Instruction" (Intel, 2011) therefore split the bytes into three lanes of equal length
//
//     |--- a: n words ---|--- b: n words ---|--- c: n words ---|
//
// and add up the remainders, a · x^(128 n) + b · x^(64 n) + c, by carry-less multiplication with a constant for each n.
// The products go through the instruction with the last word of c, which reduces them at no extra cost.
//
// This file is a template: the including file defines
//
// - LANES_TARGET, the attribute that lets the compiler use the instructions;
// - LANES_THRESHOLD, the least number of bytes worth splitting, at least 24;
// - lanes_word(state, word), the CRC instruction, and
// - lanes_multiply(a, b), the carry-less product of two 32-bit numbers,
//
// and gets `lanes_extend`, and its tail, `lanes_serial`, both of which work on the register; and LANES_IMPLEMENTATION.

#include "implementation.h"
#include "powers.h"

#define LANES_INLINE CRC32C_INLINE LANES_TARGET

/// The longest lane, in words: two of them must still have a constant.
#define LANES_LONGEST ((CRC32C_WORD_POWER_COUNT - 1) / 2)

/// The word at an offset, copied if `copies`, which is a constant wherever this is inlined; `target` is null if not.
LANES_INLINE uint64_t lanes_take(bool copies, uint8_t *target, const uint8_t *source, size_t at) {
  const uint64_t word = crc32c_load_u64(source + at);
  if (copies) crc32c_store_u64(target + at, word);
  return word;
}

/// The register after the lowest `count` bytes of `word`, at least 1 and at most 7; the bytes above them are 0.
///
/// Moved to the top of a word, after zeros, the bytes and the part of the register that meets them go through the instruction at
/// once. What is left of the register when there are fewer than four bytes just moves down.
LANES_INLINE uint64_t lanes_partial_word(uint64_t state, uint64_t word, size_t count) {
  return lanes_word(0, (word ^ state) << (64 - 8 * count)) ^ state >> 8 * count;
}

/// Fewer than eight bytes, where there is no room to load eight.
LANES_INLINE uint64_t lanes_few(uint64_t state, bool copies, uint8_t *target, const uint8_t *source, size_t count) {
  uint64_t word = 0;
  for (size_t i = 0; i < count; i += 1) {
    word |= (uint64_t)source[i] << 8 * i;
    if (copies) target[i] = source[i];
  }
  return count == 0 ? state : lanes_partial_word(state, word, count);
}

/// All bytes in one chain.
LANES_INLINE uint64_t lanes_serial(uint64_t state, bool copies, uint8_t *target, const uint8_t *source, size_t count) {
  if (count < 8) return lanes_few(state, copies, target, source, count);
  size_t i = 0;
  for (; i + 8 <= count; i += 8) state = lanes_word(state, lanes_take(copies, target, source, i));
  const size_t rest = count - i;
  if (rest == 0) return state;
  // The last eight bytes: some of them once more, which are shifted out.
  const uint64_t last = lanes_take(copies, target, source, count - 8);
  return lanes_partial_word(state, last >> (64 - 8 * rest), rest);
}

LANES_INLINE uint64_t lanes_extend(uint64_t state, bool copies, uint8_t *target, const uint8_t *source, size_t count) {
  while (count >= LANES_THRESHOLD) {
    const size_t words = count / 24 < LANES_LONGEST ? count / 24 : LANES_LONGEST;
    const size_t lane = 8 * words;
    uint64_t a = state, b = 0, c = 0;
    for (size_t i = 0; i < lane - 8; i += 8) {
      a = lanes_word(a, lanes_take(copies, target, source, i));
      b = lanes_word(b, lanes_take(copies, target, source, i + lane));
      c = lanes_word(c, lanes_take(copies, target, source, i + 2 * lane));
    }
    a = lanes_word(a, lanes_take(copies, target, source, lane - 8));
    b = lanes_word(b, lanes_take(copies, target, source, 2 * lane - 8));
    const uint64_t last = lanes_take(copies, target, source, 3 * lane - 8);
    const uint64_t moved
      = lanes_multiply(a, crc32c_word_powers[2 * words]) ^ lanes_multiply(b, crc32c_word_powers[words]);
    state = lanes_word(c, last ^ moved);
    source += 3 * lane;
    if (copies) target += 3 * lane;
    count -= 3 * lane;
  }
  return lanes_serial(state, copies, target, source, count);
}

/// Defines the implementation `symbol` with what `body` computes: `lanes_extend`, or a function with its parameters.
///
/// The file has a function `is_supported`.
#define LANES_IMPLEMENTATION(symbol, label, body) \
  static LANES_TARGET uint32_t extend(uint32_t crc, const void *bytes, size_t count) { \
    return ~(uint32_t)body((uint32_t)~crc, false, 0, bytes, count); \
  } \
  static LANES_TARGET uint32_t copy_extend(uint32_t crc, void *destination, const void *source, size_t count) { \
    return ~(uint32_t)body((uint32_t)~crc, true, destination, source, count); \
  } \
  static LANES_TARGET uint32_t extend_u64(uint32_t crc, uint64_t value) { \
    return ~(uint32_t)lanes_word((uint32_t)~crc, value); \
  } \
  static LANES_TARGET uint32_t extend_4_u64(uint32_t crc, uint64_t a, uint64_t b, uint64_t c, uint64_t d) { \
    return ~(uint32_t)lanes_word(lanes_word(lanes_word(lanes_word((uint32_t)~crc, a), b), c), d); \
  } \
  const struct crc32c_implementation symbol = { \
    .name = label, \
    .is_supported = is_supported, \
    .extend = extend, \
    .copy_extend = copy_extend, \
    .extend_u64 = extend_u64, \
    .extend_4_u64 = extend_4_u64, \
  }
