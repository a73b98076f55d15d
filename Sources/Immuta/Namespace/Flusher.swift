import ImmutaLocking
import Solid
import Synchronization

/// Puts committed records on stable storage. Callers that wait together share one flush.
///
/// Flushes run on one of the threads that all logs share, ``WorkThreads``; or, if nobody waits there, on the thread of a caller
/// that may block, which saves waking two threads.
///
/// A flush that fails is the last: the kernel may have marked the lost pages clean, so a later one that succeeds would prove
/// nothing. Every waiting caller, and every later append, gets the error; closing and reopening recovers.
final class Flusher: OpenFiles.HeldFilesFlusher {
  /// Its generation is the number of records known stable; closed with the log.
  let stable: Broadcaster
  let committed: Broadcaster
  let targets: Lock<FlushTargets>
  let interval: Duration?
  let watch: FlushWatch
  /// Opened when the last flush has ended, after flushing was stopped.
  private let flushed = ThreadGate()
  let state = Lock(FlushState())
  /// Whether there may be records that no flush was requested for: it saves opening the gate. Sequentially consistent: the
  /// flushing thread clears it and then reads the count; the appending caller raises the count and then reads it. One of the two
  /// sees the other's store.
  private let isNoted = Atomic(false)
  /// Whether there is a `failure`. Stored releasing after `failure`, before any caller gets the error: an append that begins
  /// later sees it.
  private let hasFailed = Atomic(false)

  /// Whether a flush comes soon: see ``flushSoon()``. Relaxed: it only saves asking twice.
  let isDueSoon = Atomic(false)

  /// Commits the records that wait for a flush to begin, and returns why there will be no more commits, if so. Nil where each
  /// record is committed by itself, and after the log was closed.
  private let round = Lock<Round?>(nil)

  /// In a struct: a bare function is wrapped once more each time it is read through a generic type.
  private struct Round {
    let commit: @Sendable () -> ImmutaError?
  }

  /// How many callers wait. Relaxed: only the thread reads it while it spins, so that it need not take the lock from callers that
  /// come to wait.
  let waiterCount = Atomic(0)

  init(_ progress: LogProgress, _ target: FlushTarget, interval: Duration?, watch: FlushWatch) {
    self.watch = watch
    committed = progress.committed
    stable = progress.stable
    precondition(stable.generation <= committed.generation, "what is stable was committed")
    targets = Lock(FlushTargets(target))
    self.interval = interval
  }

  /// Sets what each flush begins with.
  func beginsFlush(with commitRound: (@Sendable () -> ImmutaError?)?) {
    round.withLock { $0 = commitRound.map(Round.init) }
  }

  func commitRound() -> ImmutaError? { round.withLock { $0 }?.commit() }

  // MARK: Segments

  /// The log has rolled: records from now on are in another segment. Called before one of them is committed.
  func add(_ target: FlushTarget) {
    targets.withLock { $0.add(target) }
  }

  /// A segment before the newest was sealed: it and its name are on stable storage.
  func noteSealed(_ first: Int) {
    let stableCount = targets.withLock { targets in
      targets.remove(first)
      return targets.oldest.first
    }
    guard stableCount > stable.generation, failure == nil else { return }
    // A commit whose caller has not announced it yet is a commit.
    committed.advance(to: stableCount)
    finish(stableCount)
  }

  /// The records before a number are being removed. This is on stable storage when it returns.
  func noteRemoved(_ count: Int) throws(ImmutaError) {
    try targets.withLock { $0.newest.keeper }.noteRemoved(count)
  }

  /// A segment before the newest could not be sealed: it is unknown how much of it is on the device.
  func noteNotSealed(_ error: ImmutaError) { fail(error) }

  /// Throws once a flush has failed. One atomic load while none has.
  @inline(__always)
  func checkUsable() throws(ImmutaError) {
    if hasFailed.load(ordering: .acquiring), let failure { throw failure }
  }

  /// Why a flush failed, if one did.
  var failure: ImmutaError? { state.withLock { $0.failure } }

  /// Whether the first `count` records were flushed: then they are stable by themselves, and not only because of a step's intent.
  func hasFlushed(_ count: Int) -> Bool { targets.withLock { $0.due(for: count).isEmpty } }

