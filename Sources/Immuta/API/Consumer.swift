import ImmutaLocking

/// A reader of a log whose position survives the process and the machine: each record is delivered at least once.
///
/// ```swift
/// let billing = try events.consumer("billing")
/// while let record = try await billing.next() {
///   try await charge(record)
///   try await billing.acknowledge(record)       // and all before it
/// }
/// ```
///
/// Get one with ``Log/consumer(_:startingAt:creating:)``. It delivers records in their order, from the first that it has not
/// acknowledged on. A record that was delivered but not acknowledged when the process ends is delivered again, so your work on a
/// record must tolerate being done twice. One process has a consumer at a time; others get ``ImmutaError/consumerInUse(_:)``.
/// That process may be the one that appends, or another one that opens the log for reading only.
///
/// Acknowledging is one small write to the consumer's own file. What it survives:
///
/// - *The process dies:* the position is what was acknowledged last.
/// - *The machine dies:* with `.synced` the same; with `.interval` the position is older by at most the interval; with
///   `.buffered` the kernel decides how much older. It is never newer: it never names a record that the log has lost, and no
///   record is skipped.
///
/// With `.synced` it delivers a record only after the record is on stable storage. The storage's durability decides, also where
/// it is open for reading only.
///
/// Several tasks may use one consumer: each record then goes to one of them. But acknowledging one record acknowledges all before
/// it, so tasks that work on several at once must acknowledge in order.
public final class Consumer: Sendable {
  /// The consumer's name.
  public let name: String
  /// What it reads.
  public let log: Log
  let keeper: PositionKeeper
  let reader: RecordReader
  /// The reader that batches are processed from, while nobody uses it.
  private let batches: Lock<RecordReader?>
  private let visibility: StreamVisibility
  private let waits = Lock(Waits())

  /// Callers that wait for a record: closing ends their waits.
  private struct Waits {
    var isClosed = false
    var tasks: [Int: Task<Bool, any Error>] = [:]
    var next = 0
    /// How often the consumer was moved: a caller that waits then looks at the new place.
    var moves = 0
  }

  init(_ name: String, _ keeper: PositionKeeper, of log: Log, only visibility: StreamVisibility) {
    self.name = name
    self.log = log
    self.keeper = keeper
    self.visibility = visibility
    reader = log.reader(from: .skipping(keeper.position), only: visibility)
    batches = Lock(nil)
  }

  // MARK: Taking records

  /// The next record, waiting for it if need be; never nil.
  ///
  /// - Throws: as ``RecordReader/next()``; `.recordRemoved` where retention removed what comes next: call `seek(to:)` to go on;
  ///   `.consumerClosed`. The place stays.
  public func next() async throws -> Record? {
    try await take(until: nil, nextAtOnce)
  }

  /// The next record, or nil when none came in time. A timeout of zero or less takes a record that exists.
  ///
  /// - Throws: as ``next()``.
  public func next(timeout: Duration) async throws -> Record? {
    try await take(until: .after(timeout), nextAtOnce)
  }

  /// The next record if it is committed already; nil otherwise. Does not wait.
  ///
  /// - Throws: as ``next()``, but for cancellation.
  public func nextAtOnce() throws(ImmutaError) -> Record? {
    try checkOpen()
    return try reader.nextAtOnce()
  }

  /// The records that come next, up to some 256 KiB of the log. Waits for one if need be; never nil. Acknowledge them together, by
  /// `acknowledge(_:)`.
  ///
  /// - Throws: as ``next()``.
  public func nextBatch() async throws -> RecordBatch? {
    try await take(until: nil, nextBatchAtOnce)
  }

  /// The records that come next, or nil when none came in time.
  ///
  /// - Throws: as ``next()``.
  public func nextBatch(timeout: Duration) async throws -> RecordBatch? {
    try await take(until: .after(timeout), nextBatchAtOnce)
  }

