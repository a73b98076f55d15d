import Immuta

#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// A text that is looked for in payloads.
struct Needle: Sendable {
  private let bytes: [UInt8]
  private let ignoresCase: Bool

  /// - Parameter ignoresCase: of the letters A to Z.
  init(_ text: String, ignoresCase: Bool) {
    bytes = ignoresCase ? text.utf8.map(Self.lowercased) : Array(text.utf8)
    self.ignoresCase = ignoresCase
  }

  /// Whether a payload holds it. O(bytes) for most payloads, in bounded memory.
  func isIn(_ payload: Payload) throws -> Bool {
    if payload.count < bytes.count { return false }
    if payload.count <= Payload.largestInMemory { return payload.withUnsafeBytes(isIn) }
    var isFound = false
    // The end of the piece before, in which it may have begun.
    var window: [UInt8] = []
    try payload.forEachChunk { chunk in
      if isFound { return }
      window += chunk
      isFound = window.withUnsafeBytes(isIn)
      window.removeFirst(window.count - min(window.count, bytes.count - 1))
    }
    return isFound
  }

  private func isIn(_ hay: UnsafeRawBufferPointer) -> Bool {
    if bytes.isEmpty { return true }
    guard let start = hay.baseAddress, hay.count >= bytes.count else { return false }
    let first = bytes[0]
    if !ignoresCase {
      var place = 0
      while let found = memchr(start + place, Int32(first), hay.count - bytes.count + 1 - place) {
        if memcmp(found, bytes, bytes.count) == 0 { return true }
        place = UnsafeRawPointer(found) - start + 1
      }
      return false
    }
    for place in 0...(hay.count - bytes.count) where Self.lowercased(hay[place]) == first {
      var length = 1
      while length < bytes.count, Self.lowercased(hay[place + length]) == bytes[length] { length += 1 }
      if length == bytes.count { return true }
    }
    return false
  }

  private static func lowercased(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte | 0x20 : byte }
}