  /// The same, and the broadcaster reports it, too. A flush notes it first, and announces it after that.
  func isKnownStable(_ count: Int) -> Bool { stable.generation >= count && hasFlushed(count) }

  /// A step's intent vouches for the first `count` records, however much of their commit is on the device: they are stable.
  func notePromised(_ count: Int) {
    if failure == nil { finish(count) }
  }

  /// Throws when the flushed records are in files that nobody finds again: like a failed flush, that is final.
  func checkNames() throws(ImmutaError) {
    do throws(ImmutaError) {
      try io(targets.withLock { $0.newest.names }.check())
    } catch {
      fail(error)
      throw error
    }
  }

  /// The companion's header as it was written last.
  var companionHeader: CompanionHeader { targets.withLock { $0.newest.keeper }.current }

  /// Waits until the first `count` records are stable. Not cancellable: the records are committed already, and only the answer
  /// whether they are stable would be true.
  func flush(through count: Int) async throws {
    try await withCheckedThrowingContinuation { continuation in
      enqueue(.task(continuation), count)
    }
  }

  /// The same, for a thread that may block.
  func flushBlocking(through count: Int) throws {
    if beginFlush(here: true) {
      flushOnce()
      endFlush()
    }
    // In most cases that was all; otherwise somebody flushes, or has found out why nobody can.
    if stable.generation >= count { return }
    let thread = BlockedThread()
    enqueue(.thread(thread), count)
    try thread.wait()
  }

  private func enqueue(_ waiter: Waiter, _ count: Int) {
    var lacksThread = false
    let answer: Result<Void, any Error>? = state.withLock { state in
      if let answer = state.answer(count, stable: stable.generation) { return answer }
      do throws(ImmutaError) {
        try ask(&state)
      } catch {
        lacksThread = true
        return .failure(error)
      }
      state.wait(waiter, for: count)
      waiterCount.store(state.waiters.count, ordering: .relaxed)
      return nil
    }
    // Who knows when the next flush is: readers need not wait for it.
    if lacksThread { _ = commitRound() }
    if let answer { waiter.resume(with: answer) }
  }

  /// Records exist that must be flushed before the interval is over.
  @inline(__always)
  func noteUnflushed() {
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    if isNoted.load(ordering: .sequentiallyConsistent) { return }
    if isNoted.exchange(true, ordering: .sequentiallyConsistent) { return }
    let failure: ImmutaError? = state.withLock { state in
      state.noted = .now
      do throws(ImmutaError) { try ask(&state) } catch { return error }
      return nil
    }
    // If no thread can flush, the interval cannot be kept: nothing more may be appended.
    if let failure { fail(failure) }
  }

  /// Call before counting the records that a flush covers: records committed from here on are noted again. See `isNoted`.
  func takeNote() {
    isNoted.store(false, ordering: .sequentiallyConsistent)
    atomicMemoryFence(ordering: .sequentiallyConsistent)
  }

  // MARK: One flush at a time

  /// Whether this caller must flush; then `endFlush` must follow.
  ///
  /// - Parameter here: whether the caller flushes on its own thread; only if nobody waits for a thread of the pool.
  func beginFlush(here: Bool = false) -> Bool {
    state.withLock { $0.beginFlush(here: here) }
  }

  func endFlush() {
    let (isStopping, failure) = state.withLock { state -> (Bool, ImmutaError?) in
      state.endFlush()
      if !state.waiters.isEmpty || isNoted.load(ordering: .relaxed) {
        do throws(ImmutaError) { try ask(&state) } catch { return (state.stage != .open, error) }
      }
      return (state.stage != .open, nil)
    }
    if isStopping { flushed.open() }
    // No caller may be left waiting for a thread that cannot be had.
    if let failure { fail(failure) }
    // While this log flushed, ``OpenFiles`` could not close its descriptors.
    OpenFiles.shared.makeRoom(mayBlock: false)
  }

  /// Returns how many callers it served.
  @discardableResult
  func flushOnce() -> Int {
    if state.withLock({ $0.failure }) != nil { return 0 }
    let refusal = commitRound()
    let count = committed.generation
    do throws(ImmutaError) {
      // Read after the records were counted: a segment that was added since has none of them.
      try flush(targets.withLock { $0.due(for: count) })
      return finish(count, refusing: refusal)
    } catch {
      fail(error)
      return 0
    }
  }

