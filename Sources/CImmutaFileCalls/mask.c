#include "CImmutaFileCalls.h"

#include <string.h>

// ChaCha20 (RFC 8439) with a nonce of zeros: a key masks one file.

static uint32_t rotated(uint32_t value, int count) { return value << count | value >> (32 - count); }

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d) {
  *a += *b, *d = rotated(*d ^ *a, 16);
  *c += *d, *b = rotated(*b ^ *c, 12);
  *a += *b, *d = rotated(*d ^ *a, 8);
  *c += *d, *b = rotated(*b ^ *c, 7);
}

static void make_block(const uint32_t start[16], uint32_t block[16]) {
  memcpy(block, start, 64);
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < 4; i++) quarter_round(block + i, block + 4 + i, block + 8 + i, block + 12 + i);
    for (int i = 0; i < 4; i++)
      quarter_round(block + i, block + 4 + (i + 1) % 4, block + 8 + (i + 2) % 4, block + 12 + (i + 3) % 4);
  }
  for (int i = 0; i < 16; i++) block[i] += start[i];
}

void file_mask(const uint8_t *key, uint64_t first_block, void *bytes, size_t count) {
  uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  memcpy(start + 4, key, 32);
  uint8_t *position = bytes;
  for (uint64_t number = first_block; count > 0; number++) {
    start[12] = (uint32_t)number;
    start[13] = (uint32_t)(number >> 32);
    uint32_t block[16];
    make_block(start, block);
    const uint8_t *mask = (const uint8_t *)block;
    const size_t size = count < 64 ? count : 64;
    for (size_t i = 0; i < size; i++) position[i] ^= mask[i];
    position += size;
    count -= size;
  }
}
