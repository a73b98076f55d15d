#include "implementation.h"
#include "powers.h"

/// The product of two polynomials modulo the CRC-32C polynomial, all reflected.
static uint32_t multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  // From the coefficient of x^0, in bit 31, up; `b` is b times that power of x.
  for (; a != 0; a <<= 1) {
    product ^= b & (0 - (a >> 31));
    b = (b >> 1) ^ (0x82f63b78 & (0 - (b & 1)));
  }
  return product;
}

uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, size_t count_b) {
  // The bytes of B move A's remainder up by x^(8 count_b). Both complements, of A on the way out and of B on the way
  // in, move up alike, and cancel.
  unsigned k = 3;
  for (; count_b != 0; count_b >>= 1, k = (k + 1) % CRC32C_SQUARE_COUNT) {
    if (count_b & 1) crc_a = multiply(crc_a, crc32c_squares[k]);
  }
  return crc_a ^ crc_b;
}
