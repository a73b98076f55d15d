/// JSON made of bytes: objects on one line each, members in the order they are added.
///
/// Not Foundation's: `JSONEncoder` knows no order of members but the alphabet's, and needs all of a record at once.
enum JSON {
  /// The member that each object begins with which `--json` prints: the version of the schema in the documentation.
  ///
  /// Members may be added in a version. It is a new one where a member goes, or means something else.
  static let schemaMember: StaticString = #""schema":1,"#

  /// Adds text as the inside of a JSON string.
  ///
  /// The bytes are UTF-8, and may be cut anywhere: what needs escaping is ASCII.
  static func escape(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
    var start = 0
    var position = 0
    while position < bytes.count {
      if position + 8 <= bytes.count,
        !needsEscape(in: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      {
        position += 8
        continue
      }
      let byte = bytes[position]
      if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
        escape(byte, into: &output)
        start = position + 1
      }
      position += 1
    }
    output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start...]))
  }

  /// Whether one of eight bytes is a control character, a quotation mark or a backslash.
  ///
  /// In each lane, subtracting n from a byte below 0x80 sets its top bit if the byte is below n; a borrow can only come
  /// from a lane that fits already.
  private static func needsEscape(in word: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quotes = word ^ (ones * 0x22)
    let backslashes = word ^ (ones * 0x5C)
    let hits =
      ((word &- ones * 0x20) & ~word) | ((quotes &- ones) & ~quotes) | ((backslashes &- ones) & ~backslashes)
    return hits & (ones << 7) != 0
  }

  private static func escape(_ byte: UInt8, into output: inout [UInt8]) {
    switch byte {
    case UInt8(ascii: "\""): output.append(#"\""#)
    case UInt8(ascii: "\\"): output.append(#"\\"#)
    case UInt8(ascii: "\n"): output.append(#"\n"#)
    case UInt8(ascii: "\r"): output.append(#"\r"#)
    case UInt8(ascii: "\t"): output.append(#"\t"#)
    default:
      output.append(#"\u"#)
      output.append(hexadecimal: Int(byte), width: 4)
    }
  }

  /// Adds bytes in Base64.
  ///
  /// Pieces of a whole can be added one after the other if all but the last are a multiple of three bytes long.
  ///
  /// Not Foundation's: it makes two `Data` for each record. A record of 100 bytes then takes 0.3 µs, and this way 0.07; for
  /// large ones both take as long.
  static func base64(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
    let start = output.count
    output.append(contentsOf: repeatElement(UInt8(ascii: "="), count: (bytes.count + 2) / 3 * 4))
    output.withUnsafeMutableBufferPointer { output in
      let digits = UnsafeBufferPointer(start: base64Digits.utf8Start, count: base64Digits.utf8CodeUnitCount)
      var place = start
      var position = 0
      while position + 3 <= bytes.count {
        let group = Int(bytes[position]) << 16 | Int(bytes[position + 1]) << 8 | Int(bytes[position + 2])
        output[place] = digits[group >> 18]
        output[place + 1] = digits[group >> 12 & 63]
        output[place + 2] = digits[group >> 6 & 63]
        output[place + 3] = digits[group & 63]
        position += 3
        place += 4
      }
      guard position < bytes.count else { return }
      let hasTwo = position + 2 == bytes.count
      let group = Int(bytes[position]) << 16 | (hasTwo ? Int(bytes[position + 1]) << 8 : 0)
      output[place] = digits[group >> 18]
      output[place + 1] = digits[group >> 12 & 63]
      if hasTwo { output[place + 2] = digits[group >> 6 & 63] }
    }
  }

  private static let base64Digits: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

  /// Begins the object of a record with where it is, for as many as there are: without a copy.
  ///
  /// - Parameters:
  ///   - hasSchema: whether it begins with ``schemaMember``.
  ///   - place: its place in a file and the bytes that are stored, where there is one.
  static func beginRecord(
    partition: Int?, sequence: Int, _ place: (index: Int, size: Int)?, hasSchema: Bool, in output: inout [UInt8]
  ) {
    output.append("{")
    if hasSchema { output.append(schemaMember) }
    if let partition {
      output.append(#""partition":"#)
      output.append(decimal: partition)
      output.append(",")
    }
    output.append(#""sequence":"#)
    output.append(decimal: sequence)
    guard let place else { return }
    output.append(#","index":"#)
    output.append(decimal: place.index)
    output.append(#","size":"#)
    output.append(decimal: place.size)
  }
}

/// A JSON object of a few members, for what is printed once a namespace or a step.
struct JSONObject {
  private(set) var bytes: [UInt8] = [UInt8(ascii: "{")]

  /// Adds a member; nil adds none.
  mutating func add(_ name: String, _ value: String?) {
    guard let value else { return }
    key(name)
    string(value)
  }

  /// Adds a member; nil adds none.
  mutating func add(_ name: String, _ value: Int?) {
    guard let value else { return }
    key(name)
    bytes.append(decimal: value)
  }

  /// Adds a member whose value is unknown.
  mutating func addNull(_ name: String) {
    key(name)
    bytes.append(contentsOf: "null".utf8)
  }

  /// Adds a member.
  mutating func add(_ name: String, _ value: Bool) {
    key(name)
    bytes.append(contentsOf: (value ? "true" : "false").utf8)
  }

  /// Adds a member of seconds, to the microsecond; nil adds none.
  mutating func add(_ name: String, seconds value: Duration?) {
    guard let value else { return }
    key(name)
    let microseconds = Int(value / .microseconds(1))
    bytes.append(decimal: microseconds / 1_000_000)
    bytes.append(UInt8(ascii: "."))
    bytes.append(decimal: microseconds % 1_000_000, width: 6)
  }

  /// Adds a member: a number of at least 0, with three digits after the point; nil adds none.
  mutating func add(_ name: String, _ value: Double?) {
    guard let value else { return }
    key(name)
    let thousandths = Int((value * 1000).rounded())
    bytes.append(decimal: thousandths / 1000)
    bytes.append(UInt8(ascii: "."))
    bytes.append(decimal: thousandths % 1000, width: 3)
  }

  /// Adds a member: a list of strings.
  mutating func add(_ name: String, strings: [String]) {
    key(name)
    list(strings) { text, object in object.string(text) }
  }

  /// Adds a member: a list of objects, each filled by `body`.
  mutating func add<Value>(_ name: String, objects: [Value], _ body: (Value, inout JSONObject) -> Void) {
    key(name)
    list(objects) { value, object in
      var inner = JSONObject()
      body(value, &inner)
      object.bytes += inner.bytes
      object.bytes.append(UInt8(ascii: "}"))
    }
  }

  /// Adds a member: an object with a member for each name, an object filled by `body`.
  mutating func add<Value>(
    _ name: String, members: [(key: String, value: Value)], _ body: (Value, inout JSONObject) -> Void
  ) {
    key(name)
    bytes.append(UInt8(ascii: "{"))
    for (position, member) in members.enumerated() {
      if position > 0 { bytes.append(UInt8(ascii: ",")) }
      string(member.key)
      bytes.append(UInt8(ascii: ":"))
      var inner = JSONObject()
      body(member.value, &inner)
      bytes += inner.bytes
      bytes.append(UInt8(ascii: "}"))
    }
    bytes.append(UInt8(ascii: "}"))
  }

  private mutating func list<Value>(_ values: [Value], _ body: (Value, inout JSONObject) -> Void) {
    bytes.append(UInt8(ascii: "["))
    for (position, value) in values.enumerated() {
      if position > 0 { bytes.append(UInt8(ascii: ",")) }
      body(value, &self)
    }
    bytes.append(UInt8(ascii: "]"))
  }

  /// The object on a line of its own, as `--json` prints it: see ``JSON/schemaMember``.
  var line: [UInt8] {
    var line: [UInt8] = [UInt8(ascii: "{")]
    line.append(JSON.schemaMember)
    // Each has members of its own: a comma is followed by one.
    return line + lineOfFile.dropFirst()
  }

  /// The object on a line of its own, for a file that has a version of its own.
  var lineOfFile: [UInt8] { bytes + Array("}\n".utf8) }

  private mutating func key(_ name: String) {
    if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
    string(name)
    bytes.append(UInt8(ascii: ":"))
  }

  private mutating func string(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    Array(text.utf8).withUnsafeBytes { JSON.escape($0, into: &bytes) }
    bytes.append(UInt8(ascii: "\""))
  }
}
