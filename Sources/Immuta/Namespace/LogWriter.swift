import ImmutaLocking
import Logging
import Solid
import Synchronization

/// The writing side of a log: hands the turn to one caller at a time, and keeps the promises of closing and failing.
///
/// All state is under one mutex, held for one bounded piece of work: a small append whole, a large one a piece at a
/// time. What lasts longer (a transaction, a large payload) has the *turn*, which others wait for without holding the
/// mutex; so `close()` never waits for a caller's code.
@usableFromInline
final class LogWriter: Sendable, StoredRecordWriter {
  let files: LogFiles
  let reader: LogReader
  let flusher: Flusher
  /// The reader's, at hand: it is told of each commit.
  private let committed: Broadcaster
  let state: Lock<WriterState>
  private let durability: Durability
  /// Transforms payloads; nil where they are stored as they are.
  let encoder: RecordEncoder?
  /// The task whose turn it is and whose source of a payload is being asked for chunks, by its identity; 0 for none.
  /// Relaxed: a task that finds itself here stored that itself, and any other value is not its own.
  let taskOfSource = Atomic(0)
  /// For the payloads of those who wait.
  let roomForQueue = QueuedAppend.Room()
  /// Whoever closes second returns when the log is closed, not before.
  let closing = Closing()
  let longWaits: LongWaits
  /// Whether ``OpenFiles`` knows of its descriptors.
  private let isListed = Atomic(false)

  /// How much of a payload is written while the mutex is held.
  var pieceSize: Int { 1 << 20 }

  init(
    files: LogFiles, reader: LogReader, flusher: Flusher, durability: Durability, encoder: RecordEncoder?,
    longWaits: LongWaits,
    state: consuming WriterState
  ) {
    self.longWaits = longWaits
    self.files = files
    self.reader = reader
    committed = reader.committed
    self.flusher = flusher
    self.durability = durability
    self.encoder = encoder
    let logger = longWaits.logger
    let metadata: Logger.Metadata = ["namespace": "\(longWaits.namespace)", "path": "\(reader.check.path)"]
    // On a thread of its own: a logger is somebody else's code, which may append to this very log.
    state.clockNews = { doubt in
      guard let logger else { return }
      try? Thread.start { logger.warning("\(doubt)", metadata: metadata) }
    }
    self.state = Lock(state)
  }

  /// That the system's clock was set while the log was open.
  var clockSet: ClockDoubt? { state.withLock { $0.clockSet } }

  /// Throws when nothing can be appended any more.
  @inline(__always)
  func checkUsable(_ state: borrowing WriterState) throws(ImmutaError) {
    try state.checkUsable()
    try flusher.checkUsable()
  }

  // MARK: One record

