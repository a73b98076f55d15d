import Immuta

/// What is migrated: records in an order that is always the same.
protocol MigrationSource: AnyObject {
  /// For messages.
  var name: String { get }
  /// The number of the first record: above 0 in a log whose first records were removed. The others follow it without gaps.
  var first: Int { get }
  /// How far it is, of how much, for a progress bar.
  var progress: (done: Int, total: Int) { get }
  /// What the record that was handed out last is called in an error, such as “line 3 of a.jsonl”.
  var place: String { get }
  /// Calls `body` with the next record's payload; false, and no call, after the last.
  func next(_ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Bool
  /// Begins again.
  func rewind() throws
}

/// The records that a log held when the migration began.
final class LogSource: MigrationSource {
  let name: String
  let first: Int
  private let log: Log
  private let count: Int
  private var history: RecordHistory
  private let storage: AnyObject

  /// - Parameter storage: kept open.
  init(_ log: Log, _ kind: LogKind, name: String, keeping storage: AnyObject) throws {
    self.log = log
    log.sayOpeningNote(kind)
    self.name = name
    self.storage = storage
    count = log.count
    first = log.firstSequence
    history = log.history(from: .skipping(first))
  }

  var progress: (done: Int, total: Int) { (history.position - first, count - first) }

  var place: String { "record \(history.position - 1) of \(name)" }

  func next(_ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Bool {
    do {
      // After the last as well: the log may be damaged there.
      guard let record = try history.next() else { return false }
      try record.payload.withUnsafeBytes(body)
    } catch ImmutaError.undecodable(let corruption) where (try? log.filePaths())?.contains(corruption.path) == true {
      throw ToolError(.undecodable(corruption), prefix: CodecSettings.sourcePrefix)
    } catch ImmutaError.recordRemoved(let sequence, let first, _) {
      throw ToolError(
        "records \(sequence) to \(first - 1) of \(name) were removed before they were copied, as the log keeps its newest "
          + "records only: migrate it into a new log, at a time when less goes")
    }
    return true
  }

  func rewind() {
    history = log.history(from: .skipping(first))
  }
}

/// The lines of a file: each is a record, or holds one as `immuta cat --json` prints it.
final class LinesSource: MigrationSource {
  let name: String
  let first = 0
  private let unwraps: Bool
  private let size: Int
  private var input: RecordInput
  private var number = 0

  /// Bytes of the longest line.
  private static let longest = 16 << 20

  private let skipped: SkippedLines

  /// - Parameter unwraps: whether a line's member `text` or `base64` is the record, rather than the line.
  init(_ file: String, unwraps: Bool, _ skipped: SkippedLines) throws {
    self.skipped = skipped
    guard let size = try FileSource.check([file]), file != "-" else {
      throw ToolError("\(file) is not a regular file, and has to be read again to verify: write the lines into a file")
    }
    name = file
    self.unwraps = unwraps
    self.size = size
    input = try Self.input(file, unwraps)
  }

  private static func input(_ file: String, _ unwraps: Bool) throws -> RecordInput {
    RecordInput(try FileSource(file), delimiter: 10, ignoresMark: unwraps, longest: longest)
  }

  var progress: (done: Int, total: Int) { (input.bytesRead, size) }

  var place: String { "line \(number) of \(name)" }

  func next(_ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Bool {
    while true {
      switch try input.next() {
      case .whole(let line):
        try hand(line, to: body)
        return true
      case .large: throw ToolError("line \(number + 1) of \(name) has more than \(Self.longest >> 20) MiB")
      case nil:
        if try input.fill() { continue }
        guard let last = try input.takeLast() else { return false }
        try hand(last, to: body)
        return true
      }
    }
  }

  private func hand(_ line: ArraySlice<UInt8>, to body: (UnsafeRawBufferPointer) throws -> Void) throws {
    number += 1
    if !unwraps { return try line.withUnsafeBytes(body) }
    let payload: [UInt8]
    do throws(LineRefusal) {
      payload = try Self.unwrap(JSONLine(line))
    } catch {
      return try skipped.take("\(place) \(error.reason)")
    }
    try payload.withUnsafeBytes(body)
  }

  /// The record that `immuta cat --json` printed.
  private static func unwrap(_ line: JSONLine) throws(LineRefusal) -> [UInt8] {
    switch (try line.text("text"), try line.base64("base64")) {
    case (let payload?, nil), (nil, let payload?): return payload
    case (nil, nil):
      throw LineRefusal(reason: "has no text as its member “text” or “base64”, as `immuta cat --json` prints them")
    default:
      throw LineRefusal(reason: "has both a “text” and a “base64”, and is one record: leave one")
    }
  }

  func rewind() throws {
    input = try Self.input(name, unwraps)
    number = 0
  }
}
