import Synchronization

/// The writing side of a log: whose turn it is, the segment that is appended to, and what time it is. Its owner,
/// ``LogWriter``, keeps it under a lock.
///
/// Invariants: while a caller has the turn, it has staged all staged records; while nobody has it, they are the present round, see
/// ``commitRound()``; records are appended for callers without a turn only while nobody has it.
struct WriterState: ~Copyable, Sendable {
  var turns = TurnQueue()
  private(set) var isClosed = false
  /// The newest segment of the log, the one that is appended to.
  var segment: SegmentWriter
  private var reader: LogReader
  private var rolling: RollState
  /// Whether records that are appended without a turn are committed in rounds: see ``commitRound()``.
  private let commitsInRounds: Bool
  /// Whether the next segment was asked for.
  private var hasAskedForNext = false
  private let lock: FileLock
  private var clock: CommitClock
  private var wake = CommitWake()
  private(set) var appended: AppendedSoFar
  /// When the files' names were looked up last, by the clock of `commitTime`.
  private var namesChecked: Int64 = 0
  /// How many records the log had when `wasUsed` was last called.
  private var countWhenAsked = -1
  /// The last time that the system's clock was set since the log was opened.
  private(set) var clockSet: ClockDoubt?
  /// Called under the lock when the clock was set: it must not call code that may call back.
  var clockNews: @Sendable (ClockDoubt) -> Void = { _ in }

  /// Called under the lock when it is time to make the next segment: the same holds for it.
  var nextIsDue: @Sendable () -> Void = {}

  init(
    segment: consuming SegmentWriter, reader: LogReader, lock: FileLock, clock: CommitClock, rolling: RollState,
    commitsInRounds: Bool
  ) {
    self.commitsInRounds = commitsInRounds
    appended = AppendedSoFar(count: segment.endNumber, tail: segment.tail)
    self.segment = segment
    self.reader = reader
    self.lock = lock
    self.clock = clock
    self.rolling = rolling
  }

  /// Throws when nothing can be appended any more.
  @inline(__always)
  func checkUsable() throws(ImmutaError) {
    if isClosed { throw .storageClosed }
    try segment.checkUsable()
  }

  /// Nothing may be appended any more, for this reason.
  mutating func fail(_ error: ImmutaError) { segment.fail(error) }

  // MARK: Positions

  /// The number of the first record that is not committed.
  var count: Int { segment.endNumber }

  /// Committed records of the newest segment.
  var segmentCount: Int { segment.count }

  /// The number of the record that is staged next.
  var nextNumber: Int { segment.nextNumber }

  // MARK: Before the first append

  /// Whether the log may be appended to at once.
  @inline(__always)
  var isPrepared: Bool { segment.phase == .prepared }

  /// Whether a record of so many bytes may be appended at once: the log is prepared, and need not roll first.
  @inline(__always)
  func isReady(for size: Int) -> Bool { segment.phase == .prepared && segment.stagedEnd &+ size <= rolling.lastEnd }

  /// The mark that must be on stable storage before the log is appended to; nil if it is.
  var missingMark: OpenMark? { segment.phase.isMarked ? nil : segment.mark }

  mutating func noteMarked() { segment.noteMarked() }

  /// Makes the log's files ready to be appended to; the log is marked as open.
  mutating func prepare() throws(ImmutaError) {
    countWhenAsked = -1
    try segment.prepare()
  }

  // MARK: One record

