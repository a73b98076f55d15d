#if JetStream
  /// A request to the cluster, or its answer: a JSON value. These texts are small, and this supports no more of JSON than they
  /// need.
  enum JSON: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int)
    /// A number that is no `Int`, as it was written.
    case number(String)
    case string(String)
    case array([JSON])
    /// Members in the order in which they were written.
    case object([Member])

    struct Member: Hashable, Sendable {
      let name: String
      let value: JSON
    }

    /// The first member of this name; nil where there is none, or where this is no object.
    subscript(_ name: String) -> JSON? {
      guard case .object(let members) = self else { return nil }
      return members.first { $0.name == name }?.value
    }

    var int: Int? { if case .int(let value) = self { value } else { nil } }
    var string: String? { if case .string(let value) = self { value } else { nil } }
    var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    var array: [JSON]? { if case .array(let values) = self { values } else { nil } }

    static func object(_ members: KeyValuePairs<String, JSON>) -> JSON {
      .object(members.map { Member(name: $0.key, value: $0.value) })
    }

    /// The value that the text says; nil where it is not JSON. O(bytes).
    init?(_ text: some Sequence<UInt8>) {
      var reader = JSONReader(Array(text))
      guard let value = reader.readAll() else { return nil }
      self = value
    }

    /// As JSON text, without spaces.
    var text: String {
      var text = ""
      write(to: &text)
      return text
    }

    private func write(to text: inout String) {
      switch self {
      case .null: text += "null"
      case .bool(let value): text += value ? "true" : "false"
      case .int(let value): text += String(value)
      case .number(let value): text += value
      case .string(let value): Self.write(value, to: &text)
      case .array(let values):
        text += "["
        for (place, value) in values.enumerated() {
          if place > 0 { text += "," }
          value.write(to: &text)
        }
        text += "]"
      case .object(let members):
        text += "{"
        for (place, member) in members.enumerated() {
          if place > 0 { text += "," }
          Self.write(member.name, to: &text)
          text += ":"
          member.value.write(to: &text)
        }
        text += "}"
      }
    }

    private static func write(_ string: String, to text: inout String) {
      text += "\""
      for scalar in string.unicodeScalars {
        switch scalar {
        case "\"": text += "\\\""
        case "\\": text += "\\\\"
        case _ where scalar.value < 0x20:
          let digits = String(scalar.value, radix: 16)
          text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: text.unicodeScalars.append(scalar)
        }
      }
      text += "\""
    }
  }

  extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    init(stringLiteral value: String) { self = .string(value) }
    init(integerLiteral value: Int) { self = .int(value) }
    init(booleanLiteral value: Bool) { self = .bool(value) }
  }

  /// Reads JSON text. Nothing of it traps, whatever the text is.
  private struct JSONReader {
    private let bytes: [UInt8]
    private var position = 0

    /// How deep values may lie in each other: what a server answers needs five or so.
    private static let deepest = 64

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func readAll() -> JSON? {
      guard let value = readValue(depth: 0) else { return nil }
      skipSpace()
      return position == bytes.count ? value : nil
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
      while let next, next == 0x20 || (0x09...0x0D).contains(next) { position += 1 }
    }

    private mutating func take(_ byte: Unicode.Scalar) -> Bool {
      skipSpace()
      guard next == UInt8(ascii: byte) else { return false }
      position += 1
      return true
    }

    private mutating func take(word: StaticString) -> Bool {
      let count = word.utf8CodeUnitCount
      guard bytes.count - position >= count else { return false }
      let isThere = word.withUTF8Buffer { unsafe bytes[position..<position + count].elementsEqual($0) }
      if isThere { position += count }
      return isThere
    }

    private mutating func readValue(depth: Int) -> JSON? {
      guard depth < Self.deepest else { return nil }
      skipSpace()
      switch next {
      case UInt8(ascii: "{"): return readObject(depth)
      case UInt8(ascii: "["): return readArray(depth)
      case UInt8(ascii: "\""): return readString().map { .string($0) }
      case UInt8(ascii: "t"): return take(word: "true") ? .bool(true) : nil
      case UInt8(ascii: "f"): return take(word: "false") ? .bool(false) : nil
      case UInt8(ascii: "n"): return take(word: "null") ? .null : nil
      default: return readNumber()
      }
    }

    private mutating func readObject(_ depth: Int) -> JSON? {
      position += 1
      var members: [JSON.Member] = []
      if take("}") { return .object(members) }
      repeat {
        skipSpace()
        guard next == UInt8(ascii: "\""), let name = readString(), take(":"), let value = readValue(depth: depth + 1)
        else { return nil }
        members.append(JSON.Member(name: name, value: value))
      } while take(",")
      return take("}") ? .object(members) : nil
    }

    private mutating func readArray(_ depth: Int) -> JSON? {
      position += 1
      var values: [JSON] = []
      if take("]") { return .array(values) }
      repeat {
        guard let value = readValue(depth: depth + 1) else { return nil }
        values.append(value)
      } while take(",")
      return take("]") ? .array(values) : nil
    }

    private mutating func readNumber() -> JSON? {
      let start = position
      while let next, (0x30...0x39).contains(next) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains(next) { position += 1 }
      guard position > start else { return nil }
      let text = String(decoding: bytes[start..<position], as: UTF8.self)
      return Int(text).map { .int($0) } ?? .number(text)
    }

    private mutating func readString() -> String? {
      position += 1
      let start = position
      // Most have nothing to be replaced.
      while let next, next != UInt8(ascii: "\""), next != UInt8(ascii: "\\") { position += 1 }
      var text = String(decoding: bytes[start..<position], as: UTF8.self)
      while let byte = next {
        position += 1
        if byte == UInt8(ascii: "\"") { return text }
        guard byte == UInt8(ascii: "\\") else {
          let start = position - 1
          while let next, next != UInt8(ascii: "\""), next != UInt8(ascii: "\\") { position += 1 }
          text += String(decoding: bytes[start..<position], as: UTF8.self)
          continue
        }
        guard let scalar = readEscape() else { return nil }
        text.unicodeScalars.append(scalar)
      }
      return nil
    }

    private mutating func readEscape() -> Unicode.Scalar? {
      guard let byte = next else { return nil }
      position += 1
      switch byte {
      case UInt8(ascii: "n"): return "\n"
      case UInt8(ascii: "r"): return "\r"
      case UInt8(ascii: "t"): return "\t"
      case UInt8(ascii: "b"): return "\u{8}"
      case UInt8(ascii: "f"): return "\u{C}"
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
      case UInt8(ascii: "u"): return readCodePoint()
      default: return nil
      }
    }

    private mutating func readCodePoint() -> Unicode.Scalar? {
      guard let first = readFourDigits() else { return nil }
      guard (0xD800...0xDBFF).contains(first) else { return Unicode.Scalar(first) ?? "\u{FFFD}" }
      // The first of two that make one code point.
      guard take(word: "\\u"), let second = readFourDigits(), (0xDC00...0xDFFF).contains(second) else {
        return "\u{FFFD}"
      }
      return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    }

    private mutating func readFourDigits() -> UInt32? {
      guard bytes.count - position >= 4 else { return nil }
      defer { position += 4 }
      return UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
    }
  }
#endif
