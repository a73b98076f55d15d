import ImmutaLocking
import Solid
import Synchronization

// The flusher on a thread of the pool. The thread comes on request, looks whether anything has to be flushed, and stays for a
// moment when more is likely to come.

extension Flusher {
  /// Requests a thread that looks whether anything has to be flushed.
  func ask(_ state: inout FlushState) throws(ImmutaError) {
    guard state.needsThread() else { return }
    do throws(NoThread) { try WorkThreads.shared.add { self.run() } } catch { throw ImmutaError(error) }
    state.threadComes()
  }

  /// A step's intent vouches for records that no flush has covered. A flush follows within a moment, so that other processes that
  /// look at the log's files know the records are stable, too, and the intent is not needed any more. Steps that follow closely
  /// share this flush.
  func flushSoon() {
    if isDueSoon.exchange(true, ordering: .relaxed) { return }
    let work: @Sendable () -> Void = { [weak self] in
      guard let self else { return }
      self.isDueSoon.store(false, ordering: .relaxed)
      if self.hasFlushed(self.committed.generation) || !self.beginFlush(here: true) { return }
      self.takeNote()
      self.flushOnce()
      self.endFlush()
    }
    if (try? WorkThreads.shared.add(at: .after(Self.soon), work)) == nil {
      isDueSoon.store(false, ordering: .relaxed)
    }
  }

  private static var soon: Duration { .milliseconds(20) }

  private func run() {
    while true {
      let last = state.withLock { state in
        state.beginLook()
        return state.last
      }
      if last.served > 1 { gather(last.served, within: min(last.nanoseconds * 2, 1_000_000)) }
      if waitsForInterval(last.nanoseconds) { return }
      // Otherwise, the caller that is flushing requests another look.
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

  /// Whether the thread looks again. Logs that wait for a thread come first.
  private func goesOn() -> Bool {
    let others = WorkThreads.shared.isBehind
    return state.withLock { state in
      guard state.endLook() else { return false }
      // If there is no other thread, this one goes on.
      return !others || (try? WorkThreads.shared.add { self.run() }) == nil
    }
  }

  /// Whether it is too early to flush: half of the interval after the first noted record is soon enough, or sooner if flushes
  /// take long. Then a thread comes back at that time.
  private func waitsForInterval(_ lastFlush: Int64) -> Bool {
    guard let interval else { return false }
    return state.withLock { state in
      guard let noted = state.noted else { return false }
      let delay = max(0, min(interval.nanoseconds / 2, interval.nanoseconds - 2 * lastFlush))
      let time = noted + .nanoseconds(delay)
      if time <= .now { return false }
      guard let number = state.numberForLater() else { return false }
      // If there is no thread to wait, it flushes too early, which does no harm.
      guard (try? WorkThreads.shared.add(at: time) { self.runLater(number) }) != nil else { return false }
      state.looksLater(number)
      return true
    }
  }

  private func runLater(_ number: Int) {
    let isMine = state.withLock { $0.isDue(number) }
    if isMine { run() }
  }

  /// Callers that the last flush served together come back one after the other. Waiting for them a moment, at most two flushes or
  /// a millisecond, saves a flush for all but the first.
  private func gather(_ count: Int, within nanoseconds: Int64) {
    spin(within: nanoseconds) { $0 < count }
  }

  /// A caller that was just served may come back at once: waiting for it a moment saves waking a thread.
  private func linger(_ nanoseconds: Int64) {
    spin(within: nanoseconds) { $0 == 0 }
  }

  /// Lets other threads run for as long as the number of waiting callers allows it.
  private func spin(within nanoseconds: Int64, while isOn: (_ waiterCount: Int) -> Bool) {
    // Other logs wait for the thread: serving them takes long enough for more callers to come to this one.
    if WorkThreads.shared.isBehind { return }
    let end = ContinuousClock.now + .nanoseconds(nanoseconds)
    while isOn(waiterCount.load(ordering: .relaxed)), ContinuousClock.now < end { Thread.yield() }
  }
}
