import Locking
import Solid
import Synchronization

/// The writing side of a log: hands the turn to one caller at a time, and keeps the promises of closing and failing.
///
/// All state is under one mutex, held for one bounded piece of work: a small append whole, a large one a piece at a
/// time. What lasts longer (a transaction, a large payload) has the *turn*, which others wait for without holding the
/// mutex; so `close()` never waits for a caller's code.
@usableFromInline
final class LogWriter: Sendable {
  let reader: LogReader
  let flusher: Flusher
  /// The reader's, at hand: it is told of each commit.
  private let committed: Broadcaster
  private let state: Lock<WriterState>
  private let durability: Durability
  /// Transforms payloads; nil where they are stored as they are.
  private let encoder: RecordEncoder?
  /// The task whose turn it is and whose source of a payload is being asked for chunks, by its identity; 0 for none.
  /// Relaxed: a task that finds itself here stored that itself, and any other value is not its own.
  private let taskOfSource = Atomic(0)
  /// Held while closing, so that whoever closes second returns when the log is closed, not before.
  private let closing = Lock<Void>(())

  /// How much of a payload is written while the mutex is held.
  static let pieceSize = 1 << 20

  init(
    reader: LogReader, flusher: Flusher, durability: Durability, encoder: RecordEncoder?, state: consuming WriterState
  ) {
    self.reader = reader
    committed = reader.committed
    self.flusher = flusher
    self.durability = durability
    self.encoder = encoder
    self.state = Lock(state)
  }

  /// Throws when nothing can be appended any more.
  @inline(__always)
  private func checkUsable(_ state: borrowing WriterState) throws(ImmutaError) {
    try state.checkUsable()
    try flusher.checkUsable()
  }

  // MARK: One record

