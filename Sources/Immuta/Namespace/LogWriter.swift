import ImmutaLocking
import Logging
import Solid
import Synchronization

/// The writing side of a log: hands the turn to one caller at a time, and keeps the promises of closing and failing.
///
/// All state is under one mutex, held for one bounded piece of work: for all of a small append, and for one piece at a time of a
/// large one. Longer work (a transaction, a large payload) has the *turn*, which others wait for without holding the mutex; so
/// `close()` never waits for a caller's code.
@usableFromInline
final class LogWriter: Sendable, StoredRecordWriter {
  let files: LogFiles
  /// The reader of the newest segment.
  let newest: NewestSegment
  /// The segments before the newest.
  let sealed: SealedSegments
  let roller: Roller
  let flusher: Flusher
  /// The reader's broadcaster, at hand: it is notified of each commit.
  let committed: Broadcaster
  let state: Lock<WriterState>
  private let durability: Durability
  /// Whether an append returns only when its record is stable. Records of callers without a turn are then committed when a flush
  /// begins: see ``WriterState/commitRound()``.
  let awaitsFlush: Bool
  /// Transforms payloads; nil if they are stored as they are.
  let encoder: RecordEncoder?
  /// Room for the payloads of waiting callers.
  let roomForQueue = QueuedAppend.Room()
  /// A second caller that closes returns when the log is closed, not before.
  let closing = Closing()
  let longWaits: LongWaits
  /// Whether ``OpenFiles`` knows of its descriptors.
  let isListed = Atomic(false)
  /// The intents of the steps whose first log this is. Used by the caller that has the turn, and by the one that closes the log.
  /// Nil before the first step.
  let intents = Lock<StepIntents?>(nil)

  /// How much of a payload is written while the mutex is held.
  var pieceSize: Int { 1 << 20 }

  init(
    files: LogFiles, reader: LogReader, sealed: SealedSegments, flusher: Flusher, durability: Durability,
    encoder: RecordEncoder?, longWaits: LongWaits, state: consuming WriterState, roller: Roller
  ) {
    self.longWaits = longWaits
    self.files = files
    newest = NewestSegment(reader)
    self.sealed = sealed
    self.roller = roller
    committed = reader.committed
    self.flusher = flusher
    self.durability = durability
    awaitsFlush = durability == .synced
    self.encoder = encoder
    let logger = longWaits.logger
    let metadata: Logger.Metadata = ["namespace": "\(longWaits.namespace)", "path": "\(reader.check.path)"]
    state.clockNews = { doubt in logger?.tellBeside(.clockDoubted, .warning, "\(doubt)", metadata) }
    self.state = Lock(state)
    self.state.withLock { state in
      // Until the log is closed, which its owner makes sure of. A weak reference would make each retain of the writer slower.
      state.nextIsDue = { try? WorkThreads.shared.add { self.makeNextNow() } }
    }
    // Until the log is closed, too.
    if awaitsFlush { flusher.beginsFlush { self.commitRound() } }
    lookAfterAges()
  }

  /// The reader of the newest segment.
  var reader: LogReader { newest.reader }

  /// Set if the system's clock was set while the log was open.
  var clockSet: ClockDoubt? { state.withLock { $0.clockSet } }

  /// The log's path, for messages.
  var path: String { files.logPath }

  /// Whether there is a codec, and so perhaps payloads that others should not see.
  var isTransforming: Bool { encoder != nil }

  /// Throws when nothing can be appended any more.
  @inline(__always)
  func checkUsable(_ state: borrowing WriterState) throws(ImmutaError) {
    try state.checkUsable()
    try flusher.checkUsable()
  }

  /// Throws when a payload of so many bytes could not be appended, as far as is known now.
  func checkPayload(size: Int) throws(ImmutaError) {
    try encoder?.checkPayload(size: size)
    if size > LogFormat.largestPayload { throw .recordTooLarge }
  }

  // MARK: One record

