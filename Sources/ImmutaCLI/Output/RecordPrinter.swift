import Immuta
import ImmutaLogStore

/// Writes records to the output, in bounded memory whatever their size.
struct RecordPrinter {
  /// What a large payload is handled in: a multiple of 3, for Base64, and of 16, for the lines of a hex dump.
  private static let pieceSize = 3 << 16

  let format: RecordFormat
  let output: Output
  private var timestamps = TimestampText()
  private var isFirst = true
  /// That of the messages of a store.
  private var partition: Int?
  /// The log of a partition, or the only one.
  private let log: (_ partition: Int?) -> Log?

  init(_ format: RecordFormat, to output: Output, of log: @escaping (_ partition: Int?) -> Log?) {
    self.format = format
    self.output = output
    self.log = log
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
      try forEachPiece(of: record.payload) { _, bytes in try output.write(bytes) }
    case .text:
      try forEachPiece(of: record.payload) { _, bytes in try output.write(bytes) }
      output.bytes.append(UInt8(ascii: "\n"))
    case .json: try printJSON(record, place)
    case .hex: try printHex(record, place)
    case .template(let template): try print(record, place, as: template)
    }
    try output.flushIfFull()
    isFirst = false
  }

  private mutating func printJSON(_ record: some LogRecord, _ place: (index: Int, size: Int)?) throws {
    appendJSONHead(record, place, to: &output.bytes)
    if try isText(record.payload) {
      output.bytes.append(#","text":""#)
      try forEachPiece(of: record.payload) { _, bytes in
        JSON.escape(bytes, into: &output.bytes)
        try output.flushIfFull()
      }
    } else {
      output.bytes.append(#","base64":""#)
      try forEachPiece(of: record.payload) { _, bytes in
        JSON.base64(bytes, into: &output.bytes)
        try output.flushIfFull()
      }
    }
    output.bytes.append("\"}\n")
  }

  private mutating func printHex(_ record: some LogRecord, _ place: (index: Int, size: Int)?) throws {
    if !isFirst { output.bytes.append("\n") }
    appendHexHead(record, place, to: &output.bytes)
    try forEachPiece(of: record.payload) { offset, bytes in
      HexDump.append(bytes, offset: offset, to: &output.bytes)
      try output.flushIfFull()
    }
  }

  private mutating func print(
    _ record: some LogRecord, _ place: (index: Int, size: Int)?, as template: RecordTemplate
  ) throws {
    for part in template.parts {
      switch part {
      case .literal(let text): output.bytes += text
      case .sequence: output.bytes.append(decimal: record.sequence)
      case .index: if let place { output.bytes.append(decimal: place.index) }
      case .timestamp: timestamps.append(record.timestamp, to: &output.bytes)
      case .payload: try forEachPiece(of: record.payload) { _, bytes in try output.write(bytes) }
      case .size: output.bytes.append(decimal: record.payload.count)
      case .partition: if let partition { output.bytes.append(decimal: partition) }
      }
    }
  }

  /// Everything before the payload.
  private mutating func appendJSONHead(
    _ record: some LogRecord, _ place: (index: Int, size: Int)?, to bytes: inout [UInt8]
  ) {
    JSON.beginRecord(partition: partition, sequence: record.sequence, place, in: &bytes)
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
    bytes.append(UInt8(ascii: "\n"))
  }

  private func isText(_ payload: Payload) throws -> Bool {
    var validator = UTF8Validator()
    var isValid = true
    try forEachPiece(of: payload) { _, bytes in isValid = isValid && validator.feed(bytes) }
    return isValid && validator.isAtBoundary
  }

  private func forEachPiece(of payload: Payload, _ body: (Int, UnsafeRawBufferPointer) throws -> Void) throws {
    if payload.count <= Self.pieceSize {
      try payload.withUnsafeBytes { try body(0, $0) }
      return
    }
    var offset = 0
    try payload.forEachChunk(ofSize: Self.pieceSize) { piece in
      try piece.withUnsafeBytes { try body(offset, $0) }
      offset += piece.count
    }
  }
}
