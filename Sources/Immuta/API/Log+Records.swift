extension Log {
  /// The committed records of a range of numbers, as an ordinary sequence.
  ///
  /// The records are read once and checked before this returns. So iterating over them cannot fail, whatever becomes of the log
  /// meanwhile, even after the storage was closed. They are held in memory, however many they are; only payloads of more than 1
  /// MiB are mapped or read when they are touched: see ``Payload``. To go through many records, use ``history(from:only:)``, or a
  /// stream.
  ///
  /// - Complexity: O(bytes of the records), in time and memory.
  /// - Throws: `.recordNotFound` when a number is not (yet) a record's, `.corrupted` naming the first damaged one,
  ///   `.undecodable`, `.storageClosed`, `.io`.
  public func records(in range: Range<Int>) throws(ImmutaError) -> RecordSequence {
    try open.refresh()
    try checkOpen()
    let count = reader.count
    if range.lowerBound < 0 { throw .recordNotFound(range.lowerBound).of(namespace) }
    if range.upperBound > count {
      if let damage = open.endDamage { throw .corrupted(damage).of(namespace) }
      throw .recordNotFound(Swift.max(count, range.lowerBound)).of(namespace)
    }
    var cursor = cursor(from: .skipping(range.lowerBound), only: .committed)
    var records: [Record] = []
    records.reserveCapacity(Swift.min(range.count, 4096))
    while cursor.place < range.upperBound {
      guard let record = try cursor.nextAtOnce() else { throw .recordNotFound(cursor.place).of(namespace) }
      // Another program may cut the file: then the bytes that were read a moment ago are gone.
      if isFollowing { _ = try record.payload.inMemory() }
      records.append(record)
    }
    return RecordSequence(records)
  }

  /// The records from a position to the last one that exists when this is called: what a stream would deliver, without waiting
  /// for more.
  ///
  /// It is for code that is async, and for code that is not:
  ///
  /// ```swift
  /// for try await record in log.history(from: .beginning) { … }
  ///
  /// var history = log.history(from: .beginning)
  /// while let record = try history.next() { … }
  /// ```
  ///
  /// Never fails; its `next()` throws what stands in the way, such as a closed storage. From a position at or beyond the end
  /// there are no records; `.sequence` and `.position` throw there as they do of a stream. O(1), from `.time` O(log n).
  public func history(
    from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> RecordHistory {
    let cursor = cursor(from: position, only: visibility)
    // The first read throws what cannot be reported here.
    try? open.refresh(visibility)
    return RecordHistory(cursor, end: open.count(visibility, reader))
  }
}

extension Storage {
  /// The records of a namespace from a position to the last one that exists when this is called. See ``Log/history(from:only:)``.
  /// Never fails: its first `next()` throws the error of an unknown namespace or a closed storage.
  public func history(
    _ namespace: String, from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> RecordHistory {
    do throws(ImmutaError) {
      return try log(namespace).history(from: position, only: visibility)
    } catch {
      return RecordHistory(RecordCursor(failing: error), end: 0)
    }
  }
}

/// The records of a log up to an end, in order, each once: see ``Log/history(from:only:)``.
///
/// Read as a stream reads, in bounded memory. It holds no descriptor and no thread between two records. A value: copies go
/// their own ways. When `next` throws, the position stays.
public struct RecordHistory: AsyncSequence, AsyncIteratorProtocol, Sendable {
  /// What a history delivers.
  public typealias Element = Record
  /// `CancellationError` and ``ImmutaError``.
  public typealias Failure = any Error

  private var cursor: RecordCursor
  /// Number of the first record that it does not deliver: the log's count when it was made.
  public let end: Int
  /// Whether the first record is still to come: then an error on the way to it is thrown, even if the history is empty.
  private var isBeginning = true

  init(_ cursor: RecordCursor, end: Int) {
    self.cursor = cursor
    self.end = end
  }

  /// Number of the record that comes next; at least ``end`` when none does. O(1).
  public var position: Int { cursor.place }

  /// The history itself, from its position on. O(1).
  public func makeAsyncIterator() -> RecordHistory { self }

  /// The next record; nil after the last. Reads from the device where it must, and does not wait for anything else.
  ///
  /// - Throws: `.namespaceNotFound`, `.storageClosed`, `.corrupted`, `.undecodable`, `.io`; `.logChanged` where the log is
  ///   open for reading only; the first call also `.positionBeyondEnd`, `.foreignPosition`, `.invalidPosition`.
  public mutating func next() throws(ImmutaError) -> Record? { try take() }

  /// The next record; nil after the last: what a `for try await` loop calls.
  ///
  /// - Throws: as the one for code that is not async, and `CancellationError`.
  public mutating func next(isolation actor: (any Actor)?) async throws -> Record? {
    try Task.checkCancellation()
    return try take()
  }

  private mutating func take() throws(ImmutaError) -> Record? {
    if isBeginning {
      try cursor.checkPlace()
      isBeginning = false
    }
    if cursor.place < end {
      if let record = try cursor.nextAtOnce() { return record }
      // The log was cut back by somebody who is not done yet, unless all records were removed.
      if cursor.place < end { throw cursor.missing }
    }
    try cursor.checkEnd()
    return nil
  }
}

/// Committed records of a log, in order: see ``Log/records(in:)``. May be iterated any number of times.
public struct RecordSequence: RandomAccessCollection, Sendable {
  private let records: [Record]

  init(_ records: [Record]) {
    self.records = records
  }

  /// The first record's place: 0, whatever its number is.
  public var startIndex: Int { 0 }
  /// The place after the last record: how many there are.
  public var endIndex: Int { records.count }

  /// The record at a place, counted from 0; traps outside. O(1).
  public subscript(place: Int) -> Record { records[place] }
}
