// CRC-32C by tables, for processors that have nothing faster.

#include "powers.h"
#include "slicing.h"

static crc_tables tables = {CRC32C_BYTE_POWERS(TABLE)};

CRC32C_INLINE uint32_t extend_byte(uint32_t state, uint8_t byte) { return sliced_extend_byte(tables, state, byte); }

CRC32C_INLINE uint32_t extend_word(uint32_t state, uint64_t word) { return sliced_extend_word(tables, state, word); }

static uint32_t extend(uint32_t crc, const void *bytes, size_t count) { return sliced_extend(tables, crc, bytes, count); }

static uint32_t copy_extend(uint32_t crc, void *destination, const void *bytes, size_t count) {
  const uint8_t *source = bytes;
  uint8_t *target = destination;
  uint32_t state = ~crc;
  for (; count >= 8; source += 8, target += 8, count -= 8) {
    const uint64_t word = crc32c_load_u64(source);
    crc32c_store_u64(target, word);
    state = extend_word(state, word);
  }
  for (; count > 0; source += 1, target += 1, count -= 1) {
    *target = *source;
    state = extend_byte(state, *source);
  }
  return ~state;
}

static uint32_t extend_u64(uint32_t crc, uint64_t value) { return ~extend_word(~crc, value); }

static uint32_t extend_4_u64(uint32_t crc, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  return ~extend_word(extend_word(extend_word(extend_word(~crc, a), b), c), d);
}

static bool is_supported(void) { return true; }

const struct crc32c_implementation crc32c_table = {
  .name = "table",
  .is_supported = is_supported,
  .extend = extend,
  .copy_extend = copy_extend,
  .extend_u64 = extend_u64,
  .extend_4_u64 = extend_4_u64,
};
