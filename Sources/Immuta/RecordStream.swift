import Solid

/// Where a stream begins.
public enum StreamPosition: Hashable, Sendable {
  /// With the first record of the log.
  case beginning
  /// With the first record that is committed after the call that made the stream.
  case latest
  /// With the record of this number, even if it has not been written yet: the first n records are skipped. At least 0.
  case skipping(Int)

  /// The position after `count` records, where the number comes from outside; nil for a negative one.
  public init?(skipping count: Int) {
    guard count >= 0 else { return nil }
    self = .skipping(count)
  }

  /// The position after as many records as the text says, for text from outside, such as a request's `Last-Event-ID`;
  /// nil for anything but decimal digits that make a number of 63 bits.
  public init?(_ text: some StringProtocol) {
    guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let count = Int(text) else {
      return nil
    }
    self = .skipping(count)
  }
}

/// Which committed records a stream delivers.
public enum StreamVisibility: Hashable, Sendable {
  /// All of them, as soon as they are committed.
  case committed
  /// Those on stable storage: such a stream never delivers what a power cut could take back. With durability
  /// `.buffered` records become stable when `sync()` is called, and when the log is closed.
  case durable
}

/// The records of a log, in order, each once: those that are there, then those to come.
///
/// ```swift
/// for try await record in log.stream(from: .beginning) {
///   print(record.sequence, record.text)
/// }
/// ```
///
/// A stream is a value: a position and what was read ahead. Copies go their own ways. It holds no descriptor and no
/// thread while it waits, and it reads without slowing the writer or other streams. It never skips a record: when
/// `next` throws, for whatever reason, the position stays, and the next call delivers the record that would have come.
///
/// It ends only by an error: `CancellationError` when its task is cancelled, `.storageClosed` when the storage is
/// closed, `.corrupted` at a damaged record. To go on behind a damaged record, raise ``position``.
public struct RecordStream: AsyncSequence, AsyncIteratorProtocol, Sendable {
  /// What a stream delivers.
  public typealias Element = Record

  /// Number of the record that comes next. Setting it moves the stream; at least 0.
  public var position: Int {
    didSet { precondition(position >= 0, "a stream's position is at least 0") }
  }

  /// Nil, and a reason why, for a stream of nothing.
  private let log: Log?
  private let failure: ImmutaError?
  private let visibility: StreamVisibility
  private let readerNumber: Int
  /// The records of `chunk` that need no further look, where they are delivered as they are stored.
  private var ahead = ReadAhead()
  private var chunk: Chunk?
  private var windows: TailWindows?
  /// Records that the next chunk is expected to hold.
  private var expected = 64

  init(_ log: Log, from start: StreamPosition, only visibility: StreamVisibility, reader: Int) {
    self.visibility = visibility
    self.log = log
    failure = nil
    readerNumber = reader
    switch start {
    case .beginning: position = 0
    case .latest: position = log.count
    case .skipping(let count):
      precondition(count >= 0, "a stream skips at least 0 records")
      position = count
    }
  }

  init(failing error: ImmutaError) {
    log = nil
    failure = error
    visibility = .committed
    readerNumber = 0
    position = 0
  }

  /// Moves the stream to the record of a number that comes from outside. O(1).
  ///
  /// - Throws: `.recordNotFound` for a negative number; the position stays then.
  public mutating func move(to sequence: Int) throws(ImmutaError) {
    guard sequence >= 0 else { throw .recordNotFound(sequence) }
    position = sequence
  }

  /// The stream itself, from its position on. O(1).
  public func makeAsyncIterator() -> RecordStream { self }

  /// The next record, waiting for it if need be; never nil.
  ///
  /// - Throws: `CancellationError`, `.namespaceNotFound`, `.storageClosed`, `.corrupted`, `.io`.
  @inlinable
  public mutating func next() async throws -> Record? {
    while true {
      try Task.checkCancellation()
      if let record = try nextAtOnce() { return record }
      try await waitForNext()
    }
  }