  /// Appends and commits, if the turn is free and the payload small; nil otherwise.
  ///
  /// Not inlined: there the optimizer would retain and release once more for each record.
  @inline(never)
  func appendAtOnce(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt? {
    guard bytes.count <= Self.pieceSize else { return nil }
    if let encoder { return try unsafe appendAtOnce(bytes, through: encoder) }
    let receipt = try state.withLock { (state) throws(ImmutaError) -> Receipt? in
      try checkUsable(state)
      guard !state.turns.isTaken, state.isPrepared else { return nil }
      return try unsafe state.append(bytes)
    }
    if let receipt { announce(receipt.sequence + 1) }
    return receipt
  }

  /// The same where payloads are transformed: with the turn, so that no lock is held while that goes on.
  private func appendAtOnce(
    _ bytes: UnsafeRawBufferPointer, through encoder: RecordEncoder
  ) throws(ImmutaError) -> Receipt? {
    let isMine = try state.withLock { (state) throws(ImmutaError) in
      try checkUsable(state)
      return state.isPrepared && state.turns.take()
    }
    guard isMine else { return nil }
    defer { endTurn() }
    let receipt = try unsafe encoder.stage(bytes, into: self)
    try commit()
    return receipt
  }

  /// Tells the readers, and whoever flushes, that there are now `count` committed records.
  private func announce(_ count: Int) {
    committed.advance(to: count)
    if case .interval = durability { flusher.noteUnflushed() }
  }

  // MARK: The turn

  /// Waits until it is this caller's turn. Cancellation ends the wait.
  func takeTurn() async throws {
    let ticket = try state.withLock { (state) throws(ImmutaError) -> Int? in
      try checkUsable(state)
      return state.turns.take() ? nil : state.turns.ticket()
    }
    guard let ticket else { return }
    checkForOwnTurn()
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let result = enqueue(.task(continuation), ticket)
        if let result { continuation.resume(with: result) }
      }
    } onCancel: {
      state.withLock { $0.turns.cancel(ticket) }?.resume(with: .failure(CancellationError()))
    }
  }

  /// The same, for a thread that may block.
  func takeTurnBlocking() throws {
    let ticket = try state.withLock { (state) throws(ImmutaError) -> Int? in
      try checkUsable(state)
      return state.turns.take() ? nil : state.turns.ticket()
    }
    guard let ticket else { return }
    checkForOwnTurn()
    let thread = BlockedThread()
    if let result = enqueue(.thread(thread), ticket) { return try result.get() }
    try thread.wait()
  }

  /// Calls `body`, which asks a payload's source for its chunks, with the turn.
  func withSource<R>(_ body: () async throws -> R) async throws -> R {
    taskOfSource.store(Self.currentTask, ordering: .relaxed)
    defer { taskOfSource.store(0, ordering: .relaxed) }
    return try await body()
  }

  /// Traps when the caller is about to wait for a turn that is over only when the caller goes on. It is looked at only
  /// by those who have to wait.
  private func checkForOwnTurn() {
    precondition(
      encoder?.isCallingThisThread != true,
      "a transformer appends to the log that it transforms a payload for (\(reader.check.path)), and would wait for "
        + "ever; let it append to another log")
    let task = Self.currentTask
    precondition(
      task == 0 || task != taskOfSource.load(ordering: .relaxed),
      "the source of a payload appends to the log that waits for its chunks (\(reader.check.path)), and would wait for "
        + "ever; let it append to another log")
  }

  /// What tells the current task from all others that live; 0 outside of tasks.
  private static var currentTask: Int {
    unsafe withUnsafeCurrentTask { task in
      // The hash of a reference that lives as long as the task; nothing of the task is touched by it.
      guard let task = unsafe task else { return 0 }
      return unsafe task.hashValue
    }
  }

  /// Nil when the waiter now waits; otherwise its answer. A task is cancelled before its handler runs: either the
  /// handler finds the waiter, or the waiter is told here.
  private func enqueue(_ waiter: Waiter, _ ticket: Int) -> Result<Void, any Error>? {
    state.withLock { state in
      do throws(ImmutaError) { try checkUsable(state) } catch { return .failure(error) }
      // Looked at under the lock that the handler takes.
      if case .task = waiter, Task.isCancelled { return .failure(CancellationError()) }
      if state.turns.take() { return .success(()) }
      state.turns.wait(waiter, ticket: ticket)
      return nil
    }
  }

  /// Ends the turn: what was staged and not committed is gone.
  func endTurn() {
    let next = state.withLock { state in
      state.rollBack()
      return state.turns.pass()
    }
    next?.resume()
  }

  // MARK: Before the first append

  /// With the turn: marks the log as being written, on stable storage, before anything in it changes, so that a crash
  /// from here on is known as one; on a thread that may block.
  func prepare() async throws {
    if state.withLock({ $0.isPrepared }) { return }
    try await withCheckedThrowingContinuation { continuation in
      do throws(ImmutaError) {
        try Thread.start { continuation.resume(with: Result { try self.prepareBlocking() }) }
      } catch {
        continuation.resume(throwing: error)
      }
    }
  }

  /// The same, on the caller's thread.
  func prepareBlocking() throws {
    // Not while closing: once the log is closed, another writer may have it open.
    try closing.withLock { (_) throws(ImmutaError) in
      let preparation = try state.withLock { (state) throws(ImmutaError) in
        try checkUsable(state)
        return state.isPrepared ? nil : state.preparation
      }
      guard let preparation else { return }
      do throws(ImmutaError) {
        try preparation.flush()
      } catch {
        // A failed flush is final, and so is a lost name; anything else may be tried again.
        if SystemCalls.isFailedFlush(error) || error.isLogMoved { state.withLock { $0.fail(error) } }
        throw error
      }
      try state.withLock { (state) throws(ImmutaError) in try state.prepare() }
    }
  }

  // MARK: With the turn

  /// Adds a whole record behind the committed ones. Bytes are copied before it returns.
  @usableFromInline
  func stage(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt {
    if let encoder { return try unsafe encoder.stage(bytes, into: self) }
    return try unsafe stageStored(bytes)
  }

  func beginRecord() throws(ImmutaError) {
    if let encoder { return try encoder.begin(self) }
    try beginStored()
  }

  /// Adds bytes to the record begun last.
  func extendRecord(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) {
    if let encoder { return try unsafe encoder.extend(bytes, self) }
    try unsafe extendStored(bytes)
  }

  func endRecord() throws(ImmutaError) -> Receipt {
    if let encoder { return try encoder.end(self) }
    return try endStored()
  }

  /// Takes back the record begun last.
  func abandonRecord() {
    if let encoder { return encoder.abandon(self) }
    abandonStored()
  }

  // MARK: With the turn, as the bytes are stored

  /// The number of the record that is staged next.
  var nextSequence: Int {
    get throws(ImmutaError) {
      try state.withLock { (state) throws(ImmutaError) in
        try checkUsable(state)
        return state.nextSequence
      }
    }
  }

  func stageStored(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt {
    if bytes.count <= Self.pieceSize {
      return try state.withLock { (state) throws(ImmutaError) in
        try checkUsable(state)
        return try unsafe state.stage(bytes)
      }
    }
    try beginStored()
    do {
      try unsafe extendStored(bytes)
      return try endStored()
    } catch {
      abandonStored()
      throw error
    }
  }

  func beginStored() throws(ImmutaError) {
    try state.withLock { (state) throws(ImmutaError) in
      try checkUsable(state)
      try state.beginRecord()
    }
  }

  /// Adds bytes to the record begun last, a piece at a time: closing the log is possible in between.
  func extendStored(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) {
    var position = 0
    while position < bytes.count {
      let end = min(position + Self.pieceSize, bytes.count)
      try state.withLock { (state) throws(ImmutaError) in
        try checkUsable(state)
        try unsafe state.extendRecord(UnsafeRawBufferPointer(rebasing: bytes[position..<end]))
      }
      position = end
    }
  }

  func endStored() throws(ImmutaError) -> Receipt {
    try state.withLock { (state) throws(ImmutaError) in
      try checkUsable(state)
      return try state.endRecord()
    }
  }

  /// Takes back the record begun last.
  func abandonStored() {
    state.withLock { $0.abandonRecord() }
  }

  /// Commits what was staged; returns the number of committed records.
  @discardableResult
  func commit() throws(ImmutaError) -> Int {
    let count = try state.withLock { (state) throws(ImmutaError) in
      try checkUsable(state)
      try state.commit()
      return state.count
    }
    announce(count)
    return count
  }

  // MARK: Durability

  /// Whether an append returns only when its record is stable.
  var awaitsFlush: Bool { durability == .synced }

  /// Waits until `count` records are stable, where the durability asks for it.
  @inline(__always)
  func settle(_ count: Int) async throws {
    if case .synced = durability { try await flusher.flush(through: count) }
  }

  @inline(__always)
  func settleBlocking(_ count: Int) throws {
    if case .synced = durability { try flusher.flushBlocking(through: count) }
  }

  // MARK: The end

  /// Closes: what is staged is gone, whoever waits for a turn is told, the files end at the last committed record and
  /// are on stable storage. A failure is logged by the caller's choice: the log is closed all the same, and the next
  /// opening recovers.
  func close() -> ImmutaError? {
    let (isFirst, waiting, failure) = closing.withLock { _ in
      let (isFirst, waiting) = state.withLock { state in
        let isFirst = !state.isClosed
        state.isClosed = true
        state.rollBack()
        return (isFirst, state.turns.drain())
      }
      guard isFirst else { return (false, waiting, nil as ImmutaError?) }
      flusher.stop()
      let (failure, count) = state.withLock { state in
        if let failure = flusher.failure { state.fail(failure) }
        return (state.finish(), state.count)
      }
      // A commit whose caller has not announced it yet is a commit.
      committed.advance(to: count)
      reader.markClosed()
      return (true, waiting, failure)
    }
    // Nobody is told before the log is closed, and no lock is held while they are: whoever is told may call back at
    // once.
    for waiter in waiting { waiter.resume(with: .failure(ImmutaError.storageClosed)) }
    guard isFirst else { return nil }
    reader.close()
    flusher.end(with: failure)
    return failure
  }
}
