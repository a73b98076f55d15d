import Immuta

/// The payloads of a demonstration: each record's bytes follow from its number, so that a reader can check whether a record is
/// whole and the right one.
///
/// Eight bytes of the number, then a stretch of noise that begins elsewhere from one record to the next.
struct DemoPayload: Sendable {
  private static let shifts = 251
  private static let numberSize = 8

  let size: Int
  private let noise: [UInt8]

  init(size: Int) {
    self.size = size
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    noise = (0..<size + Self.shifts).map { _ in
      // Xorshift.
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return UInt8(truncatingIfNeeded: state >> 32)
    }
  }

  /// Makes `buffer`, of `size` bytes, the payload of record `number`.
  func fill(_ buffer: inout [UInt8], number: Int) {
    precondition(buffer.count == size, "the buffer is as large as a payload")
    buffer.withUnsafeMutableBytes { bytes in
      noise.withUnsafeBytes { noise in
        let start = number % Self.shifts
        bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: noise[start..<start + size]))
      }
      withUnsafeBytes(of: UInt64(number).littleEndian) { number in
        bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: number.prefix(size)))
      }
    }
  }

  /// Whether the bytes are those of record `number`.
  func matches(_ payload: Payload, number: Int) -> Bool {
    guard payload.count == size else { return false }
    let head = min(size, Self.numberSize)
    return payload.withUnsafeBytes { bytes in
      noise.withUnsafeBytes { noise in
        let start = number % Self.shifts
        return withUnsafeBytes(of: UInt64(number).littleEndian) { number in
          System.areEqual(UnsafeRawBufferPointer(rebasing: bytes[..<head]), number)
        }
          && System.areEqual(
            UnsafeRawBufferPointer(rebasing: bytes[head...]),
            UnsafeRawBufferPointer(rebasing: noise[start + head..<start + size]))
      }
    }
  }
}
