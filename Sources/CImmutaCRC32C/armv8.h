// Whether an ARM processor has what is optional in ARMv8.0: the CRC-32C instruction, and carry-less multiplication.
#ifndef CRC32C_ARMV8_H
#define CRC32C_ARMV8_H

#include "implementation.h"

#if defined(__linux__)
#include <sys/auxv.h>
#endif

// Every processor that macOS runs on has both, and the compiler may assume so.
#if defined(__APPLE__) || defined(__ARM_FEATURE_CRC32)
#define ARMV8_ALWAYS_HAS_CRC32 true
#else
#define ARMV8_ALWAYS_HAS_CRC32 false
#endif
#if defined(__APPLE__) || defined(__ARM_FEATURE_AES)
#define ARMV8_ALWAYS_HAS_PMULL true
#else
#define ARMV8_ALWAYS_HAS_PMULL false
#endif

// Bits of the kernel's AT_HWCAP: part of its interface, though not every C library names them.
#define ARMV8_HWCAP_PMULL (1UL << 4)
#define ARMV8_HWCAP_CRC32 (1UL << 7)

CRC32C_INLINE bool armv8_has(bool always, unsigned long capability) {
#if defined(__linux__)
  return always || (getauxval(AT_HWCAP) & capability) != 0;
#else
  (void)capability;
  return always;
#endif
}

CRC32C_INLINE bool armv8_has_crc32(void) { return armv8_has(ARMV8_ALWAYS_HAS_CRC32, ARMV8_HWCAP_CRC32); }

CRC32C_INLINE bool armv8_has_pmull(void) { return armv8_has(ARMV8_ALWAYS_HAS_PMULL, ARMV8_HWCAP_PMULL); }

#endif
