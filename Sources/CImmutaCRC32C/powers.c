#include "powers.h"
#include "include/CImmutaCRC32C.h"

#define ROW(...) __VA_ARGS__,
static const uint32_t byte_powers[CRC32C_BYTE_POWER_COUNT] = {CRC32C_BYTE_POWERS(ROW)};

const uint32_t crc32c_squares[CRC32C_SQUARE_COUNT] = {
  0x40000000, 0x20000000, 0x08000000, 0x00800000, 0x00008000, 0x82f63b78, 0x6ea2d55c, 0x18b8ea18,
  0x510ac59a, 0xb82be955, 0xb8fdb1e7, 0x88e56f72, 0x74c360a4, 0xe4172b16, 0x0d65762a, 0x35d73a62,
  0x28461564, 0xbf455269, 0xe2ea32dc, 0xfe7740e6, 0xf946610b, 0x3c204f8f, 0x538586e3, 0x59726915,
  0x734d5309, 0xbc1ac763, 0x7d0722cc, 0xd289cabe, 0xe94ca9bc, 0x05b74f3f, 0xa51e1f42,
};

const uint32_t crc32c_word_powers[CRC32C_WORD_POWER_COUNT] = {
  0xa9cdda0d, 0x00000001, 0x493c7d27, 0xf20c0dfe, 0xba4fc28e, 0x3da6d0cb, 0xddc0152b, 0x1c291d04,
  0x9e4addf8, 0x740eef02, 0x39d3b296, 0x083a6eec, 0x0715ce53, 0xc49f4f67, 0x47db8317, 0x2ad91c30,
  0x0d3b6092, 0x6992cea2, 0xc96cfdc0, 0x7e908048, 0x878a92a7, 0x1b3d8f29, 0xdaece73e, 0xf1d0f55e,
  0xab7aff2a, 0xa87ab8a8, 0x2162d385, 0x8462d800, 0x83348832, 0x71d111a8, 0x299847d5, 0xffd852c6,
  0xb9e02b86, 0xdcb17aa4, 0x18b33a4e, 0xf37c5aee, 0xb6dd949b, 0x6051d5a2, 0x78d9ccb7, 0x18b0d4ff,
  0xbac2fd7b, 0x21f3d99c, 0xa60ce07b, 0x8f158014, 0xce7f39f4, 0xa00457f7, 0x61d82e56, 0x8d6d2c43,
  0xd270f1a2, 0x00ac29cf, 0xc619809d, 0xe9adf796, 0x2b3cac5d, 0x96638b34, 0x65863b64, 0xe0e9f351,
  0x1b03397f, 0x9af01f2d, 0xebb883bd, 0x2cff42cf, 0xb3e32c28, 0x88f25a3a, 0x064f7f26, 0x4e36f0b0,
  0xdd7e3b0c, 0xbd6f81f8, 0xf285651c, 0x91c9bd4b, 0x10746f3c, 0x885f087b, 0xc7a68855, 0x4c144932,
  0x271d9844, 0x52148f02, 0x8e766a0c, 0xa3c6f37a, 0x93a5f730, 0xd7c0557f, 0x6cb08e5c, 0x63ded06a,
  0x6b749fb2, 0x4d56973c, 0x1393e203, 0x9669c9df, 0xcec3662e, 0xe417f38a, 0x96c515bb, 0x4b9e0f71,
  0xe6fc4e6a, 0xd104b8fc, 0x8227bb8a, 0x5b397730, 0xb0cd4768, 0xe78eb416, 0x39c7ff35, 0x61ff0e01,
  0xd7a4825c, 0x8d96551c, 0x0ab3844b, 0x0bf80dd2, 0x0167d312, 0x8821abed, 0xf6076544, 0x6a45d2b2,
  0x26f6a60a, 0xd8d26619, 0xa741c1bf, 0xde87806c, 0x98d8d9cb, 0x14338754, 0x49c3cc9c, 0x5bd2011f,
  0x68bce87a, 0xdd07448e, 0x57a3d037, 0xdde8f5b9, 0x6956fc3b, 0xa3e3e02c, 0x42d98888, 0xd73c7bea,
  0x3771e98f, 0x80ff0093, 0xb42ae3d9, 0x8fe4c34d, 0x2178513a, 0xdf99fc11, 0xe0ac139e, 0x6c23e841,
  0x170076fa,
};

static const struct crc32c_fold *const folds[] = {
  &crc32c_fold_128,  &crc32c_fold_256,  &crc32c_fold_384,  &crc32c_fold_512,
  &crc32c_fold_1024, &crc32c_fold_1536, &crc32c_fold_2048,
};

#define FOLD_COUNT (sizeof folds / sizeof folds[0])

size_t crc32c_power_count(void) {
  return CRC32C_BYTE_POWER_COUNT + CRC32C_SQUARE_COUNT + CRC32C_WORD_POWER_COUNT + 2 * FOLD_COUNT;
}

crc32c_power crc32c_power_at(size_t index) {
  if (index < CRC32C_BYTE_POWER_COUNT) return (crc32c_power){32 + (int32_t)index, byte_powers[index]};
  index -= CRC32C_BYTE_POWER_COUNT;
  if (index < CRC32C_SQUARE_COUNT) return (crc32c_power){(int32_t)1 << index, crc32c_squares[index]};
  index -= CRC32C_SQUARE_COUNT;
  if (index < CRC32C_WORD_POWER_COUNT) return (crc32c_power){64 * (int32_t)index - 33, crc32c_word_powers[index]};
  index -= CRC32C_WORD_POWER_COUNT;
  if (index >= 2 * FOLD_COUNT) __builtin_trap();
  const struct crc32c_fold *fold = folds[index / 2];
  if (index % 2 == 0) return (crc32c_power){fold->distance + 63, fold->first};
  return (crc32c_power){fold->distance - 1, fold->last};
}
