/// Makes what a terminal would obey visible instead, in bytes that come in pieces.
///
/// A record may hold anything, and a terminal obeys what it is shown: escape sequences that change its colours, its title or
/// what stands on other lines, and on some terminals what is typed next. Printable UTF-8, newlines and tabs pass as they are;
/// every other byte becomes `\x1b`, or, in JSON, `\u001b`.
struct TerminalGuard {
  /// In JSON, where what is printed must stay JSON.
  let isJSON: Bool
  /// The beginning of a character whose other bytes have not come yet: at most three.
  private var pending: [UInt8] = []

  init(isJSON: Bool) { self.isJSON = isJSON }

  /// Adds what may be shown of the next bytes. What it keeps back comes with the next call, or with ``finish(into:)``.
  mutating func pass(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
    output.reserveCapacity(output.count + bytes.count)
    for byte in bytes { take(byte, into: &output) }
  }

  /// Adds what was kept back: nothing will come that completes it.
  mutating func finish(into output: inout [UInt8]) {
    for byte in pending { escape(byte, into: &output) }
    pending = []
  }

  private mutating func take(_ byte: UInt8, into output: inout [UInt8]) {
    if !pending.isEmpty {
      pending.append(byte)
      switch Self.state(of: pending) {
      case .begun: return
      case .complete:
        if Self.isObeyed(pending) {
          escapeCharacter(into: &output)
        } else {
          output += pending
        }
        pending = []
        return
      case .invalid:
        // What was kept is no character, and this byte may begin one.
        pending.removeLast()
        finish(into: &output)
      }
    }
    switch byte {
    case UInt8(ascii: "\n"), UInt8(ascii: "\t"), 0x20..<0x7F: output.append(byte)
    case 0xC2...0xF4: pending = [byte]
    default: escape(byte, into: &output)
    }
  }

  private enum State {
    case begun, complete, invalid
  }

  private static func state(of character: [UInt8]) -> State {
    var validator = UTF8Validator()
    let isValid = character.withUnsafeBytes { validator.feed($0) }
    return !isValid ? .invalid : validator.isAtBoundary ? .complete : .begun
  }

  /// Whether a character is one of the second set of controls, U+0080 to U+009F: U+009B begins a sequence as escape does.
  private static func isObeyed(_ character: [UInt8]) -> Bool { character[0] == 0xC2 && character[1] < 0xA0 }

  private func escapeCharacter(into output: inout [UInt8]) {
    if isJSON {
      // The second byte of these is the character's number.
      escape(pending[1], into: &output)
    } else {
      for byte in pending { escape(byte, into: &output) }
    }
  }

  private func escape(_ byte: UInt8, into output: inout [UInt8]) {
    output.append(isJSON ? "\\u00" : "\\x")
    output.append(hexadecimal: Int(byte), width: 2)
  }
}
