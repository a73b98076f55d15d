/// Whole records that lie in a chunk one after the other. It holds the chunk, and nothing else of the log.
///
/// `@unchecked Sendable`: the pointers lead into `memory`, which is held beside them, and which nobody changes while
/// anybody holds it.
@safe struct RecordRun: @unchecked Sendable {
  private let memory: Chunk.Memory
  /// Of the first record; after that of the last comes one more.
  private let entries: UnsafeRawPointer
  /// Where the byte at offset 0 of the log would be.
  private let log: Int
  let numbers: Range<Int>
  private let headerSize: Int

  init(_ memory: Chunk.Memory, entries: UnsafeRawPointer, log: Int, numbers: Range<Int>, headerSize: Int) {
    self.memory = memory
    unsafe self.entries = entries
    self.log = log
    self.numbers = numbers
    self.headerSize = headerSize
  }

  /// The record at a position counted from 0, which is less than how many there are.
  func record(at position: Int) -> Record {
    let (entry, index, payload) = unsafe ReadAhead.place(position, entries, log, headerSize)
    return unsafe Record(
      sequence: numbers.lowerBound + position, index: index,
      timestamp: Timestamp(nanosecondsSince1970: CompanionEntry.time(in: entry)),
      payload: Payload(payload, owner: memory))
  }

  /// Calls `body` with the number and the payload of each record; the bytes are valid only until it returns.
  func forEachPayload(_ body: (Int, UnsafeRawBufferPointer) throws -> Void) rethrows {
    defer { withExtendedLifetime(memory) {} }
    for position in 0..<numbers.count {
      try unsafe body(numbers.lowerBound + position, ReadAhead.place(position, entries, log, headerSize).payload)
    }
  }
}
