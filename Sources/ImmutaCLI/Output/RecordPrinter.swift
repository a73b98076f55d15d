import Immuta
import ImmutaLogStore

/// Writes records to the output, in bounded memory whatever their size.
struct RecordPrinter {
  /// How records are shown.
  struct Style {
    var format: RecordFormat
    /// See ``Colours``.
    var hasColours = false
    /// Whether a terminal shows them, which must not obey them.
    var isGuarded = false
  }

  /// What a large payload is handled in: a multiple of 3, for Base64, and of 16, for the lines of a hex dump.
  private static let pieceSize = 3 << 16

  let output: Output
  private let style: Style
  private var format: RecordFormat { style.format }
  private var timestamps = TimestampText()
  private var isFirst = true
  /// That of the messages of a store.
  private var partition: Int?
  /// The log of a partition, or the only one.
  private let log: (_ partition: Int?) -> Log?
  /// Between payloads and a terminal that would obey them.
  private var terminalGuard: TerminalGuard?

  init(_ style: Style, to output: Output, of log: @escaping (_ partition: Int?) -> Log?) {
    self.style = style
    self.output = output
    self.log = log
    if style.isGuarded { terminalGuard = TerminalGuard(isJSON: style.format == .json) }
  }

  /// The same for a message of a store, whose JSON has its partition, too.
  mutating func print(_ message: StoredMessage) throws {
    partition = message.partition
    try print(message.record)
  }

  /// A record of a log in a directory, with its place in the file.
  mutating func print(_ record: Record) throws {
    try print(record, place: (record.index, record.size))
  }

  /// A record of any log, which has no place that anybody could look at.
  mutating func print(_ record: some LogRecord) throws {
    try print(record, place: nil)
  }

  private mutating func print(_ record: some LogRecord, place: (index: Int, size: Int)?) throws {
    switch format {
    case .raw:
      try printPayload(of: record)
    case .text:
      try printPayload(of: record)
      output.bytes.append(UInt8(ascii: "\n"))
    case .json: try printJSON(record, place)
    case .hex: try printHex(record, place)
    case .template(let template): try print(record, place, as: template)
    }
    try output.flushIfFull()
    isFirst = false
  }

  /// The payload as it is, or as a terminal may have it.
  private mutating func printPayload(of record: some LogRecord) throws {
    try Self.forEachPiece(of: record.payload) { _, bytes in
      guard terminalGuard != nil else { return try output.write(bytes) }
      terminalGuard?.pass(bytes, into: &output.bytes)
      try output.flushIfFull()
    }
    terminalGuard?.finish(into: &output.bytes)
  }

  // MARK: JSON

  private mutating func printJSON(_ record: some LogRecord, _ place: (index: Int, size: Int)?) throws {
    let isText = try isText(record.payload)
    if style.hasColours {
      var head: [UInt8] = []
      appendJSONHead(record, place, to: &head)
      head.append(isText ? #","text":"# : #","base64":"#)
      Colours.append(json: head, to: &output.bytes)
      output.bytes.append(Colours.text)
      output.bytes.append("\"")
    } else {
      appendJSONHead(record, place, to: &output.bytes)
      output.bytes.append(isText ? #","text":""# : #","base64":""#)
    }
    try Self.forEachPiece(of: record.payload) { _, bytes in
      if !isText {
        JSON.base64(bytes, into: &output.bytes)
      } else if terminalGuard == nil {
        JSON.escape(bytes, into: &output.bytes)
      } else {
        var escaped: [UInt8] = []
        JSON.escape(bytes, into: &escaped)
        escaped.withUnsafeBytes { terminalGuard?.pass($0, into: &output.bytes) }
      }
      try output.flushIfFull()
    }
    output.bytes.append("\"")
    if style.hasColours { output.bytes.append(Colours.end) }
    output.bytes.append("}\n")
  }

  /// Everything before the payload.
  private mutating func appendJSONHead(
    _ record: some LogRecord, _ place: (index: Int, size: Int)?, to bytes: inout [UInt8]
  ) {
    JSON.beginRecord(partition: partition, sequence: record.sequence, place, hasSchema: true, in: &bytes)
    bytes.append(#","timestamp":""#)
    timestamps.append(record.timestamp, to: &bytes)
    bytes.append(UInt8(ascii: "\""))
    // Where the timestamp is none, for a clock was wrong once, what the clock said.
    if record.timestamp.isDoubtful, let record = record as? Record, let time = log(partition)?.clockTime(of: record) {
      bytes.append(#","clock":""#)
      bytes += Array("\(time)".utf8)
      bytes.append(UInt8(ascii: "\""))
    }
  }

  // MARK: Hex

  private mutating func printHex(_ record: some LogRecord, _ place: (index: Int, size: Int)?) throws {
    if !isFirst { output.bytes.append("\n") }
    beginLabel()
    appendHexHead(record, place, to: &output.bytes)
    endLabel()
    output.bytes.append("\n")
    try Self.forEachPiece(of: record.payload) { offset, bytes in
      HexDump.append(bytes, offset: offset, to: &output.bytes)
      try output.flushIfFull()
    }
  }

  /// The line before the dump.
  private mutating func appendHexHead(
    _ record: some LogRecord, _ place: (index: Int, size: Int)?, to bytes: inout [UInt8]
  ) {
    if let partition {
      bytes.append("partition ")
      bytes.append(decimal: partition)
      bytes.append("  ")
    }
    bytes.append("record ")
    bytes.append(decimal: record.sequence)
    if let place {
      bytes.append("  index ")
      bytes.append(decimal: place.index)
    }
    bytes.append("  size ")
    bytes.append(decimal: place?.size ?? record.payload.count)
    bytes.append("  ")
    timestamps.append(record.timestamp, to: &bytes)
  }

  // MARK: Templates

  private mutating func print(
    _ record: some LogRecord, _ place: (index: Int, size: Int)?, as template: RecordTemplate
  ) throws {
    for part in template.parts {
      switch part {
      case .literal(let text): output.bytes += text
      case .payload: try printPayload(of: record)
      default:
        beginLabel()
        append(part, of: record, place)
        endLabel()
      }
    }
  }

  /// What is said of a record.
  private mutating func append(
    _ part: RecordTemplate.Part, of record: some LogRecord, _ place: (index: Int, size: Int)?
  ) {
    switch part {
    case .sequence: output.bytes.append(decimal: record.sequence)
    case .index: if let place { output.bytes.append(decimal: place.index) }
    case .timestamp: timestamps.append(record.timestamp, to: &output.bytes)
    case .size: output.bytes.append(decimal: record.payload.count)
    case .partition: if let partition { output.bytes.append(decimal: partition) }
    case .literal, .payload: preconditionFailure("these are not said of a record")
    }
  }

  private func beginLabel() { if style.hasColours { output.bytes.append(Colours.label) } }

  private func endLabel() { if style.hasColours { output.bytes.append(Colours.end) } }

  // MARK: Payloads

  private func isText(_ payload: Payload) throws -> Bool {
    var validator = UTF8Validator()
    var isValid = true
    try Self.forEachPiece(of: payload) { _, bytes in isValid = isValid && validator.feed(bytes) }
    return isValid && validator.isAtBoundary
  }

  private static func forEachPiece(of payload: Payload, _ body: (Int, UnsafeRawBufferPointer) throws -> Void) throws {
    if payload.count <= pieceSize {
      try payload.withUnsafeBytes { try body(0, $0) }
      return
    }
    var offset = 0
    try payload.forEachChunk(ofSize: pieceSize) { piece in
      try piece.withUnsafeBytes { try body(offset, $0) }
      offset += piece.count
    }
  }
}
