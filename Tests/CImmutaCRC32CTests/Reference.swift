import CImmutaCRC32C
import Testing

/// CRC-32C by its definition, a bit at a time: slow, and too simple to be wrong.
enum Reference {
  /// The polynomial 0x1EDC6F41, reflected: x^32 is congruent to it.
  static let polynomial: UInt32 = 0x82F6_3B78

  /// The reflected remainder, multiplied by x.
  static func timesX(_ remainder: UInt32) -> UInt32 {
    remainder >> 1 ^ (remainder & 1 == 0 ? 0 : polynomial)
  }

  static func extend(_ crc: UInt32, _ byte: UInt8) -> UInt32 {
    var register = ~crc ^ UInt32(byte)
    for _ in 0..<8 { register = timesX(register) }
    return ~register
  }

  static func extend(_ crc: UInt32, _ bytes: some Sequence<UInt8>) -> UInt32 {
    bytes.reduce(crc) { extend($0, $1) }
  }

  /// The reflected remainder of a product.
  static func multiply(_ a: UInt32, _ b: UInt32) -> UInt32 {
    var sum: UInt32 = 0
    var power = b
    for bit in stride(from: 31, through: 0, by: -1) {
      if a >> bit & 1 == 1 { sum ^= power }
      power = timesX(power)
    }
    return sum
  }
}

/// The implementations that this processor can run.
struct Implementation: CustomTestStringConvertible, Sendable {
  let index: Int

  static let all = (0..<crc32c_implementation_count()).map(Implementation.init)

  var name: String { String(cString: crc32c_implementation_name(index)) }
  var testDescription: String { name }

  func extend(_ crc: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
    crc32c_extend_with(index, crc, bytes.baseAddress, bytes.count)
  }

  func extend(_ crc: UInt32, _ bytes: some Collection<UInt8>) -> UInt32 {
    Array(bytes).withUnsafeBytes { extend(crc, $0) }
  }
}

/// Random numbers that a failed test can be repeated with.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// SplitMix64.
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
  }
}
