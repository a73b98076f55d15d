/// Where a message's key is in a line of input.
enum KeySource {
  /// All messages have this one.
  case fixed(String)
  /// Before the line's first tabulator; the message is what is behind it.
  case beforeTab
  /// In this member of the line, which is a JSON object; the message is the whole line.
  case member(String)

  /// A line's key and its message.
  func split(_ line: ArraySlice<UInt8>, number: Int) throws(ToolError) -> (key: [UInt8], payload: ArraySlice<UInt8>) {
    switch self {
    case .fixed(let key): return (Array(key.utf8), line)
    case .beforeTab:
      guard let tab = line.firstIndex(of: UInt8(ascii: "\t")) else {
        throw ToolError(
          "line \(number) has no tabulator behind its key: give lines of KEY<TAB>VALUE, or --key, or --key-field")
      }
      return (Array(line[..<tab]), line[(tab + 1)...])
    case .member(let name):
      guard let key = JSONMember.find(name, in: line) else {
        throw ToolError("line \(number) is no JSON object with a text or a number as its member “\(name)”")
      }
      return (key, line)
    }
  }
}

/// Finds a member of a JSON object, without taking the rest apart.
enum JSONMember {
  /// The bytes of the text, or of the number, that is the value of the outermost object's member of this name; nil
  /// where there is none.
  static func find(_ name: String, in line: ArraySlice<UInt8>) -> [UInt8]? {
    var scanner = Scanner(rest: line)
    guard scanner.take(UInt8(ascii: "{")) else { return nil }
    let wanted = Array(name.utf8)
    while let key = scanner.string(), scanner.take(UInt8(ascii: ":")) {
      if key == wanted { return scanner.string() ?? scanner.number() }
      guard scanner.skipValue(), scanner.take(UInt8(ascii: ",")) else { return nil }
    }
    return nil
  }

  private struct Scanner {
    var rest: ArraySlice<UInt8>

    private mutating func skipSpace() {
      rest = rest.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
    }

    mutating func take(_ byte: UInt8) -> Bool {
      skipSpace()
      guard rest.first == byte else { return false }
      rest.removeFirst()
      return true
    }

    /// A string's bytes, its escapes undone; nil, and nothing taken, where there is none.
    mutating func string() -> [UInt8]? {
      skipSpace()
      guard rest.first == UInt8(ascii: "\"") else { return nil }
      var text: [UInt8] = []
      var units: [UInt16] = []
      var position = rest.startIndex + 1
      while position < rest.endIndex, rest[position] != UInt8(ascii: "\"") {
        guard rest[position] == UInt8(ascii: "\\") else {
          text += Self.utf8(of: &units)
          text.append(rest[position])
          position += 1
          continue
        }
        position += 1
        guard position < rest.endIndex else { return nil }
        if rest[position] == UInt8(ascii: "u") {
          guard let unit = Self.unit(rest[(position + 1)...].prefix(4)) else { return nil }
          units.append(unit)
          position += 5
        } else {
          guard let byte = Self.escapes[rest[position]] else { return nil }
          text += Self.utf8(of: &units)
          text.append(byte)
          position += 1
        }
      }
      guard position < rest.endIndex else { return nil }
      rest = rest[(position + 1)...]
      return text + Self.utf8(of: &units)
    }

    private static let escapes: [UInt8: UInt8] = [
      UInt8(ascii: "\""): 0x22, UInt8(ascii: "\\"): 0x5C, UInt8(ascii: "/"): 0x2F, UInt8(ascii: "b"): 8,
      UInt8(ascii: "f"): 12, UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9,
    ]

    private static func unit(_ digits: ArraySlice<UInt8>) -> UInt16? {
      digits.count == 4 ? UInt16(String(decoding: digits, as: UTF8.self), radix: 16) : nil
    }

    /// Escapes next to each other may be the halves of one character.
    private static func utf8(of units: inout [UInt16]) -> [UInt8] {
      if units.isEmpty { return [] }
      defer { units = [] }
      return Array(String(decoding: units, as: UTF16.self).utf8)
    }

    /// A number's bytes, as they stand there.
    mutating func number() -> [UInt8]? {
      skipSpace()
      let digits = rest.prefix { byte in
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
          UInt8(ascii: "e"), UInt8(ascii: "E"):
          true
        default: false
        }
      }
      rest = rest[digits.endIndex...]
      return digits.isEmpty ? nil : Array(digits)
    }

    /// Goes behind a value of any kind: to the comma behind it, or the end of the object.
    mutating func skipValue() -> Bool {
      var depth = 0
      while true {
        skipSpace()
        guard let byte = rest.first else { return false }
        switch byte {
        case UInt8(ascii: "\""):
          if string() == nil { return false }
          continue
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
          if depth == 0 { return true }
          depth -= 1
        case UInt8(ascii: ","): if depth == 0 { return true }
        default: break
        }
        rest.removeFirst()
      }
    }
  }
}