  private func flush(_ due: [(target: FlushTarget, end: Int)]) throws(ImmutaError) {
    let start = due.isEmpty ? nil : watch.start()
    for (target, end) in due {
      try noteFlush(target, through: end) { () throws(ImmutaError) in try target.flush(through: end) }
    }
    watch.note(since: start)
  }

  /// Puts all committed records on stable storage, and those staged after them. The caller has the turn. Blocks.
  ///
  /// - Throws: `.storageClosed`, and the error of a failed flush, which is final.
  func flushWithStaged() throws(ImmutaError) {
    // Another flush may have begun before the last records were staged: wait for it.
    while !beginFlush() {
      if state.withLock({ $0.stage != .open }) { throw .storageClosed }
      ThreadGate().wait(nanoseconds: 20_000)
    }
    defer { endFlush() }
    if let failure { throw failure }
    takeNote()
    let count = committed.generation
    do throws(ImmutaError) {
      try flush(targets.withLock { $0.dueWithStaged(for: count) })
    } catch {
      fail(error)
      throw error
    }
    finish(count)
  }

  /// Calls `body`, which flushes a segment's records before record `end`, and notes that it did. A segment that was sealed,
  /// and then removed, meanwhile may have lost its names.
  func noteFlush(
    _ target: FlushTarget, through end: Int, _ body: () throws(ImmutaError) -> Void
  ) throws(ImmutaError) {
    do throws(ImmutaError) {
      try body()
    } catch {
      guard error.isLogMoved, !targets.withLock({ $0.has(target.first) }) else { throw error }
    }
    targets.withLock { $0.note(target.first, flushed: end) }
  }

  /// Answers the callers that waited for `count` records or fewer.
  ///
  /// - Parameter refusal: why no more records will be committed; callers that wait for others get this error.
  @discardableResult
  func finish(_ count: Int, refusing refusal: ImmutaError? = nil) -> Int {
    // Never moves back: a segment may have been sealed meanwhile.
    stable.advance(to: count)
    let (served, refused) = state.withLock { state in
      let served = state.take(waitingFor: count)
      let refused = refusal == nil ? [] : state.take(waitingAfter: count)
      waiterCount.store(state.waiters.count, ordering: .relaxed)
      return (served, refused)
    }
    for (_, waiter) in served { waiter.resume() }
    if let refusal { for (_, waiter) in refused { waiter.resume(with: .failure(refusal)) } }
    return served.count
  }

  func fail(_ error: ImmutaError) {
    for target in targets.withLock({ $0.all }) where target.files.hasFailedFlush { target.keeper.markFailed() }
    let isFirst = failure == nil
    tell(error)
    if isFirst { watch.note(error) }
  }

  /// Answers all callers that wait, and all that come later, with the failure.
  private func tell(_ error: ImmutaError) {
    let waiting = state.withLock { state in
      defer { waiterCount.store(0, ordering: .relaxed) }
      return state.fail(error)
    }
    hasFailed.store(true, ordering: .releasing)
    for (_, waiter) in waiting { waiter.resume(with: .failure(error)) }
  }

  /// Returns when no flush is under way; none begins any more. `end(with:)` answers the callers that wait.
  func stop() {
    let isFlushing = state.withLock { $0.stop() }
    if isFlushing { flushed.wait() }
  }

  /// Closing flushed everything, or failed to: answers the callers that still wait.
  func end(with failure: ImmutaError?) {
    // Writes no mark: the lock is free, and another writer may have the companion. Closing has written the mark.
    if let failure {
      tell(failure)
    } else {
      stable.advance(to: committed.generation)
      targets.withLock { targets in
        for target in targets.all { targets.note(target.first, flushed: committed.generation) }
      }
    }
    // Everybody who came before this; later callers find what is stable, or that the log is closed.
    let waiting = state.withLock { state in
      defer { waiterCount.store(0, ordering: .relaxed) }
      return state.end()
    }
    for (count, waiter) in waiting {
      waiter.resume(with: count <= stable.generation ? .success(()) : .failure(ImmutaError.storageClosed))
    }
    stable.close()
  }

  /// Holds the files no longer: nothing is flushed any more.
  func letGo() {
    for target in targets.withLock({ $0.all }) { target.letGo() }
  }
}
