/// Reads a JSON object, byte by byte, and finds its outermost members. However deep it is nested, it takes no stack.
struct JSONMembers {
  /// A name, with its quotation marks, and a value, both as they are written.
  struct Member {
    let name: ArraySlice<UInt8>
    let value: ArraySlice<UInt8>
  }

  private let line: ArraySlice<UInt8>
  private var position: Int

  init(_ line: ArraySlice<UInt8>) {
    self.line = line
    position = line.startIndex
  }

  /// Whether a value is a number.
  static func isNumber(_ literal: ArraySlice<UInt8>) -> Bool {
    guard let first = literal.first else { return false }
    return first == UInt8(ascii: "-") || isDigit(first)
  }

  /// The members in their order; nil for anything but one object.
  mutating func all() -> [Member]? {
    skipSpace()
    guard take("{") else { return nil }
    var members: [Member] = []
    skipSpace()
    if !take("}") {
      repeat {
        skipSpace()
        let start = position
        guard takeString() else { return nil }
        let name = line[start..<position]
        skipSpace()
        guard take(":") else { return nil }
        skipSpace()
        let valueStart = position
        guard takeValue() else { return nil }
        members.append(Member(name: name, value: line[valueStart..<position]))
        skipSpace()
      } while take(",")
      guard take("}") else { return nil }
    }
    skipSpace()
    return position == line.endIndex ? members : nil
  }

  private var current: UInt8? { position < line.endIndex ? line[position] : nil }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard current == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
  }

  /// A value of any kind, and all that is in it.
  private mutating func takeValue() -> Bool {
    // What closes the objects and lists that are open.
    var open: [UInt8] = []
    while true {
      skipSpace()
      if take("{") {
        skipSpace()
        if !take("}") {
          open.append(UInt8(ascii: "}"))
          guard takeName() else { return false }
          continue
        }
      } else if take("[") {
        skipSpace()
        if !take("]") {
          open.append(UInt8(ascii: "]"))
          continue
        }
      } else if !takeScalar() {
        return false
      }
      // A value is complete: what it is in goes on, or ends, too.
      var goesOn = false
      while !goesOn, let close = open.last {
        skipSpace()
        if take(",") {
          goesOn = true
          if close == UInt8(ascii: "}"), !takeName() { return false }
        } else if current == close {
          position += 1
          open.removeLast()
        } else {
          return false
        }
      }
      if !goesOn { return true }
    }
  }

  /// A member's name, and the colon.
  private mutating func takeName() -> Bool {
    skipSpace()
    guard takeString() else { return false }
    skipSpace()
    return take(":")
  }

  private mutating func takeScalar() -> Bool {
    switch current {
    case UInt8(ascii: "\""): takeString()
    case UInt8(ascii: "t"): takeWord("true")
    case UInt8(ascii: "f"): takeWord("false")
    case UInt8(ascii: "n"): takeWord("null")
    default: takeNumber()
    }
  }

  private mutating func takeWord(_ word: String) -> Bool {
    guard line[position...].starts(with: word.utf8) else { return false }
    position += word.utf8.count
    return true
  }

  private mutating func takeNumber() -> Bool {
    _ = take("-")
    // No zero in front of other digits.
    if !take("0"), !takeDigits() { return false }
    if take("."), !takeDigits() { return false }
    if take("e") || take("E") {
      if !take("+") { _ = take("-") }
      return takeDigits()
    }
    return true
  }

  private mutating func takeDigits() -> Bool {
    let start = position
    while let byte = current, Self.isDigit(byte) { position += 1 }
    return position > start
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  private mutating func takeString() -> Bool {
    guard take("\"") else { return false }
    while let byte = current {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return true
      case UInt8(ascii: "\\"):
        guard let escape = current else { return false }
        position += 1
        if escape == UInt8(ascii: "u") {
          guard Self.unit(line[position...]) != nil else { return false }
          position += 4
        } else if Self.meaning(of: escape) == nil {
          return false
        }
      case 0..<0x20: return false
      default: break
      }
    }
    return false
  }

  // MARK: What a string stands for

  /// The bytes of a string that is well formed, quotation marks included, with its escapes undone; nil where it has half
  /// a character.
  static func unescaped(_ literal: ArraySlice<UInt8>) -> [UInt8]? {
    let inside = literal.dropFirst().dropLast()
    guard var next = inside.firstIndex(of: UInt8(ascii: "\\")) else { return Array(inside) }
    var bytes = Array(inside[..<next])
    while next < inside.endIndex {
      guard inside[next] == UInt8(ascii: "\\") else {
        bytes.append(inside[next])
        next += 1
        continue
      }
      if let meaning = meaning(of: inside[next + 1]) {
        bytes.append(meaning)
        next += 2
        continue
      }
      guard let first = unit(inside[(next + 2)...]) else { return nil }
      next += 6
      var value = UInt32(first)
      if UTF16.isLeadSurrogate(first) {
        guard inside[next...].starts(with: "\\u".utf8), let second = unit(inside[(next + 2)...]),
          UTF16.isTrailSurrogate(second)
        else { return nil }
        value = 0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00)
        next += 6
      }
      guard let scalar = Unicode.Scalar(value) else { return nil }
      bytes.append(contentsOf: Array(String(Character(scalar)).utf8))
    }
    return bytes
  }

  /// What a short escape stands for.
  private static func meaning(of escape: UInt8) -> UInt8? {
    switch escape {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): escape
    case UInt8(ascii: "b"): 0x08
    case UInt8(ascii: "f"): 0x0C
    case UInt8(ascii: "n"): 0x0A
    case UInt8(ascii: "r"): 0x0D
    case UInt8(ascii: "t"): 0x09
    default: nil
    }
  }

  /// Four hexadecimal digits.
  private static func unit(_ bytes: ArraySlice<UInt8>) -> UInt16? {
    let digits = bytes.prefix(4)
    guard digits.count == 4 else { return nil }
    var value: UInt16 = 0
    for byte in digits {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else { return nil }
      value = value << 4 | UInt16(digit)
    }
    return value
  }
}
