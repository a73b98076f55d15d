/// The hash by which an index identifies a key: SipHash-2-4 with 128 bits.
package struct KeyHash: Hashable, Comparable, Sendable {
  package var high: UInt64
  package var low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  package static func < (left: KeyHash, right: KeyHash) -> Bool { (left.high, left.low) < (right.high, right.low) }
}

/// Hashes keys with a secret of 16 bytes: the log's identity. So somebody who chooses keys does not know, without the log's
/// files, which of them get neighbouring hashes.
package struct KeyHasher: Sendable {
  private let key: (UInt64, UInt64)
  /// The bits of a hash that are kept. All, but for tests: with few of them, different keys have the same hash.
  private let mask: UInt64

  package init(_ secret: [UInt8], mask: UInt64 = .max) {
    precondition(secret.count == 16, "the secret has 16 bytes")
    key = unsafe secret.withBytes { bytes in unsafe (bytes.loadInteger(at: 0), bytes.loadInteger(at: 8)) }
    self.mask = mask
  }

  /// Without a log's identity, for an index that is not saved.
  package init(_ identity: LogIdentity?, mask: UInt64 = .max) {
    var secret = [UInt8](repeating: 0, count: LogIdentity.size)
    unsafe secret.withMutableBytes { bytes in unsafe identity?.encode(into: bytes) }
    self.init(secret, mask: mask)
  }

  /// O(bytes).
  package func hash(_ bytes: [UInt8]) -> KeyHash {
    var state = SipState(key)
    unsafe bytes.withBytes { bytes in
      var offset = 0
      while offset + 8 <= bytes.count {
        unsafe state.take(bytes.loadInteger(at: offset))
        offset += 8
      }
      var last = UInt64(truncatingIfNeeded: bytes.count) << 56
      for position in offset..<bytes.count { unsafe last |= UInt64(bytes[position]) << UInt64(8 * (position - offset)) }
      state.take(last)
    }
    let hash = state.finish()
    return KeyHash(high: hash.0 & mask, low: hash.1 & mask)
  }
}

/// SipHash's four words: Aumasson and Bernstein, “SipHash: a fast short-input PRF”. Its sums wrap around by design.
private struct SipState {
  private var (a, b, c, d): (UInt64, UInt64, UInt64, UInt64)

  init(_ key: (UInt64, UInt64)) {
    a = key.0 ^ 0x736F_6D65_7073_6575
    b = key.1 ^ 0x646F_7261_6E64_6F6D ^ 0xEE
    c = key.0 ^ 0x6C79_6765_6E65_7261
    d = key.1 ^ 0x7465_6462_7974_6573
  }

  private mutating func mix(_ rounds: Int) {
    for _ in 0..<rounds {
      a &+= b
      b = Self.turned(b, 13) ^ a
      a = Self.turned(a, 32)
      c &+= d
      d = Self.turned(d, 16) ^ c
      a &+= d
      d = Self.turned(d, 21) ^ a
      c &+= b
      b = Self.turned(b, 17) ^ c
      c = Self.turned(c, 32)
    }
  }

  private static func turned(_ word: UInt64, _ bits: UInt64) -> UInt64 { word << bits | word >> (64 - bits) }

  mutating func take(_ word: UInt64) {
    d ^= word
    mix(2)
    a ^= word
  }

  mutating func finish() -> (UInt64, UInt64) {
    c ^= 0xEE
    mix(4)
    let first = a ^ b ^ c ^ d
    b ^= 0xDD
    mix(4)
    return (first, a ^ b ^ c ^ d)
  }
}
