/// Finds out whether bytes that come in pieces are UTF-8, in constant memory.
struct UTF8Validator {
  /// Continuation bytes that the current character still needs.
  private var missing = 0
  /// What the next continuation byte may be: narrower after the lead bytes that could begin an overlong form, a
  /// surrogate, or a character beyond U+10FFFF.
  private var allowed: ClosedRange<UInt8> = 0x80...0xBF

  /// Whether the text may end here.
  var isAtBoundary: Bool { missing == 0 }

  /// Whether a whole payload is UTF-8.
  static func isText(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var validator = UTF8Validator()
    return validator.feed(bytes) && validator.isAtBoundary
  }

  /// Takes the next piece; false once something is not UTF-8.
  mutating func feed(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var position = 0
    while position < bytes.count {
      if missing == 0 {
        while position + 8 <= bytes.count,
          bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
        {
          position += 8
        }
        if position == bytes.count { return true }
      }
      guard accept(bytes[position]) else { return false }
      position += 1
    }
    return true
  }

  private mutating func accept(_ byte: UInt8) -> Bool {
    if missing > 0 {
      guard allowed.contains(byte) else { return false }
      missing -= 1
      allowed = 0x80...0xBF
      return true
    }
    switch byte {
    case 0x00...0x7F: return true
    case 0xC2...0xDF: (missing, allowed) = (1, 0x80...0xBF)
    case 0xE0: (missing, allowed) = (2, 0xA0...0xBF)
    case 0xED: (missing, allowed) = (2, 0x80...0x9F)
    case 0xE1...0xEF: (missing, allowed) = (2, 0x80...0xBF)
    case 0xF0: (missing, allowed) = (3, 0x90...0xBF)
    case 0xF1...0xF3: (missing, allowed) = (3, 0x80...0xBF)
    case 0xF4: (missing, allowed) = (3, 0x80...0x8F)
    default: return false
    }
    return true
  }
}
