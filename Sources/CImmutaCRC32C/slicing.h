// Slicing-by-8, after Kounavis and Berry, "A Systematic Approach to Building High Performance Software-Based CRC
// Generators" (2005): eight bytes are looked up in eight tables at once, each of which knows how far its byte is from
// the end. Any processor can run it, for any polynomial.
//
// `tables[k][byte]` is what a byte adds to the register once it and the `k` bytes after it have gone through.
#ifndef CRC32C_SLICING_H
#define CRC32C_SLICING_H

#include "implementation.h"

// A table is linear: its entry for a byte is the sum of its entries for the byte's bits, which are eight consecutive
// powers of x. So the tables are not written out, but summed up by the compiler from a row of constants each.
#define ENTRY(i, p0, p1, p2, p3, p4, p5, p6, p7) \
  (((i)&0x80 ? p0 : 0) ^ ((i)&0x40 ? p1 : 0) ^ ((i)&0x20 ? p2 : 0) ^ ((i)&0x10 ? p3 : 0) ^ ((i)&0x08 ? p4 : 0) \
   ^ ((i)&0x04 ? p5 : 0) ^ ((i)&0x02 ? p6 : 0) ^ ((i)&0x01 ? p7 : 0))
#define ENTRIES_4(i, ...) \
  ENTRY(i, __VA_ARGS__), ENTRY((i) + 1, __VA_ARGS__), ENTRY((i) + 2, __VA_ARGS__), ENTRY((i) + 3, __VA_ARGS__)
#define ENTRIES_16(i, ...) \
  ENTRIES_4(i, __VA_ARGS__), ENTRIES_4((i) + 4, __VA_ARGS__), ENTRIES_4((i) + 8, __VA_ARGS__), \
    ENTRIES_4((i) + 12, __VA_ARGS__)
#define ENTRIES_64(i, ...) \
  ENTRIES_16(i, __VA_ARGS__), ENTRIES_16((i) + 16, __VA_ARGS__), ENTRIES_16((i) + 32, __VA_ARGS__), \
    ENTRIES_16((i) + 48, __VA_ARGS__)
#define TABLE(...) \
  {ENTRIES_64(0, __VA_ARGS__), ENTRIES_64(64, __VA_ARGS__), ENTRIES_64(128, __VA_ARGS__), ENTRIES_64(192, __VA_ARGS__)},

typedef const uint32_t crc_tables[8][256];

CRC32C_INLINE uint32_t sliced_extend_byte(crc_tables tables, uint32_t state, uint8_t byte) {
  return tables[0][(state ^ byte) & 0xff] ^ (state >> 8);
}

CRC32C_INLINE uint32_t sliced_extend_word(crc_tables tables, uint32_t state, uint64_t word) {
  word ^= state;
  return tables[7][word & 0xff] ^ tables[6][word >> 8 & 0xff] ^ tables[5][word >> 16 & 0xff]
    ^ tables[4][word >> 24 & 0xff] ^ tables[3][word >> 32 & 0xff] ^ tables[2][word >> 40 & 0xff]
    ^ tables[1][word >> 48 & 0xff] ^ tables[0][word >> 56];
}

CRC32C_INLINE uint32_t sliced_extend(crc_tables tables, uint32_t crc, const void *bytes, size_t count) {
  const uint8_t *source = bytes;
  uint32_t state = ~crc;
  for (; count >= 8; source += 8, count -= 8) state = sliced_extend_word(tables, state, crc32c_load_u64(source));
  for (; count > 0; source += 1, count -= 1) state = sliced_extend_byte(tables, state, *source);
  return ~state;
}

#endif
