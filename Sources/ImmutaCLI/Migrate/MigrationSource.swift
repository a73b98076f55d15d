import Immuta

/// What is migrated: records in an order that is always the same.
protocol MigrationSource: AnyObject {
  /// For messages.
  var name: String { get }
  /// How far it is, of how much, for a progress bar.
  var progress: (done: Int, total: Int) { get }
  /// Calls `body` with the next record's payload; false, and no call, behind the last.
  func next(_ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Bool
  /// Begins anew.
  func rewind() throws
}

/// The records that a log held when the migration began.
final class LogSource: MigrationSource {
  let name: String
  private let log: Log
  private let count: Int
  private var stream: RecordStream
  private let storage: AnyObject

  /// - Parameter storage: kept open.
  init(_ log: Log, name: String, keeping storage: AnyObject) {
    self.log = log
    self.name = name
    self.storage = storage
    count = log.count
    stream = log.stream()
  }

  var progress: (done: Int, total: Int) { (stream.position, count) }

  func next(_ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Bool {
    guard stream.position < count else { return false }
    guard let record = try stream.nextAtOnce() else {
      throw ToolError("\(name) had \(count) records, and record \(stream.position) does not come")
    }
    try record.payload.withUnsafeBytes(body)
    return true
  }

  func rewind() {
    stream = log.stream()
  }
}

/// The lines of a file: each is a record, or holds one as `immuta cat --json` prints it.
final class LinesSource: MigrationSource {
  let name: String
  private let unwraps: Bool
  private let size: Int
  private var input: RecordInput
  private var number = 0

  /// Bytes of the longest line.
  private static let longest = 16 << 20

  /// - Parameter unwraps: whether a line's member `text` or `base64` is the record, rather than the line.
  init(_ file: String, unwraps: Bool) throws {
    guard let size = try FileSource.check([file]), file != "-" else {
      throw ToolError("\(file) is not a regular file, which could be read again to verify: write the lines into one")
    }
    name = file
    self.unwraps = unwraps
    self.size = size
    input = RecordInput(try FileSource(file), delimiter: 10, longest: Self.longest)
  }

  var progress: (done: Int, total: Int) { (input.bytesRead, size) }

  func next(_ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Bool {
    while true {
      switch input.next() {
      case .whole(let line):
        try hand(line, to: body)
        return true
      case .large: throw ToolError("line \(number + 1) of \(name) has more than \(Self.longest >> 20) MiB")
      case nil:
        if try input.fill() { continue }
        guard let last = input.takeLast() else { return false }
        try hand(last, to: body)
        return true
      }
    }
  }

  private func hand(_ line: ArraySlice<UInt8>, to body: (UnsafeRawBufferPointer) throws -> Void) throws {
    number += 1
    if !unwraps { return try line.withUnsafeBytes(body) }
    let text = JSONMember.find("text", in: line)
    guard let payload = text ?? JSONMember.find("base64", in: line).flatMap(Base64.decode) else {
      throw ToolError("line \(number) of \(name) has no member “text” or “base64”, as `immuta cat --json` prints them")
    }
    try payload.withUnsafeBytes(body)
  }

  func rewind() throws {
    input = RecordInput(try FileSource(name), delimiter: 10, longest: Self.longest)
    number = 0
  }
}

/// Base64, as ``JSON/base64(_:into:)`` writes it.
enum Base64 {
  /// The bytes that a text stands for; nil where it is no Base64.
  static func decode(_ text: [UInt8]) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3)
    let padding = text.suffix(2).count { $0 == UInt8(ascii: "=") }
    for start in stride(from: 0, to: text.count, by: 4) {
      let isLast = start + 4 == text.count
      var word: UInt32 = 0
      for position in start..<start + 4 {
        let isPadding = isLast && position >= text.count - padding
        guard let value = isPadding ? 0 : value(of: text[position]) else { return nil }
        word = word << 6 | value
      }
      let three = [
        UInt8(truncatingIfNeeded: word >> 16), UInt8(truncatingIfNeeded: word >> 8), UInt8(truncatingIfNeeded: word),
      ]
      bytes += three.prefix(isLast ? 3 - padding : 3)
    }
    return bytes
  }

  private static func value(of digit: UInt8) -> UInt32? {
    switch digit {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(digit - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(digit - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(digit - UInt8(ascii: "0")) + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
