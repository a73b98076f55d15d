import ImmutaLocking
import Solid
import Synchronization

/// Puts committed records on stable storage. Callers that wait together share one flush.
///
/// Flushes run on one of the threads that all logs share, ``WorkThreads``; or, where nobody waits there, on the thread of
/// a caller that may block, which saves waking two threads.
///
/// A flush that fails is the last: the kernel may have marked the lost pages clean, so a later one that succeeds would
/// prove nothing. Whoever waits, and every later append, gets the error; closing and reopening recovers.
final class Flusher: OpenFiles.HeldFilesFlusher {
  /// Its generation is the number of records known stable; closed with the log.
  let stable: Broadcaster
  private let committed: Broadcaster
  private let files: FlushPair
  private let names: NameCheck
  private let keeper: CompanionKeeper
  private let interval: Duration?
  /// Opened when the last flush has ended, once there are to be no more.
  private let flushed = ThreadGate()
  private let state = Lock(State())
  /// Whether there may be records that no flush has been asked to cover: it saves opening the gate. Sequentially
  /// consistent: whoever flushes clears it and then reads the count; who appends raises the count and then reads it. One of
  /// the two sees the other's store.
  private let isNoted = Atomic(false)
  /// Whether there is a `failure`. Released behind it, before anybody is told: an append that begins later sees it.
  private let hasFailed = Atomic(false)

  /// How many wait. Relaxed: it is only for the thread to look at while it spins, without taking the lock from those
  /// who come to wait.
  private let waiterCount = Atomic(0)

  private struct State {
    var waiters: [(count: Int, waiter: Waiter)] = []
    var failure: ImmutaError?
    var turn = Turn.none
    /// Whether somebody asked for a look since the thread had its last.
    var isAsked = false
    var laterCount = 0
    /// Of the last flush on a thread of the pool: how many it served, and how long it took.
    var last = (served: 0, nanoseconds: Int64(0))
    var isStopping = false
    /// Whether somebody flushes: one at a time.
    var isFlushing = false
    /// When the oldest record came that no flush has been asked to cover, as far as the interval asks.
    var noted: ContinuousClock.Instant?
    var hasEnded = false
  }

  /// Whether a thread looks after this log.
  private enum Turn: Equatable {
    case none
    /// One will, when the interval asks for it. A number tells it from those before.
    case later(Int)
    /// One will soon, or does.
    case soon
  }

  init(
    committed: Broadcaster, stableCount: Int, files: FlushPair, names: NameCheck, keeper: CompanionKeeper,
    interval: Duration?
  ) {
    self.committed = committed
    self.files = files
    self.names = names
    self.keeper = keeper
    self.interval = interval
    stable = Broadcaster(generation: stableCount)
  }

  /// Throws once a flush has failed. One atomic load while none has.
  @inline(__always)
  func checkUsable() throws(ImmutaError) {
    if hasFailed.load(ordering: .acquiring), let failure { throw failure }
  }

  /// Why a flush failed, if one did.
  var failure: ImmutaError? { state.withLock { $0.failure } }

  /// Whether the first `count` records are stable.
  func hasFlushed(_ count: Int) -> Bool { stable.generation >= count }

  /// Throws when what was flushed before is in files that nobody finds again: as a failed flush, that is final.
  func checkNames() throws(ImmutaError) {
    do throws(ImmutaError) {
      try io(names.check())
    } catch {
      fail(error)
      throw error
    }
  }

  /// What the companion's header says, as it was written last.
  var companionHeader: CompanionHeader { keeper.current }