  /// Appends and commits, if the turn is free and the payload small; nil otherwise.
  ///
  /// Not inlined: otherwise the optimizer would add a retain and a release for each record.
  @inline(never)
  func appendAtOnce(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt? {
    guard bytes.count <= pieceSize else { return nil }
    if let encoder { return try unsafe appendAtOnce(bytes, through: encoder) }
    let attempt = try state.withLockIfAvailable { (state) throws(ImmutaError) in
      try unsafe appendIfFree(bytes, &state)
    }
    let receipt = if let attempt { attempt } else { try unsafe appendSoon(bytes) }
    if let receipt { announceAppended(receipt) }
    return receipt
  }

  @inline(__always)
  private func appendIfFree(
    _ bytes: UnsafeRawBufferPointer, _ state: inout WriterState
  ) throws(ImmutaError) -> Receipt? {
    try checkUsable(state)
    guard state.turns.isFree, state.isReady(for: bytes.count) else { return nil }
    do throws(ImmutaError) {
      return try unsafe state.append(bytes)
    } catch {
      // With the turn, the log rolls.
      if state.rolls(insteadOf: error) { return nil }
      throw error
    }
  }

  /// The same, when another caller had the lock: most often for a small append, which is over sooner than a thread goes to sleep.
  ///
  /// A thread that waits for the lock inside the kernel is handed the lock on its release, before the thread is awake. If many
  /// append without a pause, all others would come to wait there meanwhile, and each append would cost a change of threads, for
  /// ever. So a caller that may be served sooner does not wait there.
  @inline(never)
  private func appendSoon(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt? {
    for attempt in 0..<Self.mostAttempts {
      // The thread that has the lock may need this very processor.
      if attempt < Self.mostSpins { Thread.pause() } else { Thread.yield() }
      let result = try state.withLockIfAvailable { (state) throws(ImmutaError) in
        try unsafe appendIfFree(bytes, &state)
      }
      if let result { return result }
    }
    // The holder takes long, as when a file has to grow.
    return try state.withLock { (state) throws(ImmutaError) in try unsafe appendIfFree(bytes, &state) }
  }

  /// About ten microseconds of trying, and then some of letting others run.
  private static var mostSpins: Int { 40 }
  private static var mostAttempts: Int { 100 }

  /// The same with a codec: with the turn, so that no lock is held during the transformation.
  private func appendAtOnce(
    _ bytes: UnsafeRawBufferPointer, through encoder: RecordEncoder
  ) throws(ImmutaError) -> Receipt? {
    let isMine = try state.withLock { (state) throws(ImmutaError) in
      try checkUsable(state)
      return state.isReady(for: bytes.count) && state.takeTurn(TurnHolder(.append, .thread(Thread.identity)))
    }
    guard isMine else { return nil }
    defer { endTurn() }
    let receipt: Receipt
    do throws(ImmutaError) {
      receipt = try unsafe encoder.stage(bytes, into: self)
    } catch {
      if rolls(insteadOf: error) { return nil }
      throw error
    }
    try commit()
    return receipt
  }

  /// Notifies the readers and the flusher that `count` records are committed now.
  func announce(_ count: Int) {
    committed.advance(to: count)
    if case .interval = durability { flusher.noteUnflushed() }
  }

  /// A record was appended for a caller without a turn. Those of a round are announced when it is committed.
  @inline(__always)
  func announceAppended(_ receipt: Receipt) {
    if !awaitsFlush { announce(receipt.sequence + 1) }
  }

  /// A caller has got the turn, and so the round was committed: it finds these records, too.
  func announceRound(_ count: Int) {
    if awaitsFlush { announce(count) }
  }

  /// Commits the round. Returns why nothing can be appended any more, if so: then records that are not committed never will be.
  private func commitRound() -> ImmutaError? {
    let (count, failure) = state.withLock { state in
      // It stays the state's failure.
      try? state.commitRound()
      return (state.count, state.segment.failure)
    }
    announce(count)
    return failure
  }

  // MARK: Durability

  /// Waits until `count` records are stable, if the durability asks for it.
  @inline(__always)
  func waitUntilStable(_ count: Int) async throws {
    if awaitsFlush { try await flusher.flush(through: count) }
  }

  @inline(__always)
  func waitUntilStableBlocking(_ count: Int) throws {
    if awaitsFlush { try flusher.flushBlocking(through: count) }
  }
}
