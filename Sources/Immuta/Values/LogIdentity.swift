/// The identity of a log: 16 random bytes, drawn when the log is made.
///
/// A log keeps its identity for as long as it lives: when it is opened again, repaired, copied, or restored from a
/// backup. A new log of the same name has another one, and so has the log that
/// ``Storage/salvage(_:in:into:configuration:)`` makes. If you keep a record's sequence for later, keep the identity
/// with it: see ``Position``.
///
/// It is a name, not a secret, and does not protect against somebody who wants to deceive.
public struct LogIdentity: Hashable, Sendable {
  /// The first eight bytes, and the rest, as big-endian numbers.
  let high: UInt64
  let low: UInt64

  init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// A new one, which no other log has.
  package static func random() -> LogIdentity {
    var generator = SystemRandomNumberGenerator()
    // All zeros on file mean that there is none.
    return LogIdentity(high: generator.next(), low: generator.next() | 1)
  }

  /// From text as ``description`` gives it: 32 hexadecimal digits, of either case. Nil for anything else, and for
  /// zeros, which no log has. O(1).
  public init?(_ text: some StringProtocol) {
    let digits = Array(text.utf8)
    guard digits.count == 32, digits.allSatisfy({ Self.isDigit($0) }),
      let high = UInt64(String(decoding: digits[..<16], as: UTF8.self), radix: 16),
      let low = UInt64(String(decoding: digits[16...], as: UTF8.self), radix: 16), high != 0 || low != 0
    else { return nil }
    self.init(high: high, low: low)
  }

  /// `UInt64(_:radix:)` takes a sign.
  private static func isDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
      UInt8(ascii: "A")...UInt8(ascii: "F"):
      true
    default: false
    }
  }

  /// Bytes on file.
  package static var size: Int { 16 }

  /// Nil for zeros: none.
  package init?(decoding bytes: UnsafeRawBufferPointer) {
    precondition(bytes.count == Self.size, "an identity has \(Self.size) bytes")
    let (high, low) = unsafe (
      UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
      UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    )
    if high == 0, low == 0 { return nil }
    self.init(high: high, low: low)
  }

  package func encode(into bytes: UnsafeMutableRawBufferPointer) {
    precondition(bytes.count == Self.size, "an identity has \(Self.size) bytes")
    unsafe bytes.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
    unsafe bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
  }
}

extension LogIdentity: LosslessStringConvertible {
  /// 32 hexadecimal digits.
  public var description: String { Self.digits(high) + Self.digits(low) }

  private static func digits(_ number: UInt64) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}

extension LogIdentity: Codable {
  /// As its ``description``.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }

  /// From its ``description``.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let identity = LogIdentity(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "a log's identity is 32 hexadecimal digits, not all of them zeros")
    }
    self = identity
  }
}