  /// The records that come next, if one is committed already; nil otherwise. Does not wait.
  ///
  /// - Throws: as ``next()``, but for cancellation.
  public func nextBatchAtOnce() throws(ImmutaError) -> RecordBatch? {
    try checkOpen()
    return try reader.nextBatchAtOnce()
  }

  private func checkOpen() throws(ImmutaError) {
    if waits.withLock({ $0.isClosed }) { throw .consumerClosed(name).of(log.namespace) }
  }

  /// What `next` gives, waiting until it gives something; nil when the deadline passed first.
  private func take<Taken>(
    until deadline: ContinuousClock.Instant?, _ next: () throws(ImmutaError) -> Taken?
  ) async throws -> Taken? {
    var isInTime = true
    while true {
      try Task.checkCancellation()
      if let taken = try next() { return taken }
      if !isInTime { return nil }
      isInTime = try await wait(reader.waiting, until: deadline)
    }
  }

  /// Waits for a record, in a task of its own that closing can end. False when the deadline passed first.
  private func wait(_ cursor: RecordCursor, until deadline: ContinuousClock.Instant?) async throws -> Bool {
    let (number, task, moves) = try waits.withLock { waits throws(ImmutaError) in
      if waits.isClosed { throw .consumerClosed(name).of(log.namespace) }
      let task = Task { () async throws -> Bool in
        if let deadline { return try await cursor.waitForNext(until: deadline) }
        try await cursor.waitForNext()
        return true
      }
      waits.next += 1
      waits.tasks[waits.next] = task
      return (waits.next, task, waits.moves)
    }
    defer { waits.withLock { $0.tasks[number] = nil } }
    do {
      return try await withTaskCancellationHandler {
        try await task.value
      } onCancel: {
        task.cancel()
      }
    } catch is CancellationError {
      try checkOpen()
      if !Task.isCancelled, waits.withLock({ $0.moves != moves }) { return true }
      throw CancellationError()
    }
  }

  // MARK: Processing

  /// Calls `body` with the records that come next, if any exist, and with the position before them.
  func withBatch(atMost count: Int, _ body: (_ from: Int, [Record]) async throws -> Int) async throws -> Int {
    try checkOpen()
    let reader = takeReader()
    defer { batches.withLock { $0 = reader } }
    let from = keeper.position
    if reader.position != from { reader.position = from }
    var records: [Record] = []
    while records.count < count, let record = try reader.nextAtOnce() { records.append(record) }
    let processed = try await body(from, records)
    // What is acknowledged is not delivered.
    if self.reader.position < keeper.position { self.reader.position = keeper.position }
    return processed
  }

  func waitToProcess() async throws {
    try checkOpen()
    let reader = takeReader()
    defer { batches.withLock { $0 = reader } }
    // Somebody may have moved the consumer, maybe back.
    if reader.position != keeper.position { reader.position = keeper.position }
    _ = try await wait(reader.waiting, until: nil)
  }

  private func takeReader() -> RecordReader {
    let reader = batches.withLock { batches in
      defer { batches = nil }
      return batches
    }
    return reader ?? log.reader(from: .skipping(keeper.position), only: visibility)
  }

  // MARK: Position

  /// The number of the first record that was not acknowledged: where the consumer goes on after a crash. O(1).
  public var position: Int { keeper.position }

  /// How many records exist that were not acknowledged. O(1).
  public var lag: Int { max(0, log.count - max(position, log.firstSequence)) }

  /// Acknowledges a record and all before it; does nothing where that was done already. One small write; with `.synced` also a
  /// flush, which all callers share that acknowledge meanwhile.
  ///
  /// - Throws: `.positionBeyondEnd` where the log has no such record, `.consumerClosed`, `.io`; `.logMoved` where the position's
  ///   file was removed or replaced. The position stays, unless a flush failed.
  public func acknowledge(_ record: Record) async throws {
    try await flush(try acknowledgeNow(record))
  }