  /// Waits until the first `count` records are stable. Not cancellable: the records are committed already, and the
  /// answer to whether they are stable is the only one that is true.
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
    // Mostly that was it; else somebody flushes, or has found out why nobody does.
    if stable.generation >= count { return }
    let thread = BlockedThread()
    enqueue(.thread(thread), count)
    try thread.wait()
  }

  private func enqueue(_ waiter: Waiter, _ count: Int) {
    let answer: Result<Void, any Error>? = state.withLock { state in
      if stable.generation >= count { return .success(()) }
      if let failure = state.failure { return .failure(failure) }
      if state.hasEnded { return .failure(ImmutaError.storageClosed) }
      do throws(ImmutaError) { try ask(&state) } catch { return .failure(error) }
      state.waiters.append((count, waiter))
      waiterCount.store(state.waiters.count, ordering: .relaxed)
      return nil
    }
    if let answer { waiter.resume(with: answer) }
  }

  /// There are records to flush before the interval is over.
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
    // Without a thread to flush, the interval cannot be kept: no more may be appended.
    if let failure { fail(failure) }
  }

  /// Before it is counted what a flush covers: what is committed from here on is noted again. See `isNoted`.
  private func takeNote() {
    isNoted.store(false, ordering: .sequentiallyConsistent)
    atomicMemoryFence(ordering: .sequentiallyConsistent)
  }

  // MARK: On a thread of the pool

  /// Has a thread look whether there is something to flush.
  private func ask(_ state: inout State) throws(ImmutaError) {
    if state.isStopping { return }
    state.isAsked = true
    if state.turn == .soon { return }
    do throws(NoThread) { try WorkThreads.shared.add { self.run() } } catch { throw ImmutaError(error) }
    state.turn = .soon
  }

  private func run() {
    while true {
      let last = state.withLock { state in
        state.isAsked = false
        return state.last
      }
      if last.served > 1 { gather(last.served, within: min(last.nanoseconds * 2, 1_000_000)) }
      if waitsForInterval(last.nanoseconds) { return }
      // Whoever is at it instead asks again.
      if beginFlush() {
        takeNote()
        let start = ContinuousClock.now
        let served = flushOnce()
        let nanoseconds = (ContinuousClock.now - start).nanoseconds
        state.withLock { $0.last = (served, nanoseconds) }
        endFlush()
        if served == 1 { linger(min(nanoseconds, 50_000)) }
      }
      if !goesOn() { return }
    }
  }

  /// Whether the thread has another look. Logs that wait for a thread come first.
  private func goesOn() -> Bool {
    let others = WorkThreads.shared.isBehind
    return state.withLock { state in
      guard state.isAsked, !state.isStopping else {
        state.turn = .none
        return false
      }
      // Without another thread this one goes on.
      return !others || (try? WorkThreads.shared.add { self.run() }) == nil
    }
  }

  /// Whether it is too early: half of the interval after what was noted first is soon enough, or sooner if flushes take
  /// long. Then a thread comes back at that time.
  private func waitsForInterval(_ lastFlush: Int64) -> Bool {
    guard let interval else { return false }
    return state.withLock { state in
      guard let noted = state.noted, state.waiters.isEmpty, !state.isStopping else { return false }
      let delay = max(0, min(interval.nanoseconds / 2, interval.nanoseconds - 2 * lastFlush))
      let time = noted + .nanoseconds(delay)
      if time <= .now { return false }
      state.laterCount += 1
      let number = state.laterCount
      // Where there is no thread to wait, it flushes too early, which harms nobody.
      guard (try? WorkThreads.shared.add(at: time) { self.runLater(number) }) != nil else { return false }
      state.turn = .later(number)
      return true
    }
  }

  private func runLater(_ number: Int) {
    let isMine = state.withLock { state in
      // Somebody else could not wait so long, and was served.
      guard state.turn == .later(number), !state.isStopping else { return false }
      state.turn = .soon
      return true
    }
    if isMine { run() }
  }

  /// Those whom the last flush served together come back one after the other: waiting for them a moment, at most two
  /// flushes or a millisecond, saves all but the first a flush.
  private func gather(_ count: Int, within nanoseconds: Int64) {
    spin(within: nanoseconds) { $0 < count }
  }

  /// Who has just been served may come back at once: looking out for a moment saves waking a thread.
  private func linger(_ nanoseconds: Int64) {
    spin(within: nanoseconds) { $0 == 0 }
  }

  /// Lets other threads run for as long as the number of those who wait asks for it.
  private func spin(within nanoseconds: Int64, while isOn: (_ waiterCount: Int) -> Bool) {
    // Other logs wait for the thread: that takes long enough for more to come to this one.
    if WorkThreads.shared.isBehind { return }
    let end = ContinuousClock.now + .nanoseconds(nanoseconds)
    while isOn(waiterCount.load(ordering: .relaxed)), ContinuousClock.now < end { Thread.yield() }
  }

  // MARK: One flush at a time

  /// Whether it is this caller's to flush; then `endFlush` must follow.
  ///
  /// - Parameter here: on a thread that is not the pool's, while nobody else waits for one of those.
  private func beginFlush(here: Bool = false) -> Bool {
    state.withLock { state in
      if state.isFlushing || state.isStopping { return false }
      if here, state.hasEnded || state.failure != nil || !state.waiters.isEmpty { return false }
      state.isFlushing = true
      return true
    }
  }

  private func endFlush() {
    let (isStopping, failure) = state.withLock { state -> (Bool, ImmutaError?) in
      state.isFlushing = false
      if !state.waiters.isEmpty || isNoted.load(ordering: .relaxed) {
        do throws(ImmutaError) { try ask(&state) } catch { return (state.isStopping, error) }
      }
      return (state.isStopping, nil)
    }
    if isStopping { flushed.open() }
    // Nobody is left waiting for a thread that is not to be had.
    if let failure { fail(failure) }
  }

  /// How many it served.
  @discardableResult
  private func flushOnce() -> Int {
    if state.withLock({ $0.failure }) != nil { return 0 }
    let count = committed.generation
    do throws(ImmutaError) {
      if count > stable.generation {
        try files.flush()
        // What is stable in a file that nobody finds again is lost.
        try io(names.check())
        try keeper.markStable(count)
      }
      return finish(count)
    } catch {
      fail(error)
      return 0
    }
  }

  /// Flushes many logs together. Those that are being flushed, or where nothing is to be flushed, are left
  /// out.
  func flushTogether(with others: ArraySlice<any OpenFiles.HeldFilesFlusher>) {
    Self.flushTogether([self] + others.compactMap { $0 as? Flusher })
  }

  /// Puts what is committed in several logs on stable storage. May block.
  static func flushTogether(_ flushers: [Flusher]) {
    let flushers = flushers.filter { $0.committed.generation > $0.stable.generation && $0.beginFlush(here: true) }
    var files: [Descriptor] = []
    var counts: [Int] = []
    for flusher in flushers {
      flusher.takeNote()
      counts.append(flusher.committed.generation)
      files += flusher.files.takeOver()
    }
    let failures = ManyFiles.flush(files)
    for (place, flusher) in flushers.enumerated() {
      do throws(ImmutaError) {
        if let failure = failures[2 * place] ?? failures[2 * place + 1] { throw ImmutaError(failure) }
        try io(flusher.names.check())
        try flusher.keeper.markStable(counts[place])
        flusher.finish(counts[place])
      } catch {
        flusher.fail(error)
      }
      flusher.endFlush()
    }
  }

  /// Answers those who waited for `count` records or fewer.
  @discardableResult
  private func finish(_ count: Int) -> Int {
    stable.advance(to: count)
    let served = state.withLock { state in
      if state.waiters.isEmpty { return [] as [(count: Int, waiter: Waiter)] }
      let served = state.waiters.filter { $0.count <= count }
      state.waiters.removeAll { $0.count <= count }
      waiterCount.store(state.waiters.count, ordering: .relaxed)
      return served
    }
    for (_, waiter) in served { waiter.resume() }
    return served.count
  }

  private func fail(_ error: ImmutaError) {
    if files.hasFailedFlush { keeper.markFailed() }
    tell(error)
  }

  /// Answers those who wait, and all who come, with the failure.
  private func tell(_ error: ImmutaError) {
    let waiting = state.withLock { state in
      state.failure = error
      return takeWaiters(&state)
    }
    hasFailed.store(true, ordering: .releasing)
    for (_, waiter) in waiting { waiter.resume(with: .failure(error)) }
  }

  /// All who wait: nobody does then.
  private func takeWaiters(_ state: inout State) -> [(count: Int, waiter: Waiter)] {
    waiterCount.store(0, ordering: .relaxed)
    defer { state.waiters = [] }
    return state.waiters
  }

  /// Returns when no flush is under way; none begins any more. Those who wait are answered by `end(with:)`.
  func stop() {
    let isFlushing = state.withLock { state in
      state.isStopping = true
      return state.isFlushing
    }
    if isFlushing { flushed.wait() }
  }

  /// Closing flushed everything, or failed to: answers those who still wait.
  func end(with failure: ImmutaError?) {
    // Without a mark: the lock is free, and the companion may be another writer's. Closing has left it.
    if let failure { tell(failure) } else { stable.advance(to: committed.generation) }
    // Everybody who came before this, and nobody after: those find what is stable, or that the log is closed.
    let waiting = state.withLock { state in
      state.hasEnded = true
      return takeWaiters(&state)
    }
    for (count, waiter) in waiting {
      waiter.resume(with: count <= stable.generation ? .success(()) : .failure(ImmutaError.storageClosed))
    }
    stable.close()
    files.letGo()
    keeper.letGo()
  }
}
