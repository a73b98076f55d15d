#if JetStream
  /// Bytes as the servers' JSON has them.
  enum Base64 {
    /// The bytes; nil where the text is not Base64. O(length).
    static func decode(_ text: String) -> [UInt8]? {
      var bytes: [UInt8] = []
      bytes.reserveCapacity(text.utf8.count / 4 * 3)
      var (bits, count) = (UInt32(0), 0)
      for digit in text.utf8 {
        if digit == UInt8(ascii: "=") { break }
        guard let value = value(of: digit) else { return nil }
        bits = bits << 6 & 0xFFFFFF | UInt32(value)
        count += 6
        if count >= 8 {
          count -= 8
          bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        }
      }
      return bytes
    }

    private static func value(of digit: UInt8) -> UInt8? {
      switch digit {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit - UInt8(ascii: "A")
      case UInt8(ascii: "a")...UInt8(ascii: "z"): digit - UInt8(ascii: "a") + 26
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0") + 52
      case UInt8(ascii: "+"): 62
      case UInt8(ascii: "/"): 63
      default: nil
      }
    }
  }
#endif
