// The checksums of another processor's implementations, held to the definition: for a processor that only an emulator offers,
// where Swift's own tests cannot run. Prints what it tested, and ends with 1 at the first difference.
//
// usage: checksums NAME…     the implementations that the processor must have, from the fastest on

#define _GNU_SOURCE
#include "CImmutaCRC32C.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/// A bit at a time: slow, and too simple to be wrong.
static uint32_t by_definition(uint32_t crc, const uint8_t *bytes, size_t count) {
  uint32_t value = ~crc;
  for (size_t i = 0; i < count; i += 1) {
    value ^= bytes[i];
    for (int bit = 0; bit < 8; bit += 1) value = value >> 1 ^ (value & 1 ? 0x82F63B78u : 0);
  }
  return ~value;
}

static uint64_t state = 0x9E3779B97F4A7C15u;

/// SplitMix64.
static uint64_t next_random(void) {
  state += 0x9E3779B97F4A7C15u;
  uint64_t mixed = state;
  mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9u;
  mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
  return mixed ^ mixed >> 31;
}

static void expect(bool holds, const char *implementation, const char *what, size_t count) {
  if (holds) return;
  printf("%s: %s, %zu bytes: not what the definition gives\n", implementation, what, count);
  exit(1);
}

enum { page_count = 2, longest = 1100, large = 300000, margin = 80 };

/// Bytes between two pages that nobody may touch.
static uint8_t *guarded(size_t *size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  *size = page_count * page;
  uint8_t *start = mmap(0, *size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED || mprotect(start + page, *size, PROT_READ | PROT_WRITE) != 0) {
    perror("mmap");
    exit(2);
  }
  return start + page;
}

static void test_published(size_t index, const char *name) {
  expect(crc32c_extend_with(index, 0, "123456789", 9) == 0xE3069283u, name, "the published check value", 9);
  expect(crc32c_extend_with(index, 0x12345678, 0, 0) == 0x12345678, name, "null", 0);
}

/// Every short length at every kind of alignment, and large ones.
static void test_extend(size_t index, const char *name, const uint8_t *bytes) {
  static const size_t alignments[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 31, 33, 63};
  for (size_t i = 0; i < sizeof alignments / sizeof alignments[0]; i += 1) {
    const uint8_t *start = bytes + alignments[i];
    uint32_t initial = (uint32_t)next_random(), expected = initial;
    for (size_t count = 0; count <= longest; count += 1) {
      expect(crc32c_extend_with(index, initial, start, count) == expected, name, "extend", count);
      expected = by_definition(expected, start + count, 1);
    }
  }
  uint32_t expected = 0;
  size_t reached = 0;
  while (reached < large - 64) {
    size_t step = 1 + next_random() % 9000;
    if (reached + step > large - 64) step = large - 64 - reached;
    expected = by_definition(expected, bytes + reached, step);
    reached += step;
    expect(crc32c_extend_with(index, 0, bytes, reached) == expected, name, "extend", reached);
  }
}

static void test_copy(size_t index, const char *name, const uint8_t *bytes) {
  static uint8_t target[large + 2 * margin];
  for (size_t number = 0; number < 1400; number += 1) {
    size_t count = number <= longest ? number : next_random() % (large - 64);
    size_t from = next_random() % 64, to = margin - 63 + next_random() % 127;
    uint8_t guard = (uint8_t)(count ^ 0xA5);
    memset(target, guard, sizeof target);
    uint32_t crc = crc32c_copy_extend_with(index, 7, target + to, bytes + from, count);
    expect(crc == by_definition(7, bytes + from, count), name, "copy and extend", count);
    expect(memcmp(target + to, bytes + from, count) == 0, name, "the copy", count);
    for (size_t i = 0; i < to; i += 1) expect(target[i] == guard, name, "the byte before the copy", count);
    for (size_t i = to + count; i < to + count + margin && i < sizeof target; i += 1) {
      expect(target[i] == guard, name, "the byte after the copy", count);
    }
  }
}

/// Nothing before or after the bytes is touched: there the process would end.
static void test_bounds(size_t index, const char *name) {
  size_t size, size_of_other;
  uint8_t *source = guarded(&size), *target = guarded(&size_of_other);
  for (size_t i = 0; i < size; i += 1) source[i] = (uint8_t)(i * 31);
  for (size_t count = 0; count <= 2500; count += 1) {
    uint32_t expected = by_definition(0, source, count);
    expect(crc32c_extend_with(index, 0, source, count) == expected, name, "at the start of a page", count);
    uint8_t *end = target + size_of_other - count;
    expect(crc32c_copy_extend_with(index, 0, end, source, count) == expected, name, "to the end of a page", count);
    uint32_t last = by_definition(0, source + size - count, count);
    expect(crc32c_extend_with(index, 0, source + size - count, count) == last, name, "at the end of a page", count);
    expect(
      crc32c_copy_extend_with(index, 0, target, source + size - count, count) == last, name, "from the end of a page",
      count);
  }
}

static void test_words(size_t index, const char *name) {
  for (int i = 0; i < 1000; i += 1) {
    uint64_t words[4];
    uint8_t bytes[32];
    for (int word = 0; word < 4; word += 1) {
      words[word] = next_random();
      for (int byte = 0; byte < 8; byte += 1) bytes[8 * word + byte] = (uint8_t)(words[word] >> 8 * byte);
    }
    uint32_t crc = (uint32_t)next_random();
    expect(crc32c_extend_u64_with(index, crc, words[0]) == by_definition(crc, bytes, 8), name, "a word", 8);
    expect(
      crc32c_extend_4_u64_with(index, crc, words[0], words[1], words[2], words[3]) == by_definition(crc, bytes, 32), name,
      "four words", 32);
  }
}

/// What does not depend on the implementation: the parts' checksums combined, and the one that is chosen.
static void test_combine(const uint8_t *bytes) {
  uint32_t whole = by_definition(0, bytes, 3000);
  for (size_t middle = 0; middle <= 3000; middle += 1) {
    uint32_t first = crc32c_extend(0, bytes, middle), second = crc32c_extend(0, bytes + middle, 3000 - middle);
    expect(crc32c_combine(first, second, 3000 - middle) == whole, "chosen", "combine", middle);
  }
}

int main(int argc, char **argv) {
  static uint8_t bytes[large];
  for (size_t i = 0; i < large; i += 1) bytes[i] = (uint8_t)next_random();
  size_t count = crc32c_implementation_count();
  for (size_t index = 0; index < count || index + 1 < (size_t)argc; index += 1) {
    const char *name = index < count ? crc32c_implementation_name(index) : "nothing";
    const char *expected = index + 1 < (size_t)argc ? argv[index + 1] : "nothing";
    if (strcmp(name, expected) != 0) {
      printf("implementation %zu is %s, and not %s\n", index, name, expected);
      return 1;
    }
    test_published(index, name);
    test_extend(index, name, bytes);
    test_copy(index, name, bytes);
    test_bounds(index, name);
    test_words(index, name);
    printf("%s agrees with the definition\n", name);
  }
  test_combine(bytes);
  return 0;
}
