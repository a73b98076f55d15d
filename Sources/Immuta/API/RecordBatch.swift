/// Some records of a log, one after the other, that were delivered together: see ``RecordStream/batches()`` and
/// ``RecordReader/nextBatch()``.
///
/// There is at least one: as many as were read ahead, up to some 256 KiB of the log. A batch is a collection that gives each
/// record when it is asked for. It stays valid for as long as it is held, as its records do; see ``Payload``.
public struct RecordBatch: RandomAccessCollection, Sendable {
  private let taken: TakenRecords
  /// The records' numbers in their log. Not empty.
  public let sequences: Range<Int>

  init(_ taken: TakenRecords) {
    self.taken = taken
    switch taken {
    case .run(let run): sequences = run.numbers
    case .records(let records):
      guard let first = records.first else { preconditionFailure("a batch has a record") }
      sequences = first.sequence..<first.sequence + records.count
    }
  }

  /// The first record's place: 0, whatever its number is.
  public var startIndex: Int { 0 }
  /// The place after the last record: how many there are.
  public var endIndex: Int { sequences.count }

  /// The record at a place, counted from 0; traps outside. O(1).
  public subscript(place: Int) -> Record {
    precondition(
      place >= 0 && place < sequences.count, "there is no place \(place) in a batch of \(sequences.count) records")
    return taken.record(at: place)
  }

  /// Calls `body` with the number and the bytes of each record, in order. The bytes are valid only until it returns. So no
  /// reference is counted for a record, which makes this the fastest way through a log.
  ///
  /// ```swift
  /// for try await batch in log.stream().batches() {
  ///   try batch.forEachPayload { number, bytes in sum += bytes.byteCount }
  /// }
  /// ```
  ///
  /// - Throws: what `body` throws. For a payload of more than 1 MiB, also what reading or decoding it throws.
  public func forEachPayload(_ body: (_ sequence: Int, _ bytes: RawSpan) throws -> Void) throws {
    switch taken {
    case .run(let run):
      try unsafe run.forEachPayload { number, bytes in try unsafe body(number, RawSpan(_unsafeBytes: bytes)) }
    case .records(let records):
      for record in records {
        try record.payload.inMemory().withBytes { bytes in try body(record.sequence, bytes) }
      }
    }
  }
}

/// The records of a log in batches: see ``RecordStream/batches()``.
///
/// A value, as the stream is: copies go their own ways. When `next` throws, the position stays.
public struct RecordBatches: AsyncSequence, AsyncIteratorProtocol, Sendable {
  /// What it delivers.
  public typealias Element = RecordBatch

  /// The stream that the batches come from. It stands after the last record of the batch that was delivered last.
  public var stream: RecordStream

  init(_ stream: RecordStream) {
    self.stream = stream
  }

  /// The batches themselves, from their position on. O(1).
  public func makeAsyncIterator() -> RecordBatches { self }

  /// The next batch, waiting for a record if need be; never nil.
  ///
  /// - Throws: as the stream's `next()`.
  public mutating func next() async throws -> RecordBatch? {
    while true {
      try Task.checkCancellation()
      if let batch = try nextAtOnce() { return batch }
      try await stream.cursor.waitForNext()
    }
  }

  /// The next batch, on the caller's actor: what a `for try await` loop calls.
  public mutating func next(isolation actor: (any Actor)?) async throws -> RecordBatch? { try await next() }

  /// The next batch, or nil when no record came in time. With a timeout of zero or less it does not wait.
  ///
  /// - Throws: as `next()`.
  public mutating func next(timeout: Duration) async throws -> RecordBatch? {
    try Task.checkCancellation()
    if let batch = try nextAtOnce() { return batch }
    let deadline = ContinuousClock.Instant.after(timeout)
    while try await stream.cursor.waitForNext(until: deadline) {
      try Task.checkCancellation()
      if let batch = try nextAtOnce() { return batch }
    }
    return nil
  }

  /// The next batch if a record is committed already; nil otherwise. Does not wait.
  ///
  /// - Throws: as `next()`, but for cancellation.
  public mutating func nextAtOnce() throws(ImmutaError) -> RecordBatch? {
    try stream.cursor.nextBatchAtOnce().map(RecordBatch.init)
  }
}

extension RecordStream {
  /// The same records, from the stream's position on, several at once: those committed by then, up to some 256 KiB of the log; at
  /// least one. Taking a batch costs what taking a record costs, and each record in it costs less.
  ///
  /// ```swift
  /// for try await batch in log.stream(from: .beginning).batches() {
  ///   for record in batch { print(record.sequence, record.text) }
  /// }
  /// ```
  public func batches() -> RecordBatches { RecordBatches(self) }
}

extension RecordReader {
  /// The records that come next: those committed by now, up to some 256 KiB of the log. Waits for one if need be; never nil.
  ///
  /// The reader then stands after the last of them. If several tasks share a reader, each batch goes to one of them.
  ///
  /// - Throws: as ``next()``.
  public func nextBatch() async throws -> RecordBatch? {
    while true {
      try Task.checkCancellation()
      if let batch = try nextBatchAtOnce() { return batch }
      try await waiting.waitForNext()
    }
  }

  /// The records that come next, or nil when none came in time. With a timeout of zero or less it does not wait.
  ///
  /// - Throws: as ``next()``.
  public func nextBatch(timeout: Duration) async throws -> RecordBatch? {
    let deadline = ContinuousClock.Instant.after(timeout)
    var isInTime = true
    while true {
      try Task.checkCancellation()
      if let batch = try nextBatchAtOnce() { return batch }
      if !isInTime { return nil }
      isInTime = try await waiting.waitForNext(until: deadline)
    }
  }

  /// The records that come next, if one is committed already; nil otherwise. Does not wait.
  ///
  /// - Throws: as ``next()``, but for cancellation.
  public func nextBatchAtOnce() throws(ImmutaError) -> RecordBatch? {
    try withCursor { (cursor) throws(ImmutaError) in try cursor.nextBatchAtOnce() }.map(RecordBatch.init)
  }
}
