// The constants: powers of x modulo the CRC-32C polynomial.
//
// Polynomials over GF(2) are written reflected, as the checksum's bits are: in a 32-bit number, bit 31 is the
// coefficient of x^0 and bit 0 that of x^31. Every constant below is the remainder of some x^n; a test computes each of
// them anew, from 0x82F63B78 alone, by multiplying with x n times (shift right, and subtract the polynomial if a 1 fell
// out) or by repeated squaring. For a negative n it uses that x has an order, 2^31 - 1: x^-1 is x^(2^31 - 2).
#ifndef CRC32C_POWERS_H
#define CRC32C_POWERS_H

#include <stdint.h>

/// x^32 … x^95: what each bit of eight bytes contributes to the register when it is shifted out of it.
///
/// A list for macros, since C initializes a constant table from nothing else: row r has x^(32 + 8 r) and the seven
/// after.
#define CRC32C_BYTE_POWERS(ROW) \
  ROW(0x82f63b78, 0x417b1dbc, 0x20bd8ede, 0x105ec76f, 0x8ad958cf, 0xc79a971f, 0xe13b70f7, 0xf26b8303) \
  ROW(0xfbc3faf9, 0xff17c604, 0x7f8be302, 0x3fc5f181, 0x9d14c3b8, 0x4e8a61dc, 0x274530ee, 0x13a29877) \
  ROW(0x8b277743, 0xc76580d9, 0xe144fb14, 0x70a27d8a, 0x38513ec5, 0x9edea41a, 0x4f6f520d, 0xa541927e) \
  ROW(0x52a0c93f, 0xaba65fe7, 0xd725148b, 0xe964b13d, 0xf64463e6, 0x7b2231f3, 0xbf672381, 0xdd45aab8) \
  ROW(0x6ea2d55c, 0x37516aae, 0x1ba8b557, 0x8f2261d3, 0xc5670b91, 0xe045beb0, 0x7022df58, 0x38116fac) \
  ROW(0x1c08b7d6, 0x0e045beb, 0x85f4168d, 0xc00c303e, 0x6006181f, 0xb2f53777, 0xdb8ca0c3, 0xef306b19) \
  ROW(0xf56e0ef4, 0x7ab7077a, 0x3d5b83bd, 0x9c5bfaa6, 0x4e2dfd53, 0xa5e0c5d1, 0xd0065990, 0x68032cc8) \
  ROW(0x34019664, 0x1a00cb32, 0x0d006599, 0x847609b4, 0x423b04da, 0x211d826d, 0x9278fa4e, 0x493c7d27)
#define CRC32C_BYTE_POWER_COUNT 64

/// x^(2^k), k = 0 … 30. They repeat from there: x^(2^31) is x again.
#define CRC32C_SQUARE_COUNT 31
extern const uint32_t crc32c_squares[CRC32C_SQUARE_COUNT];

/// x^(64 n - 33), n = 0 … 128: what moves a register over n words of eight bytes.
///
/// The product of two reflected 32-bit polynomials, read as a reflected 64-bit one, comes out multiplied by x, and the
/// instruction that feeds it to an empty register multiplies by x^32: hence the 33 less.
#define CRC32C_WORD_POWER_COUNT 129
extern const uint32_t crc32c_word_powers[CRC32C_WORD_POWER_COUNT];

/// What moves 128 bits forward by `distance` bits: the remainders of x^(distance + 63), for the first eight bytes, and
/// of x^(distance - 1), for the last.
///
/// The first eight bytes are worth x^64 more than the last; a product reads as if multiplied by x: hence the 1 less.
struct crc32c_fold {
  int32_t distance;
  uint32_t first, last;
};
static const struct crc32c_fold crc32c_fold_128 = {128, 0x3743f7bd, 0x3171d430};
static const struct crc32c_fold crc32c_fold_256 = {256, 0x33ccbbbc, 0xa2158b34};
static const struct crc32c_fold crc32c_fold_384 = {384, 0xa46ef4aa, 0x6051243f};
static const struct crc32c_fold crc32c_fold_512 = {512, 0x1c19243b, 0x75bba45b};
static const struct crc32c_fold crc32c_fold_1024 = {1024, 0x6577b245, 0x7417153f};
static const struct crc32c_fold crc32c_fold_1536 = {1536, 0x7ccbbbf2, 0x31c94608};
static const struct crc32c_fold crc32c_fold_2048 = {2048, 0xe9a5d8be, 0x1426a815};

#endif
