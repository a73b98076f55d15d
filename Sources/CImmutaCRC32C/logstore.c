// LogStore's checksum: a CRC-32 whose table was built from 0x04C11DB7 as if that were the reflected polynomial. It is the
// polynomial itself, so what the table divides by is another one; the files are full of it.
//
// The check value of the nine bytes "123456789" is 0xFC4F2BE9.

#include "slicing.h"

// Row k holds what the byte's bits, from the highest to the lowest, add once the byte and k more have gone through.
static crc_tables tables = {
  TABLE(0x04c11db7, 0x06a1936c, 0x0350c9b6, 0x01a864db, 0x04152fda, 0x020a97ed, 0x05c45641, 0x06233697)
  TABLE(0x07d086fc, 0x03e8437e, 0x01f421bf, 0x043b0d68, 0x021d86b4, 0x010ec35a, 0x008761ad, 0x0482ad61)
  TABLE(0x06804b07, 0x07813834, 0x03c09c1a, 0x01e04e0d, 0x04313ab1, 0x06d980ef, 0x07adddc0, 0x03d6eee0)
  TABLE(0x01eb7770, 0x00f5bbb8, 0x007adddc, 0x003d6eee, 0x001eb777, 0x04ce460c, 0x02672306, 0x01339183)
  TABLE(0x0458d576, 0x022c6abb, 0x05d728ea, 0x02eb9475, 0x05b4d78d, 0x061b7671, 0x07cca68f, 0x07274ef0)
  TABLE(0x0393a778, 0x01c9d3bc, 0x00e4e9de, 0x007274ef, 0x04f827c0, 0x027c13e0, 0x013e09f0, 0x009f04f8)
  TABLE(0x004f827c, 0x0027c13e, 0x0013e09f, 0x04c8edf8, 0x026476fc, 0x01323b7e, 0x00991dbf, 0x048d9368)
  TABLE(0x0246c9b4, 0x012364da, 0x0091b26d, 0x0489c481, 0x0685fff7, 0x0783e24c, 0x03c1f126, 0x01e0f893)
};

uint32_t logstore_crc_extend(uint32_t crc, const void *bytes, size_t count) {
  return sliced_extend(tables, crc, bytes, count);
}
