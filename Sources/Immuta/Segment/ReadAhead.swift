/// Records that were read ahead and found whole. With it a stream delivers the next one in a few steps, without touching any
/// reference count but the record's own.
///
/// A holder of one must also hold the log that its reader belongs to.
///
/// `@unchecked Sendable`: the pointers lead into `memory`, which is held beside them, and which nobody changes while
/// anybody holds it; the reader may be used from anywhere.
@safe struct ReadAhead: @unchecked Sendable {
  private var memory: Chunk.Memory?
  /// Not counted: the log holds it for as long as there is a stream.
  private var reader: Unmanaged<LogReader>?
  private var entries: UnsafeRawPointer?
  /// Where the byte at offset 0 of the log would be.
  private var log: Int = 0
  /// Number of the first record, and how many there are.
  private var first = 0
  private var count = 0
  /// Bytes before each payload.
  private var headerSize = 0

  /// Nothing.
  init() {
    unsafe (reader, entries) = (nil, nil)
  }

  /// The whole records of a chunk.
  init(_ chunk: Chunk, of reader: LogReader) {
    assert(
      chunk.wholeCount == 0 || chunk.wholeCount < chunk.entryCount, "after each of them lies the entry of the next")
    unsafe self.reader = .passUnretained(reader)
    memory = chunk.memory
    first = chunk.first
    count = chunk.wholeCount
    headerSize = reader.format.recordHeaderSize
    unsafe entries = UnsafeRawPointer(chunk.entryBytes.baseAddress)
    log = unsafe Int(bitPattern: chunk.logBytes.baseAddress) - chunk.start
  }

  /// Record `number`, as it is stored; nil when it is not one of these, or the log is closed.
  @inline(__always)
  func record(_ number: Int) -> Record? {
    let position = number &- first
    guard position >= 0, position < count, let entries = unsafe entries, let reader = unsafe reader,
      unsafe reader._withUnsafeGuaranteedRef({ $0.isOpen })
    else { return nil }
    let (entry, index, payload) = unsafe Self.place(position, entries, log, headerSize)
    return unsafe Record(
      sequence: number, index: index, timestamp: Timestamp(nanosecondsSince1970: CompanionEntry.time(in: entry)),
      payload: Payload(payload, owner: memory))
  }

  /// Where a whole record of a chunk is: its entry, its index, and its payload.
  @inline(__always)
  static func place(
    _ position: Int, _ entries: UnsafeRawPointer, _ log: Int, _ headerSize: Int
  ) -> (entry: UnsafeRawBufferPointer, index: Int, payload: UnsafeRawBufferPointer) {
    let entry = unsafe UnsafeRawBufferPointer(
      start: entries + position &* CompanionEntry.size, count: 2 &* CompanionEntry.size)
    let (index, end) = unsafe CompanionEntry.indexes(ofTwo: entry)
    let start = index &+ headerSize
    let payload = unsafe UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: log &+ start), count: end &- start)
    return unsafe (entry, index, payload)
  }

  /// Record `number` and the ones after it, for a caller that may hold them for longer than the log; nil when it is not one of
  /// these, or the log is closed.
  func run(from number: Int) -> RecordRun? {
    let position = number - first
    guard position >= 0, position < count, let memory, let entries = unsafe entries, let reader = unsafe reader,
      unsafe reader._withUnsafeGuaranteedRef({ $0.isOpen })
    else { return nil }
    return unsafe RecordRun(
      memory, entries: entries + position * CompanionEntry.size, log: log, numbers: number..<first + count,
      headerSize: headerSize)
  }
}
