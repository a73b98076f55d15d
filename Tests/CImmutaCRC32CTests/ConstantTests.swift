import CImmutaCRC32C
import Testing

@Suite("CRC-32C: constants")
struct ConstantTests {
  @Test("each is the power of x that it claims to be")
  func powers() {
    for index in 0..<crc32c_power_count() {
      let constant = crc32c_power_at(index)
      let expected = power(Int(constant.exponent))
      #expect(constant.remainder == expected, "constant \(index): x^\(constant.exponent)")
    }
  }

  @Test("x has the order that negative powers rely on")
  func orderOfX() {
    #expect(power(order) == 1 << 31)
    #expect(Reference.timesX(power(-1)) == 1 << 31)
    // 2^31 - 1 is prime, so that no smaller number can be the order but 1.
    #expect(power(1) != 1 << 31)
  }

  private let order = (1 << 31) - 1

  /// The remainder of x^exponent, by squaring.
  private func power(_ exponent: Int) -> UInt32 {
    var rest = exponent < 0 ? exponent + order : exponent
    var result: UInt32 = 1 << 31
    var square: UInt32 = 1 << 30
    while rest > 0 {
      if rest & 1 == 1 { result = Reference.multiply(result, square) }
      square = Reference.multiply(square, square)
      rest >>= 1
    }
    return result
  }
}