  /// The next record, on the caller's actor: what a `for try await` loop calls.
  ///
  /// The actor is not looked at: the function runs where its caller does, as `nonisolated(nonsending)` ones do. With an
  /// `isolated` parameter each record would cost the question whether it is there already, 20 ns.
  @inlinable
  public mutating func next(isolation actor: (any Actor)?) async throws -> Record? {
    while true {
      try Task.checkCancellation()
      if let record = try nextAtOnce() { return record }
      try await waitForNext()
    }
  }

  /// The next record, or nil when none came in time. A timeout of zero or less takes a record that is there.
  ///
  /// - Throws: as `next()`.
  public mutating func next(timeout: Duration) async throws -> Record? {
    try Task.checkCancellation()
    if let record = try nextAtOnce() { return record }
    // A century is as good as any longer time, and can be added to any clock.
    let deadline = ContinuousClock.now + Swift.min(timeout, .seconds(100 * 365 * 86_400))
    while try await waitForNext(until: deadline) {
      try Task.checkCancellation()
      if let record = try nextAtOnce() { return record }
    }
    return nil
  }

  /// The next record if it is committed already; nil otherwise. Does not wait.
  ///
  /// - Throws: as `next()`, but for cancellation.
  public mutating func nextAtOnce() throws(ImmutaError) -> Record? {
    // What was read ahead was there to be delivered; the count need not be looked at.
    if let record = ahead.record(position) {
      position &+= 1
      return record
    }
    return try nextFromLog()
  }

  @inline(never)
  private mutating func nextFromLog() throws(ImmutaError) -> Record? {
    guard let log else { throw failure ?? .storageClosed }
    let reader = log.reader
    try reader.checkOpen()
    if let record = try chunk?.record(position, reader.check) { return take(record) }
    if position >= log.progress(visibility).generation {
      try log.refresh(visibility)
      if position >= log.progress(visibility).generation { return nil }
    }
    return try read(reader, log.progress(visibility).generation)
  }

  /// Waits until there is a record at the position. What a waiting stream needs is in this frame and its caller's: ten
  /// thousand of them are ten thousand times that.
  @usableFromInline
  func waitForNext() async throws {
    guard let log else { throw failure ?? .storageClosed }
    try log.beginWait(visibility)
    defer { log.endWait(visibility) }
    do {
      _ = try await log.progress(visibility).wait(past: position)
    } catch is BroadcasterClosed {
      throw ImmutaError.storageClosed
    }
  }

  /// The same; false when the deadline passed first.
  private func waitForNext(until deadline: ContinuousClock.Instant) async throws -> Bool {
    guard let log else { throw failure ?? .storageClosed }
    try log.beginWait(visibility)
    defer { log.endWait(visibility) }
    do {
      return try await log.progress(visibility).wait(past: position, until: deadline) != nil
    } catch is BroadcasterClosed {
      throw ImmutaError.storageClosed
    }
  }

  /// Waits until there is a record at the position, or the deadline, if there is one, has passed.
  package func waitForRecord(until deadline: ContinuousClock.Instant?) async throws {
    if let deadline { _ = try await waitForNext(until: deadline) } else { try await waitForNext() }
  }

  /// The record at the position, which is committed: from the writer's windows, or a new chunk.
  private mutating func read(_ reader: LogReader, _ count: Int) throws(ImmutaError) -> Record {
    let end = reader.end
    if let record = try windows?.record(position, committedEnd: end, reader.check) { return take(record) }
    windows = reader.windows
    if let record = try windows?.record(position, committedEnd: end, reader.check) {
      forgetChunk()
      return take(record)
    }
    let old = chunk
    forgetChunk()
    switch try reader.read(position, count: count, most: expected, reader: readerNumber, reusing: old) {
    case .single(let record):
      expected = 16
      return take(record)
    case .chunk(var chunk):
      guard let record = try chunk.record(position, reader.check) else {
        throw reader.check.corrupted(position, chunk.start, "the log ends inside it")
      }
      expected = chunk.entriesWorthReading(reader.format)
      if reader.check.decoder == nil {
        chunk.checkAll(reader.check)
        ahead = ReadAhead(chunk, of: reader)
      }
      self.chunk = chunk
      return take(record)
    }
  }

  private mutating func forgetChunk() {
    chunk = nil
    ahead = ReadAhead()
  }

  private mutating func take(_ record: Record) -> Record {
    position += 1
    return record
  }
}