  /// Appends a whole record for a caller that needs no turn, and commits it; or adds it to the round.
  @inline(__always)
  mutating func append(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt {
    precondition(!turns.isTaken, "appending while somebody else has the turn")
    if commitsInRounds { return try unsafe joinRound(bytes) }
    let record = try unsafe segment.write(bytes)
    let receipt = try segment.commit(record, at: commitTime())
    noteCommit(first: receipt.sequence)
    return receipt
  }

  // MARK: With the turn

  /// Adds a whole record after the staged ones.
  @inline(__always)
  mutating func stage(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt {
    checkTurn()
    do throws(ImmutaError) {
      return try unsafe segment.stage(bytes)
    } catch {
      _ = rolls(insteadOf: error)
      throw error
    }
  }

  mutating func beginRecord() throws(ImmutaError) {
    checkTurn()
    do throws(ImmutaError) {
      try segment.beginRecord()
    } catch {
      _ = rolls(insteadOf: error)
      throw error
    }
  }

  mutating func extendRecord(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) {
    checkTurn()
    do throws(ImmutaError) {
      try unsafe segment.extendRecord(bytes)
    } catch {
      _ = rolls(insteadOf: error)
      throw error
    }
  }

  mutating func endRecord() throws(ImmutaError) -> Receipt {
    checkTurn()
    return try segment.endRecord()
  }

  mutating func abandonRecord() {
    checkTurn()
    segment.abandonRecord()
  }

  /// Whether something is staged.
  var hasStaged: Bool { segment.hasStaged }

  /// Commits the staged records.
  ///
  /// - Parameter time: when; nil for now.
  mutating func commit(at time: Int64? = nil) throws(ImmutaError) {
    checkTurn()
    if !segment.hasStaged { return try segment.commit(at: clock.last) }
    let first = segment.endNumber
    try segment.commit(at: time ?? commitTime())
    noteCommit(first: first)
  }

  /// The part of a step's intent for the staged records: they must be committed at the time in it, and nothing else before.
  mutating func stepPart(_ namespace: String) throws(ImmutaError) -> StepIntent.LogPart {
    checkTurn()
    guard let identity = reader.identity else { preconditionFailure("a log that is written has an identity") }
    let (bytes, checksum) = try segment.stagedPart()
    return StepIntent.LogPart(
      namespace, identity, reader.format, first: segment.first, counts: count..<nextNumber, bytes: bytes,
      time: commitTime(), checksum: checksum)
  }

  /// Ends the turn: records that were staged and not committed are gone.
  mutating func endTurn() {
    segment.rollBack()
    turns.end()
  }

  @inline(__always)
  private func checkTurn() {
    precondition(turns.isTaken, "writing without the turn")
  }

  // MARK: Committing

  /// Records from `first` on are part of the log: readers, here and in other processes, may find them.
  @inline(__always)
  mutating func noteCommit(first: Int) {
    appended.noteCommit()
    if let windows = segment.files.newWindows() { reader.show(windows) }
    // Releasing: pairs with the reader's load of the end, after its load of the count that is announced later.
    reader.committedEnd.store(segment.tail, ordering: .releasing)
    if wake.isDue() { wakeFollowers(first: first) }
  }

  /// Wakes the followers in other processes that wait for record `first`: see ``CommitWord``. They are woken after the commit, so
  /// that they find the record.
  @inline(never)
  private mutating func wakeFollowers(first: Int) {
    let (log, companion) = segment.descriptors
    let (file, offset) = CommitWord.place(of: first - segment.first, reader.format, log: log, companion: companion)
    wake.called(waking: segment.files.wake(at: offset, of: file))
  }

  /// The time of a commit; never earlier than that of the commit before.
  @inline(__always)
  mutating func commitTime() -> Int64 {
    let tick = Clocks.coarseWallClock()
    if !clock.isCurrent(tick) { readClock(tick) }
    return clock.last
  }

  @inline(never)
  private mutating func readClock(_ tick: Int64) {
    let wall = Clocks.wallClock()
    let news = clock.read(wall, tick: tick, record: count, steady: Clocks.steadyClock)
    wake.beginTick()
    if rolling.hasLimits { lookAhead() }
    if abs(tick.subtractingHeld(namesChecked)) >= Self.nameCheckInterval { checkNames(tick) }
    if news == CommitClock.News() { return }
    if let jump = news.jump {
      let doubt = ClockDoubt.clockSet(by: .nanoseconds(jump), at: Timestamp(nanosecondsSince1970: wall))
      clockSet = doubt
      clockNews(doubt)
    }
    if let lag = news.lag { clockNews(.recordsAhead(from: max(0, count - 1), by: .nanoseconds(lag))) }
    // It only helps to read times that are wrong: nothing depends on it.
    if news.isOther, let slow = clock.slow { try? segment.keeper.noteSlowTime(slow) }
  }

  /// If no flush does it, this must notice that a written file, or the lock, has lost its name: then a second writer may come.
  /// The append that finds it out is not taken back; the next one throws.
  private mutating func checkNames(_ tick: Int64) {
    namesChecked = tick
    do throws(FileError) { try segment.names.check() } catch { fail(ImmutaError(error)) }
  }

  private static var nameCheckInterval: Int64 { 1_000_000_000 }

  // MARK: Rolling

  /// Whether a record of so many bytes, or more, begins another segment.
  func isRollDue(adding size: Int) -> Bool {
    !segment.hasStaged && rolling.isDue(count: segment.count, tail: segment.tail, adding: size)
  }

  /// Whether the log rolls before the next record because of this error: a file of the segment has reached the limit on file
  /// sizes, and nothing was changed. The record may then be tried again, with the turn.
  mutating func rolls(insteadOf error: ImmutaError) -> Bool {
    guard error.isFileTooLarge else { return false }
    try? commitRound()
    guard segment.failure == nil, segment.count > 0, rolling.noteFull() else { return false }
    // Staged records must lie in one segment.
    return !segment.hasStaged
  }

  /// Takes note of the time, for segments that become too old.
  mutating func noteTime() { rolling.noteTime() }

  /// Whether the segment is too old; while nothing is appended, its age is the only reason to roll.
  var isTooOld: Bool { segment.count > 0 && rolling.lastEnd < 0 }

  /// Once a tick of the clock.
  @inline(never)
  private mutating func lookAhead() {
    rolling.noteFirst()
    rolling.noteTime()
    if !hasAskedForNext, rolling.isNextDue(tail: segment.tail) {
      hasAskedForNext = true
      nextIsDue()
    }
  }

  /// Appends go to the next segment from here on. Returns the previous one, which must be sealed.
  mutating func roll(to next: consuming SegmentWriter, _ nextReader: LogReader) -> SegmentWriter {
    precondition(turns.isTaken && !segment.hasStaged, "a log rolls between commits, with the turn")
    precondition(next.first == segment.endNumber, "segments follow each other")
    // Followers that wait for its next record look, and find the other segment.
    if isPrepared { wakeFollowers(first: count) }
    appended.noteRoll(from: segment.tail, to: next.tail)
    swap(&segment, &next)
    reader = nextReader
    rolling.begin()
    hasAskedForNext = false
    countWhenAsked = -1
    reader.committedEnd.store(segment.tail, ordering: .releasing)
    return next
  }

  // MARK: Resting

  /// Whether something was appended since this was last called.
  mutating func wasUsed() -> Bool {
    defer { countWhenAsked = count }
    return isPrepared && count != countWhenAsked
  }

  /// Closes the files, which `prepare` opens again; false if that is not possible now. All committed records are on stable
  /// storage.
  mutating func rest() -> Bool {
    guard !isClosed, segment.failure == nil, !turns.isTaken, !segment.hasStaged else { return false }
    if isPrepared { reader.show(nil) }
    return segment.rest()
  }

  // MARK: Closing

  /// Nobody appends any more. Returns the callers that waited for a turn.
  mutating func close() -> [Waiter] {
    precondition(!isClosed, "closing twice")
    isClosed = true
    // It holds the writer.
    nextIsDue = {}
    // Its callers wait for the flush, which closing makes. If it fails, sealing throws why.
    try? commitRound()
    segment.rollBack()
    return turns.drain()
  }

  /// Seals the segment and releases everything. Returns why the log could not be sealed.
  mutating func seal() -> ImmutaError? {
    var failure: ImmutaError?
    do throws(ImmutaError) { try segment.seal() } catch { failure = error }
    letGo()
    return failure
  }

  // In steps, for closing many logs together.

  /// Whether the log can be sealed together with others; then nobody writes to its files any more.
  mutating func beginSealing() -> Bool {
    guard segment.isToBeSealed else { return false }
    segment.endWriting()
    return segment.isToBeSealed
  }

  mutating func cut() throws(ImmutaError) { try segment.cut() }

  /// The companion was flushed, and nobody has written to it since.
  func noteFlushed() { segment.keeper.noteFlushed() }

  func writeClean() throws(ImmutaError) { try segment.writeClean() }

  /// Releases the files and the lock.
  mutating func letGo() {
    precondition(isClosed, "letting go of an open log")
    // While the lock is held: the next opening of the log must know it.
    segment.noteFailedFlush()
    lock.unlock()
    segment.letGo()
  }
}
