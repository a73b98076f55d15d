import ImmutaLocking

/// Reports the progress of work that goes through all of a log, such as opening one without a companion.
///
/// Work of several passes over the log is as many times its bytes.
final class ScanProgress: Sendable {
  private struct State {
    /// Passes that are over.
    var passes = -1
    var told: ContinuousClock.Instant
    var hasTold = false
    var done = 0
  }

  private let size: Int
  private let passCount: Int
  private let state = Lock(State(told: .now))
  private let pause: Duration
  private let tell: @Sendable (_ done: Int, _ total: Int) -> Void

  /// - Parameters:
  ///   - size: of the log, in bytes.
  ///   - passCount: how often it is gone through, at most: if it is more often, nothing is said of the rest.
  ///   - pause: how long nothing is said, at first and from then on.
  ///   - tell: gets how much of how much is done.
  init(size: Int, passCount: Int, pause: Duration, tell: @escaping @Sendable (_ done: Int, _ total: Int) -> Void) {
    self.size = size
    self.passCount = passCount
    self.pause = pause
    self.tell = tell
  }

  /// From here on the log is gone through from its beginning.
  func beginPass() {
    state.withLock { $0.passes += 1 }
  }

  /// The log was read up to a byte.
  func reached(_ offset: Int) {
    let told = state.withLock { state -> Int? in
      let done = min(max(0, state.passes) * size + min(offset, size), total)
      state.done = max(state.done, done)
      let now = ContinuousClock.now
      guard now - state.told >= pause else { return nil }
      (state.told, state.hasTold) = (now, true)
      return state.done
    }
    // Not under the lock: the callback may take its time.
    if let told { tell(told, total) }
  }

  /// The work is over: all of it is done, where something was said of it.
  func end() {
    if state.withLock({ $0.hasTold }) { tell(total, total) }
  }

  private var total: Int { passCount * size }
}
