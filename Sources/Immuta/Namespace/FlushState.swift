/// Which callers wait for a flush of a log, and which one flushes. A pure state machine: its owner, ``Flusher``, locks, gets
/// threads, flushes and answers.
struct FlushState {
  private(set) var waiters: [(count: Int, waiter: Waiter)] = []
  /// Why a flush failed, once one did.
  private(set) var failure: ImmutaError?
  private(set) var stage = Stage.open
  private var look = Look.none
  /// Whether somebody flushes: one at a time.
  private(set) var isFlushing = false
  private var laterCount = 0
  /// About the last flush on a thread of the pool: how many callers it served, and how long it took.
  var last = (served: 0, nanoseconds: Int64(0))
  /// When the oldest record was noted that no flush was requested for; used only for the interval.
  var noted: ContinuousClock.Instant?

  enum Stage {
    case open
    /// No flush begins any more.
    case stopping
    /// Callers are answered only at once; nobody waits any more.
    case ended
  }

  /// Whether a thread looks after this log.
  private enum Look: Equatable {
    case none
    /// A thread will, when the interval is over. A number distinguishes this look from earlier ones.
    case later(Int)
    /// A thread will soon.
    case coming
    /// A thread looks now; and whether another look was requested meanwhile.
    case looking(isAskedAgain: Bool)
  }

  // MARK: A thread that looks

  /// A caller requests a look. Returns whether a thread is needed for it; then ``threadComes()`` must follow.
  mutating func needsThread() -> Bool {
    guard stage == .open else { return false }
    switch look {
    case .none, .later: return true
    case .coming: return false
    case .looking:
      look = .looking(isAskedAgain: true)
      return false
    }
  }

  mutating func threadComes() {
    precondition(look != .coming, "two threads for one log")
    look = .coming
  }

  /// The thread looks: requests from now on need another look.
  mutating func beginLook() {
    switch look {
    case .none, .later: preconditionFailure("a thread that nobody asked for")
    case .coming, .looking: look = .looking(isAskedAgain: false)
    }
  }

  /// The look is over. Returns whether another one was requested, which this thread or another then makes.
  mutating func endLook() -> Bool {
    guard case .looking(let isAskedAgain) = look else { preconditionFailure("a look that nobody began") }
    let goesOn = isAskedAgain && stage == .open
    look = goesOn ? .coming : .none
    return goesOn
  }

  /// A number for a later look, if the look may wait because no caller does; then ``looksLater(_:)`` must follow.
  mutating func numberForLater() -> Int? {
    guard waiters.isEmpty, stage == .open else { return nil }
    laterCount += 1
    return laterCount
  }

  mutating func looksLater(_ number: Int) {
    guard case .looking = look else { preconditionFailure("a look that nobody began") }
    look = .later(number)
  }

  /// The time has come: whether the look is still needed. It is not if a caller could not wait so long, and was served.
  mutating func isDue(_ number: Int) -> Bool {
    guard look == .later(number), stage == .open else { return false }
    look = .coming
    return true
  }

  // MARK: One flush at a time

  /// Whether this caller must flush; then ``endFlush()`` must follow.
  ///
  /// - Parameter here: whether the caller flushes on its own thread; only if nobody waits for a thread of the pool.
  mutating func beginFlush(here: Bool) -> Bool {
    if isFlushing || stage != .open { return false }
    if here, failure != nil || !waiters.isEmpty { return false }
    isFlushing = true
    return true
  }

  mutating func endFlush() {
    precondition(isFlushing, "ending a flush that nobody began")
    isFlushing = false
  }

  // MARK: Those who wait

  /// The immediate answer to a caller that waits for `count` records; nil when it has to wait.
  func answer(_ count: Int, stable: Int) -> Result<Void, any Error>? {
    if stable >= count { return .success(()) }
    if let failure { return .failure(failure) }
    return stage == .ended ? .failure(ImmutaError.storageClosed) : nil
  }

  mutating func wait(_ waiter: Waiter, for count: Int) {
    precondition(stage != .ended && failure == nil, "nobody would answer")
    waiters.append((count, waiter))
  }

  /// Removes and returns the callers that waited for `count` records or fewer.
  mutating func take(waitingFor count: Int) -> [(count: Int, waiter: Waiter)] {
    if waiters.isEmpty { return [] }
    let taken = waiters.filter { $0.count <= count }
    waiters.removeAll { $0.count <= count }
    return taken
  }

  /// Removes and returns the callers that waited for more than `count` records.
  mutating func take(waitingAfter count: Int) -> [(count: Int, waiter: Waiter)] {
    let taken = waiters.filter { $0.count > count }
    waiters.removeAll { $0.count > count }
    return taken
  }

  /// Removes and returns all callers that waited.
  private mutating func takeAll() -> [(count: Int, waiter: Waiter)] {
    defer { waiters = [] }
    return waiters
  }

  // MARK: The end

  /// A flush failed: all callers that wait, and all that come later, get the error.
  mutating func fail(_ error: ImmutaError) -> [(count: Int, waiter: Waiter)] {
    failure = error
    return takeAll()
  }

  /// No flush begins any more. Returns whether one is under way.
  mutating func stop() -> Bool {
    precondition(stage == .open, "stopping twice")
    stage = .stopping
    return isFlushing
  }

  /// Nobody waits any more: returns the callers that did.
  mutating func end() -> [(count: Int, waiter: Waiter)] {
    precondition(stage == .stopping && !isFlushing, "ending while somebody flushes")
    stage = .ended
    return takeAll()
  }
}
