/// Who waits for a flush of a log, and who is at it. A pure state machine: its owner, ``Flusher``, locks, has threads come,
/// flushes and answers.
struct FlushState {
  private(set) var waiters: [(count: Int, waiter: Waiter)] = []
  /// Why a flush failed, once one did.
  private(set) var failure: ImmutaError?
  private(set) var stage = Stage.open
  private var look = Look.none
  /// Whether somebody flushes: one at a time.
  private(set) var isFlushing = false
  private var laterCount = 0
  /// Of the last flush on a thread of the pool: how many it served, and how long it took.
  var last = (served: 0, nanoseconds: Int64(0))
  /// When the oldest record came that no flush has been asked to cover, as far as the interval asks.
  var noted: ContinuousClock.Instant?

  enum Stage {
    case open
    /// No flush begins any more.
    case stopping
    /// Nobody is answered any more but at once.
    case ended
  }

  /// Whether a thread looks after this log.
  private enum Look: Equatable {
    case none
    /// One will, when the interval asks for it. A number tells it from those before.
    case later(Int)
    /// One will soon.
    case coming
    /// One does; and whether it was asked for another look meanwhile.
    case looking(isAskedAgain: Bool)
  }

  // MARK: A thread that looks

  /// Somebody asks for a look. Whether a thread must be had for it; then ``threadComes()`` must follow.
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

  /// The thread looks: who asks from now on wants another look.
  mutating func beginLook() {
    switch look {
    case .none, .later: preconditionFailure("a thread that nobody asked for")
    case .coming, .looking: look = .looking(isAskedAgain: false)
    }
  }

  /// The look is over. Whether another one was asked for, which this thread or another has then.
  mutating func endLook() -> Bool {
    guard case .looking(let isAskedAgain) = look else { preconditionFailure("a look that nobody began") }
    let goesOn = isAskedAgain && stage == .open
    look = goesOn ? .coming : .none
    return goesOn
  }

  /// Whether the look may wait: nobody else does. Then a number for who looks later; ``looksLater(_:)`` must follow.
  mutating func numberForLater() -> Int? {
    guard waiters.isEmpty, stage == .open else { return nil }
    laterCount += 1
    return laterCount
  }

  mutating func looksLater(_ number: Int) {
    guard case .looking = look else { preconditionFailure("a look that nobody began") }
    look = .later(number)
  }

  /// The time has come: whether the look is still to be had. Not where somebody could not wait so long, and was served.
  mutating func isDue(_ number: Int) -> Bool {
    guard look == .later(number), stage == .open else { return false }
    look = .coming
    return true
  }

  // MARK: One flush at a time

  /// Whether it is this caller's to flush; then ``endFlush()`` must follow.
  ///
  /// - Parameter here: on a thread that is not the pool's, while nobody else waits for one of those.
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

  /// What one who waits for `count` records is told at once; nil when it has to wait.
  func answer(_ count: Int, stable: Int) -> Result<Void, any Error>? {
    if stable >= count { return .success(()) }
    if let failure { return .failure(failure) }
    return stage == .ended ? .failure(ImmutaError.storageClosed) : nil
  }

  mutating func wait(_ waiter: Waiter, for count: Int) {
    precondition(stage != .ended && failure == nil, "nobody would answer")
    waiters.append((count, waiter))
  }

  /// Those who waited for `count` records or fewer: they do no more.
  mutating func take(waitingFor count: Int) -> [(count: Int, waiter: Waiter)] {
    if waiters.isEmpty { return [] }
    let taken = waiters.filter { $0.count <= count }
    waiters.removeAll { $0.count <= count }
    return taken
  }

  /// All who waited: nobody does now.
  private mutating func takeAll() -> [(count: Int, waiter: Waiter)] {
    defer { waiters = [] }
    return waiters
  }

  // MARK: The end

  /// A flush failed: everybody who waits is told, and everybody who comes.
  mutating func fail(_ error: ImmutaError) -> [(count: Int, waiter: Waiter)] {
    failure = error
    return takeAll()
  }

  /// No flush begins any more. Whether one is under way.
  mutating func stop() -> Bool {
    precondition(stage == .open, "stopping twice")
    stage = .stopping
    return isFlushing
  }

  /// Nobody waits any more: those who did are returned.
  mutating func end() -> [(count: Int, waiter: Waiter)] {
    precondition(stage == .stopping && !isFlushing, "ending while somebody flushes")
    stage = .ended
    return takeAll()
  }
}