  /// Appends and commits, if the turn is free and the payload small; nil otherwise.
  ///
  /// Not inlined: there the optimizer would retain and release once more for each record.
  @inline(never)
  func appendAtOnce(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt? {
    guard bytes.count <= pieceSize else { return nil }
    if let encoder { return try unsafe appendAtOnce(bytes, through: encoder) }
    let attempt = try state.withLockIfAvailable { (state) throws(ImmutaError) in
      try unsafe appendIfFree(bytes, &state)
    }
    let receipt = if let attempt { attempt } else { try unsafe appendSoon(bytes) }
    if let receipt { announce(receipt.sequence + 1) }
    return receipt
  }

  @inline(__always)
  private func appendIfFree(
    _ bytes: UnsafeRawBufferPointer, _ state: inout WriterState
  ) throws(ImmutaError) -> Receipt? {
    try checkUsable(state)
    guard state.turns.isFree, state.isPrepared else { return nil }
    return try unsafe state.append(bytes)
  }

  /// The same, when somebody else had the lock: most often another small append, which is over sooner than a thread goes
  /// to sleep.
  ///
  /// Whoever waits for the lock inside the kernel is handed it on its release, and is not awake then: where many append
  /// without a pause, all others would come to wait there meanwhile, and each append would cost a change of threads, for
  /// ever. So nobody goes there who may be served sooner.
  @inline(never)
  private func appendSoon(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt? {
    for attempt in 0..<Self.mostAttempts {
      // The one who has the lock may need this very processor.
      if attempt < Self.mostSpins { Thread.pause() } else { Thread.yield() }
      let result = try state.withLockIfAvailable { (state) throws(ImmutaError) in
        try unsafe appendIfFree(bytes, &state)
      }
      if let result { return result }
    }
    // It takes long, as when a file has to grow.
    return try state.withLock { (state) throws(ImmutaError) in try unsafe appendIfFree(bytes, &state) }
  }

  /// About ten microseconds of trying, and then some of letting others run.
  private static var mostSpins: Int { 40 }
  private static var mostAttempts: Int { 100 }

  /// The same where payloads are transformed: with the turn, so that no lock is held while that goes on.
  private func appendAtOnce(
    _ bytes: UnsafeRawBufferPointer, through encoder: RecordEncoder
  ) throws(ImmutaError) -> Receipt? {
    let isMine = try state.withLock { (state) throws(ImmutaError) in
      try checkUsable(state)
      return state.isPrepared && state.turns.take(TurnHolder(.append, .thread(Thread.identity)))
    }
    guard isMine else { return nil }
    defer { endTurn() }
    let receipt = try unsafe encoder.stage(bytes, into: self)
    try commit()
    return receipt
  }

  /// Tells the readers, and whoever flushes, that there are now `count` committed records.
  func announce(_ count: Int) {
    committed.advance(to: count)
    if case .interval = durability { flusher.noteUnflushed() }
  }

  /// The log's, for messages.
  var path: String { reader.check.path }

  /// Whether a codec has payloads that others should not see, perhaps.
  var isTransforming: Bool { encoder != nil }

  /// Throws when a payload of so many bytes, as far as it is known, could not be appended.
  func checkPayload(size: Int) throws(ImmutaError) {
    try encoder?.checkPayload(size: size)
    if size > LogFormat.largestPayload { throw .recordTooLarge }
  }

  // MARK: Before the first append

  /// With the turn: marks the log as being written, on stable storage, before anything in it changes, so that a crash
  /// from here on is known as one; on a thread that may block.
  func prepare() async throws {
    if state.withLock({ $0.isPrepared }) { return }
    try await withCheckedThrowingContinuation { continuation in
      do throws(NoThread) {
        try WorkThreads.shared.add { continuation.resume(with: Result { try self.prepareBlocking() }) }
      } catch {
        continuation.resume(throwing: ImmutaError(error))
      }
    }
  }

  /// The same, on the caller's thread.
  func prepareBlocking() throws {
    let isPrepared = try state.withLock { (state) throws(ImmutaError) in
      try checkUsable(state)
      return state.isPrepared
    }
    if isPrepared { return }
    // The files may have to be opened: where many are open, others come before.
    OpenFiles.shared.makeRoom(mayBlock: true)
    // Not while closing: once the log is closed, another writer may have it open.
    try closing.whileOpen {
      let preparation = try state.withLock { (state) throws(ImmutaError) in
        try checkUsable(state)
        return state.isMarked ? nil : state.preparation
      }
      if let preparation { try mark(preparation) }
      try state.withLock { (state) throws(ImmutaError) in try state.prepare() }
    }
    list()
  }

  private func mark(_ preparation: WriterState.Preparation) throws(ImmutaError) {
    do throws(WriterState.Preparation.Failure) {
      try preparation.flush()
    } catch {
      // A failed flush is final, and so is a lost name; anything else may be tried again.
      if error.isFinal { state.withLock { $0.fail(error.error) } }
      throw error.error
    }
    state.withLock { $0.isMarked = true }
  }

  /// Marks many logs of a directory together that nobody uses yet, as `prepare` does one by one: so the first append to
  /// each waits for no flush. Throws why the first of them could not be marked.
  static func markTogether(_ writers: [LogWriter], in directory: Directory) throws(ImmutaError) {
    let preparations = writers.map { writer in writer.state.withLock { $0.preparation } }
    for preparation in preparations {
      try io(preparation.names.check())
      // Nothing of the logs was stored before; so the mark may reach the device together with what it vouches for.
      try preparation.keeper.writeOpen()
    }
    let failures = ManyFiles.flush(preparations.flatMap { [$0.log, $0.companion] })
    try io(directory.flushNames(through: preparations.map(\.namesNoted).max() ?? 0))
    for (place, writer) in writers.enumerated() {
      let failure = failures[2 * place] ?? failures[2 * place + 1]
      writer.state.withLock { state in
        if let failure { state.fail(ImmutaError(failure)) } else { state.isMarked = true }
      }
      // Its files may have been let go before.
      writer.list()
    }
    if let failure = failures.compactMap(\.self).first { throw ImmutaError(failure) }
  }

  // MARK: Resting

  /// Has the log's descriptors counted, and let go when others need theirs.
  func list() {
    let isNew = isListed.exchange(true, ordering: .acquiringAndReleasing)
    if !isNew { OpenFiles.shared.add(self) }
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
    if bytes.count <= pieceSize {
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
      let end = min(position + pieceSize, bytes.count)
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
  /// are on stable storage, and are open no more.
  ///
  /// - Returns: why they are not on stable storage, the same whoever closes; the log is closed all the same, and the
  ///   next opening recovers.
  func close() -> (isFirst: Bool, failure: ImmutaError?) {
    switch closing.begin() {
    case .closed(let failure): (false, failure)
    case .mine: (true, finishAlone(endAppending()))
    }
  }

  // In steps: see also Closing.swift, which closes many together.

  /// Nobody appends any more, and nobody flushes. Returns those who waited for a turn.
  func endAppending() -> [Waiter] {
    let waiting = state.withLock { state in
      state.isClosed = true
      state.rollBack()
      return state.turns.drain()
    }
    flusher.stop()
    if let failure = flusher.failure { state.withLock { $0.fail(failure) } }
    return waiting
  }

  func finishAlone(_ waiting: [Waiter]) -> ImmutaError? {
    let failure = state.withLock { $0.finish() }
    end(waiting, failure)
    return failure
  }

  /// Whether the log is one that can be finished together with others.
  func beginFinishing() -> Bool {
    state.withLock { state in
      guard state.isToBeMarked else { return false }
      state.endWriting()
      return state.isToBeMarked
    }
  }

  /// The log and its companion, for whoever flushes them; neither where all that was committed is on stable storage.
  var unflushedFiles: [Descriptor] {
    state.withLock { !$0.isPrepared || flusher.hasFlushed($0.count) ? [] : $0.files }
  }

  /// The log, once it was cut; nothing where it never was written to, and is as it was when it was marked.
  var cutFiles: [Descriptor] { state.withLock { $0.wasPrepared ? [$0.files[0]] : [] } }

  /// The companion, with its mark.
  var markedFiles: [Descriptor] { state.withLock { [$0.files[1]] } }

  func cut() throws(ImmutaError) {
    try state.withLock { (state) throws(ImmutaError) in try state.cut() }
  }

  func writeClean() throws(ImmutaError) {
    try state.withLock { (state) throws(ImmutaError) in try state.writeClean() }
  }

  func endFinishing(_ waiting: [Waiter], _ failure: ImmutaError?) {
    state.withLock { $0.letGo() }
    end(waiting, failure)
  }

  private func end(_ waiting: [Waiter], _ failure: ImmutaError?) {
    // A commit whose caller has not announced it yet is a commit.
    committed.advance(to: state.withLock { $0.count })
    reader.markClosed()
    closing.end(failure)
    // Nobody is told before the log is closed, and no lock is held while they are: whoever is told may call back at
    // once.
    for waiter in waiting { waiter.resume(with: .failure(ImmutaError.storageClosed)) }
    reader.close()
    flusher.end(with: failure)
  }
}

extension LogWriter: OpenFiles.Holder {
  func wasUsed() -> Bool { state.withLock { $0.wasUsed() } }

  func rest() -> OpenFiles.Rest {
    let answer = state.withLock { state -> OpenFiles.Rest in
      if state.isClosed { return .resting }
      if flusher.failure != nil { return .inUse }
      if !flusher.hasFlushed(state.count) { return .unflushed }
      return state.rest() ? .resting : .inUse
    }
    if case .resting = answer { isListed.store(false, ordering: .releasing) }
    return answer
  }

  var flusherOfOwn: (any OpenFiles.HeldFilesFlusher)? { flusher }
  var isOver: Bool { false }
}
