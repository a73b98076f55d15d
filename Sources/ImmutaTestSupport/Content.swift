public import Immuta
import ImmutaLibC

/// A record's bytes by name: made from an identity and a size, so that a model of a large log takes little memory and
/// no two records are alike.
///
/// The first eight bytes are the identity; the rest is a piece of a fixed table of random bytes, at a place the
/// identity decides. Records of fewer than eight bytes have only as much identity as fits.
public struct Content: Hashable, Sendable, CustomStringConvertible {
  /// Distinguishes this record from all others.
  public let identity: UInt64
  /// Bytes.
  public let size: Int

  /// The content of this identity and size, at most ``largest`` bytes.
  public init(identity: UInt64, size: Int) {
    precondition((0...Self.largest).contains(size), "a content has 0...\(Self.largest) bytes, not \(size)")
    self.identity = identity
    self.size = size
  }

  /// The largest size.
  public static var largest: Int { 3 << 20 }

  private static let table: [UInt8] = {
    var generator = SeededGenerator(seed: 1)
    var words = [UInt64](repeating: 0, count: (4 << 20) / 8)
    for position in words.indices { words[position] = generator.next() }
    return words.withUnsafeBytes { [UInt8]($0) }
  }()

  private var tableOffset: Int {
    var mixer = SplitMix64(seed: identity)
    return Int(mixer.next() % UInt64(Self.table.count - Self.largest))
  }

  /// The bytes; O(size).
  public var bytes: [UInt8] {
    var bytes = Array(Self.table[tableOffset..<tableOffset + size])
    for position in 0..<min(8, size) { bytes[position] = UInt8(truncatingIfNeeded: identity >> (8 * position)) }
    return bytes
  }

  /// The bytes in consecutive pieces of the given sizes; what they leave over is one more piece.
  public func pieces(_ sizes: [Int]) -> [ArraySlice<UInt8>] {
    let bytes = bytes
    var result: [ArraySlice<UInt8>] = []
    var start = 0
    for size in sizes {
      let end = min(bytes.count, start + size)
      result.append(bytes[start..<end])
      start = end
    }
    if start < bytes.count { result.append(bytes[start...]) }
    return result
  }

  /// Whether a record's payload is this content; O(size), no copy.
  public func matches(_ payload: Payload) -> Bool {
    guard payload.count == size else { return false }
    let head = min(8, size)
    for position in 0..<head where payload[position] != UInt8(truncatingIfNeeded: identity >> (8 * position)) {
      return false
    }
    return payload.withUnsafeBytes { payload in
      Self.table.withUnsafeBytes { table in
        guard let left = payload.baseAddress, let right = table.baseAddress else { return size == 0 }
        return memcmp(left + head, right + tableOffset + head, size - head) == 0
      }
    }
  }

  /// The identity and the size.
  public var description: String { "#\(String(identity, radix: 16))[\(size)]" }
}
