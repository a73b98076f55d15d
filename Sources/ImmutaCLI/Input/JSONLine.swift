#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A line of input that is a JSON object, with its outermost members.
///
/// Foundation's decoder says whether the line is well formed, down to its last value. What the decoder keeps to itself,
/// that a name is there twice and how a number is written, is then looked up in the line.
struct JSONLine {
  /// Why a line cannot be used; the text follows the line's name.
  struct Refusal: Error {
    let reason: String
  }

  private let members: [JSONMembers.Member]

  /// - Throws: `Refusal` when the line is anything but one JSON object in UTF-8.
  init(_ line: ArraySlice<UInt8>) throws(Refusal) {
    guard line.withUnsafeBytes(UTF8Validator.isText) else { throw Refusal(reason: "is not UTF-8, as JSON must be") }
    var scanner = JSONMembers(line)
    // The decoder takes other encodings, too, in which zeros are everywhere.
    guard scanner.beginsAnObject, !line.contains(0), Self.isWellFormed(line), let members = scanner.all() else {
      throw Refusal(reason: "is not a JSON object: correct it or take it out")
    }
    self.members = members
  }

  /// The member of this name: the text, or the digits of a number as they are written; nil where there is none, or
  /// where it is anything else.
  ///
  /// - Throws: `Refusal` when the name is there more than once, as nothing says which one counts.
  func textOrNumber(_ name: String) throws(Refusal) -> [UInt8]? {
    guard let value = try value(name) else { return nil }
    return JSONMembers.isNumber(value) ? Array(value) : Self.text(value)
  }

  /// The member of this name, where it is a text, as UTF-8 with its escapes undone. Otherwise as ``textOrNumber(_:)``.
  func text(_ name: String) throws(Refusal) -> [UInt8]? {
    try value(name).flatMap { Self.text($0) }
  }

  /// The bytes that the member of this name stands for, a text in Base64; nil where it is no text.
  ///
  /// - Throws: `Refusal` when the name is there more than once, or the text is no Base64.
  func base64(_ name: String) throws(Refusal) -> [UInt8]? {
    guard let text = try text(name) else { return nil }
    guard let data = Data(base64Encoded: Data(text)) else {
      throw Refusal(reason: "has something else than Base64 as its member “\(name)”: correct it")
    }
    return Array(data)
  }

  private func value(_ name: String) throws(Refusal) -> ArraySlice<UInt8>? {
    let wanted = Array(name.utf8)
    var found: ArraySlice<UInt8>?
    for member in members where Self.text(member.name) == wanted {
      if found != nil { throw Refusal(reason: "has its member “\(name)” more than once: leave one") }
      found = member.value
    }
    return found
  }

  /// A string's bytes; nil for a value of another kind.
  private static func text(_ literal: ArraySlice<UInt8>) -> [UInt8]? {
    guard literal.first == UInt8(ascii: "\"") else { return nil }
    let inside = literal.dropFirst().dropLast()
    if !inside.contains(UInt8(ascii: "\\")) { return Array(inside) }
    return (try? JSONDecoder().decode(String.self, from: Data(literal))).map { Array($0.utf8) }
  }

  private static func isWellFormed(_ line: ArraySlice<UInt8>) -> Bool {
    (try? JSONDecoder().decode(AnyObject.self, from: Data(line))) != nil
  }

  private struct Name: CodingKey {
    let stringValue: String
    let intValue: Int? = nil

    init(stringValue: String) {
      self.stringValue = stringValue
    }

    init?(intValue: Int) { nil }
  }

  /// Decodes every member of an object: the decoder looks at no value before it is asked for.
  private struct AnyObject: Decodable {
    init(from decoder: any Decoder) throws {
      let members = try decoder.container(keyedBy: Name.self)
      for name in members.allKeys { _ = try members.decode(AnyValue.self, forKey: name) }
    }
  }

  /// Decodes a value, whatever it is.
  private struct AnyValue: Decodable {
    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      // The usual kinds first: being told that it is another one costs the decoder an error.
      if (try? value.decode(String.self)) != nil || (try? value.decode(Double.self)) != nil { return }
      if (try? value.decode(AnyObject.self)) != nil { return }
      if var elements = try? decoder.unkeyedContainer() {
        while !elements.isAtEnd { _ = try elements.decode(AnyValue.self) }
      } else if !value.decodeNil() {
        _ = try value.decode(Bool.self)
      }
    }
  }
}

/// Finds the outermost members of a JSON object.
///
/// Only looks for where they begin and end, and at the commas: whether what is between is JSON, the decoder says.
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
    skipSpace()
  }

  /// Whether the first byte that is no space opens an object.
  var beginsAnObject: Bool { current == UInt8(ascii: "{") }

  /// Whether a value is a number.
  static func isNumber(_ literal: ArraySlice<UInt8>) -> Bool {
    guard let first = literal.first else { return false }
    return first == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
  }

  /// The members in their order; nil where a comma has nothing behind it, which the decoder lets pass.
  mutating func all() -> [Member]? {
    var members: [Member] = []
    position += 1
    skipSpace()
    if current == UInt8(ascii: "}") { return members }
    while true {
      guard let name = takeValue() else { return nil }
      // The colon.
      position += 1
      guard let value = takeValue() else { return nil }
      members.append(Member(name: name, value: value))
      if current != UInt8(ascii: ",") { return current == UInt8(ascii: "}") ? members : nil }
      position += 1
    }
  }

  private var current: UInt8? { position < line.endIndex ? line[position] : nil }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || (0x09...0x0D).contains(byte) { position += 1 }
  }

  /// A value of any kind; what is behind it and no space comes next.
  private mutating func takeValue() -> ArraySlice<UInt8>? {
    skipSpace()
    let start = position
    var end = position
    var depth = 0
    var isBehindComma = false
    repeat {
      guard let byte = current else { return nil }
      switch byte {
      case UInt8(ascii: "\""): skipString()
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth += 1
        position += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if isBehindComma || depth == 0 { return nil }
        depth -= 1
        position += 1
      case UInt8(ascii: ","), UInt8(ascii: ":"):
        if depth == 0 { return nil }
        position += 1
      default: skipWord()
      }
      isBehindComma = byte == UInt8(ascii: ",")
      end = min(position, line.endIndex)
      skipSpace()
    } while depth > 0
    return line[start..<end]
  }

  /// Goes behind a string's closing quotation mark.
  private mutating func skipString() {
    position += 1
    while let byte = current, byte != UInt8(ascii: "\"") { position += byte == UInt8(ascii: "\\") ? 2 : 1 }
    position += 1
  }

  /// Goes behind a number, or a name such as `true`.
  private mutating func skipWord() {
    repeat { position += 1 } while current.map { !Self.wordEnds.contains($0) } ?? false
  }

  private static let wordEnds = Array("\"{}[],: \t\r\n".utf8)
}
