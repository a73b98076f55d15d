import ImmutaLocking

/// Manages the segments around a log's newest one: makes the next segment ahead, seals segments that are not appended to any
/// more, and removes the oldest.
///
/// The caller that rolls a log has its turn. Lock order: `maintenance` before all others.
final class Roller: Sendable {
  let maker: SegmentMaker
  /// The files that exist once for the log.
  let once: [NameCheck.NamedFile]
  let retention: Retention
  /// Held while the first or the last segment of the log changes, and while that is stored.
  let maintenance = Lock<Void>(())
  private let state = Lock(State())

  private struct State {
    var next = Next.none
    /// Segments that are not sealed yet, as far as is known.
    var sealing: [SealingSegment] = []
    var isClosed = false
    /// Consumers whose positions could not be read.
    var faults: Set<String> = []
  }

  private enum Next {
    case none
    case making
    case ready(NextSegment)
    /// The log is rolling into it: until it has a name of its own, no other may be made, which would take its place.
    case taken
  }

  init(maker: SegmentMaker, once: [NameCheck.NamedFile], retention: Retention) {
    self.maker = maker
    self.once = once
    self.retention = retention
  }

  /// Whether it was not logged yet that a consumer's position cannot be read.
  func isFirstFault(of consumer: String) -> Bool { state.withLock { $0.faults.insert(consumer).inserted } }

  // MARK: The next segment

  /// Whether a thread should make the next segment; then ``noteMade(_:)`` must follow.
  func wantsNext() -> Bool {
    state.withLock { state in
      guard case .none = state.next, !state.isClosed else { return false }
      state.next = .making
      return true
    }
  }

  /// The next segment is made; nil if that failed: the caller that needs it tries again, and gets the error. From here on the
  /// log may be closed, so the caller holds none of its files any more.
  func noteMade(_ next: consuming NextSegment?) {
    var next = consume next
    state.withLock { state in
      state.next = if let next = next.take() { .ready(next) } else { .none }
    }
    waiting.open()
  }

  /// For the caller that has the turn, or closes the log.
  private let waiting = ThreadGate()

  private var isMaking: Bool { state.withLock { state in if case .making = state.next { true } else { false } } }

  /// The next segment: made ahead, or now. The caller has the turn; ``endTaking()`` must follow, even if this throws.
  func takeNext(like log: Descriptor) throws(ImmutaError) -> NextSegment {
    while true {
      // In one step: a thread that is about to make one must not begin in between.
      let (isTaken, ready) = state.withLock { state -> (Bool, NextSegment?) in
        if case .making = state.next { return (false, nil) }
        defer { state.next = .taken }
        guard case .ready(let ready) = state.next else { return (true, nil) }
        return (true, ready)
      }
      if let ready { return ready }
      if isTaken { return try maker.make(like: log) }
      waiting.wait()
    }
  }

  /// The taken segment has its name, or is gone: another segment may be made.
  func endTaking() {
    state.withLock { $0.next = .none }
  }

  // MARK: Sealing

  func add(_ segment: SealingSegment) {
    state.withLock { $0.sealing.append(segment) }
  }

  /// Seals the segments that are due, and calls `body` with the first record of each sealed one. If two callers come at once,
  /// `body` is called twice, as each returns only when that was done. May block. Returns why a segment could not be sealed.
  ///
  /// - Parameters:
  ///   - flushFailure: why a flush of the log failed, if one did.
  ///   - noteNext: see ``SealingSegment/seal(after:noteNext:)``.
  func sealAll(
    after flushFailure: ImmutaError?, noteNext: (_ next: Int) -> Void, _ body: (_ first: Int) -> Void
  ) -> ImmutaError? {
    var failure: ImmutaError?
    for segment in state.withLock({ $0.sealing }) {
      if let error = segment.seal(after: flushFailure, noteNext: noteNext) { failure = failure ?? error }
      if failure == nil { body(segment.first) }
      state.withLock { $0.sealing.removeAll { $0 === segment } }
    }
    return failure
  }

  /// The log is about to be closed: no segment follows, and nothing is removed. Returns when nobody makes or removes segments any
  /// more: once the log is closed, another writer may own the names of its files. Nobody rolls meanwhile.
  func close() {
    state.withLock { $0.isClosed = true }
    while isMaking { waiting.wait() }
    let next = state.withLock { state -> NextSegment? in
      guard case .ready(let next) = state.next else { return nil }
      state.next = .none
      return next
    }
    next?.abandon(maker.setup.files.home)
    // Waits for a thread that removes segments now: afterwards another writer may have the log.
    maintenance.withLock { _ in }
  }
}
