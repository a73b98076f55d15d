import CImmutaCRC32C
import Testing

@Suite("CRC-32C: combining")
struct CombineTests {
  @Test("gives the checksum of one part after the other")
  func twoParts() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededGenerator(seed: seed)
    let bytes = random.bytes(3000)
    let whole = Reference.extend(0, bytes)
    for middle in [0, 1, 2, 3, 4, 7, 8, 9, 1000, 1499, 2992, 2999, 3000] {
      let first = Reference.extend(0, bytes[..<middle])
      let second = Reference.extend(0, bytes[middle...])
      #expect(crc32c_combine(first, second, bytes.count - middle) == whole, "cut at \(middle), seed \(seed)")
    }
  }

  @Test("agrees with the definition for lengths that nobody could walk")
  func astronomicLengths() {
    // A run of zeros is its first half followed by its second: doubling reaches any power of two.
    var crc = Reference.extend(0, [0])
    for bit in 0..<(Int.bitWidth - 2) {
      let count = 1 << bit
      if bit < 16 { #expect(crc == Reference.extend(0, repeatElement(0, count: count))) }
      let expected = combineByDefinition(crc, crc, count)
      #expect(crc32c_combine(crc, crc, count) == expected)
      // All lower bits at once, too.
      #expect(crc32c_combine(crc, 7, 2 * count - 1) == combineByDefinition(crc, 7, 2 * count - 1))
      crc = expected
    }
  }

  /// The first checksum times x^(8 count), by squaring, plus the second.
  private func combineByDefinition(_ first: UInt32, _ second: UInt32, _ count: Int) -> UInt32 {
    var square = (0..<8).reduce(UInt32(1) << 31) { power, _ in Reference.timesX(power) }
    var result = first
    for bit in 0..<Int.bitWidth {
      if count >> bit & 1 == 1 { result = Reference.multiply(result, square) }
      square = Reference.multiply(square, square)
    }
    return result ^ second
  }
}
