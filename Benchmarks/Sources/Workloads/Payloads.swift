import Foundation

/// Bytes that nothing can compress, in a few variants, so that one record is not like the one before.
struct Payloads: Sendable {
  static let variants = 4

  let size: Int
  /// All variants: each begins one byte after the one before. For the floors.
  let noise: [UInt8]
  let arrays: [[UInt8]]

  init(size: Int) {
    self.size = size
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    let noise = (0..<size + Self.variants).map { _ in
      // Xorshift.
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return UInt8(truncatingIfNeeded: state >> 32)
    }
    self.noise = noise
    arrays = (0..<Self.variants).map { Array(noise[$0..<$0 + size]) }
  }

  /// The payload of a record.
  subscript(number: Int) -> [UInt8] { arrays[number & (Self.variants - 1)] }

  var datas: [Data] { arrays.map { Data($0) } }
}

/// A size as it is written in names: "100 B", "4 KiB".
package func sizeName(_ bytes: Int) -> String { bytes % 1024 == 0 ? "\(bytes / 1024) KiB" : "\(bytes) B" }