  /// Acknowledges all records of a batch and those before it: one small write.
  ///
  /// - Throws: as `acknowledge(_:)` of a record.
  public func acknowledge(_ batch: RecordBatch) async throws {
    try await flush(try acknowledgeNow(batch[batch.count - 1]))
  }

  /// Acknowledges all records up to and including the one of a number.
  ///
  /// - Throws: as `acknowledge(_:)` of a record.
  public func acknowledge(through sequence: Int) async throws {
    try await flush(try acknowledgeNow(through: sequence))
  }

  /// Moves the consumer, forward or back: it goes on there, also after a crash.
  ///
  /// - Throws: `.recordRemoved` for a record that retention has removed: `.beginning` is the first that exists;
  ///   `.positionBeyondEnd`, `.foreignPosition`, `.invalidPosition`, `.consumerClosed`, `.io`; the position stays.
  public func seek(to position: StreamPosition) async throws {
    try await flush(try seekNow(to: position))
  }

  private func acknowledgeNow(_ record: Record) throws(ImmutaError) -> Int {
    try acknowledgeNow(log.place(after: record))
  }

  private func acknowledgeNow(through sequence: Int) throws(ImmutaError) -> Int {
    try checkOpen()
    if sequence < 0 { throw .invalidPosition(sequence).of(log.namespace) }
    try log.checkExists(sequence)
    return try acknowledgeNow(log.open.place(sequence + 1))
  }

  private func acknowledgeNow(_ place: ConsumerMark.Place) throws(ImmutaError) -> Int {
    try checkOpen()
    try log.checkExists(place.number - 1)
    let writes = try keeper.acknowledge(place)
    // What is acknowledged is not delivered.
    if reader.position < place.number { reader.position = place.number }
    return writes
  }

  private func seekNow(to position: StreamPosition) throws(ImmutaError) -> Int {
    try checkOpen()
    let place = try log.place(of: position)
    let writes = try keeper.seek(to: place)
    reader.position = place.number
    let tasks = waits.withLock { waits in
      waits.moves += 1
      return Array(waits.tasks.values)
    }
    for task in tasks { task.cancel() }
    return writes
  }

  private func flush(_ writes: Int) async throws {
    guard log.durability == .synced else { return }
    let keeper = keeper
    try await log.onWorkThread { () throws(ImmutaError) in try keeper.flush(through: writes) }
  }

  private func flushBlocking(_ writes: Int) throws(ImmutaError) {
    if log.durability == .synced { try keeper.flush(through: writes) }
  }

  /// Puts the position on stable storage, and lets others have the consumer. A caller that waits for its next record gets
  /// `.consumerClosed`. Closing the log closes its consumers, too. Idempotent; blocks for a flush.
  public func close() {
    // Acknowledging reports what could not be written.
    _ = closeReporting()
  }

  /// Closes as ``close()`` does, and returns what went wrong.
  func closeReporting() -> ImmutaError? {
    let tasks = waits.withLock { waits in
      waits.isClosed = true
      return Array(waits.tasks.values)
    }
    for task in tasks { task.cancel() }
    return keeper.close()
  }
}

// The same for code that is not async; see Log+Append.swift for when these are called.
extension Consumer {
  /// Acknowledges a record and all before it. Blocks for the flush in `.synced`.
  public func acknowledge(_ record: Record) throws(ImmutaError) { try flushBlocking(acknowledgeNow(record)) }

  /// Acknowledges all records of a batch and those before it. Blocks for the flush in `.synced`.
  public func acknowledge(_ batch: RecordBatch) throws(ImmutaError) {
    try flushBlocking(acknowledgeNow(batch[batch.count - 1]))
  }

  /// Acknowledges all records up to and including the one of a number. Blocks for the flush in `.synced`.
  public func acknowledge(through sequence: Int) throws(ImmutaError) {
    try flushBlocking(acknowledgeNow(through: sequence))
  }

  /// Moves the consumer. Blocks for the flush in `.synced`.
  public func seek(to position: StreamPosition) throws(ImmutaError) { try flushBlocking(seekNow(to: position)) }
}
