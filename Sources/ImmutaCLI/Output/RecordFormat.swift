import ArgumentParser

/// How `cat` shows a record.
enum RecordFormat: Equatable {
  case text
  case json
  case hex
  case raw
  case template(RecordTemplate)

  /// The formats that have a name.
  static let named: [(name: String, format: RecordFormat)] = [
    ("text", .text), ("json", .json), ("hex", .hex), ("raw", .raw),
  ]

  /// A format by its name, or a template.
  static func parse(_ text: String) throws -> RecordFormat {
    if let format = named.first(where: { $0.name == text })?.format { return format }
    guard text.contains("%") else {
      throw ValidationError(
        "it must be \(named.map(\.name).joined(separator: ", ")), or a template such as '%n %t %s'")
    }
    return .template(try RecordTemplate(text))
  }
}

/// What `cat --format '%n %t %s'` prints for each record: text with places for what a record has.
struct RecordTemplate: Equatable {
  enum Part: Equatable {
    case literal([UInt8])
    /// `%n`
    case sequence
    /// `%i`
    case index
    /// `%t`
    case timestamp
    /// `%s`
    case payload
    /// `%S`: the payload's bytes, counted.
    case size
    /// `%p`
    case partition
  }

  let parts: [Part]

  /// - Throws: `ValidationError` for a letter that means nothing.
  init(_ text: String) throws {
    var parts: [Part] = []
    var literal: [UInt8] = []
    var rest = text.utf8[...]
    func next(after sign: Character) throws -> UInt8 {
      guard let letter = rest.popFirst() else {
        throw ValidationError("the template ends with \(sign); for the character itself, write \(sign)\(sign)")
      }
      return letter
    }
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "%"):
        let letter = try next(after: "%")
        guard letter != UInt8(ascii: "%") else {
          literal.append(letter)
          continue
        }
        guard let part = Self.places[letter] else {
          throw ValidationError(
            "a template has no %\(Self.character(letter, rest)): it may have %n (number), %i (index), %t (time), %s (payload), "
              + "%S (bytes of the payload), %p (partition of a store) and %% (a percent sign)")
        }
        if !literal.isEmpty { parts.append(.literal(literal)) }
        literal = []
        parts.append(part)
      case UInt8(ascii: "\\"):
        let letter = try next(after: "\\")
        guard let escaped = Self.escapes[letter] else {
          throw ValidationError(
            "a template has no \\\(Self.character(letter, rest)): it may have \\n, \\t, \\r, \\0 and \\\\")
        }
        literal.append(escaped)
      default: literal.append(byte)
      }
    }
    // A record is a line, unless the template says how it ends.
    if let last = literal.last, last == UInt8(ascii: "\n") || last == 0 {
      parts.append(.literal(literal))
    } else {
      parts.append(.literal(literal + [UInt8(ascii: "\n")]))
    }
    self.parts = parts
  }

  private static let places: [UInt8: Part] = [
    UInt8(ascii: "n"): .sequence, UInt8(ascii: "i"): .index, UInt8(ascii: "t"): .timestamp, UInt8(ascii: "s"): .payload,
    UInt8(ascii: "S"): .size, UInt8(ascii: "p"): .partition,
  ]

  private static let escapes: [UInt8: UInt8] = [
    UInt8(ascii: "n"): 0x0A, UInt8(ascii: "t"): 0x09, UInt8(ascii: "r"): 0x0D, UInt8(ascii: "0"): 0,
    UInt8(ascii: "\\"): UInt8(ascii: "\\"),
  ]

  /// The character that begins with a byte, for a message.
  private static func character(_ first: UInt8, _ rest: Substring.UTF8View) -> Character {
    String(decoding: [first] + rest.prefix(3), as: UTF8.self).first ?? "?"
  }
}
