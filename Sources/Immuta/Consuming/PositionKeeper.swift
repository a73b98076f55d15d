import ImmutaLocking
import Synchronization

/// A consumer's position while the consumer is open: moves it, writes it, and puts it on stable storage as the log's
/// durability asks.
///
/// When the process dies, the written position remains: LAST counts. When the machine dies, STABLE counts, which is never beyond
/// the stable records of the log: so nothing is skipped, whatever the power cut leaves of either file.
final class PositionKeeper: Sendable {
  let consumer: String
  private let log: any ConsumedLog
  private let durability: Durability
  private let state: Lock<State>
  /// LAST of the current mark. Stored releasing after the file was written, loaded acquiring: a caller that sees the value finds
  /// the file at least as new.
  private let place: Atomic<Int>
  /// How many of the writes are on stable storage. Held while they are put there.
  private let flushed = Lock(0)

  private struct State {
    /// Nil once the consumer is closed.
    var file: PositionFile?
    var mark: ConsumerMark
    /// How often the file was written.
    var writes = 0
    /// When to look again at the names and the log's stable records.
    var nextLook = ContinuousClock.now
    var later = Later.none
    /// The records that its steps have appended, and that are not known to be on stable storage.
    var appends = StepAppends()
  }

  /// Whether a later look at the file is scheduled, and how often in a row nothing had changed.
  private enum Later: Equatable {
    case none
    case due(afterIdle: Int)
  }

  /// - Parameter mark: the mark on file.
  init(
    _ consumer: String, _ file: PositionFile, _ mark: ConsumerMark, of log: any ConsumedLog, _ durability: Durability
  ) {
    (self.consumer, self.log, self.durability) = (consumer, log, durability)
    state = Lock(State(file: file, mark: mark))
    place = Atomic(mark.last.number)
  }

  deinit {
    state.withLock { $0.file }?.unlock()
  }

  /// The first record that was not acknowledged. Known without waiting for a step that is being flushed.
  var position: Int { place.load(ordering: .acquiring) }

  // MARK: Moving

  /// Acknowledges the records before a place; does nothing where that was done already. One small write, and none if nothing
  /// moves.
  ///
  /// - Returns: the argument for ``flush(through:)``, if the position must be on stable storage.
  /// - Throws: `.consumerClosed`, `.logMoved`, `.io`; the position stays then.
  @discardableResult
  func acknowledge(_ place: ConsumerMark.Place) throws(ImmutaError) -> Int {
    try move { mark in if place.number > mark.last.number { mark.last = place } }
  }

  /// Moves to a place, wherever that is. Otherwise as ``acknowledge(_:)``.
  @discardableResult
  func seek(to place: ConsumerMark.Place) throws(ImmutaError) -> Int {
    try move { mark in mark.last = place }
  }

  /// Moves a work queue, whose state so far does not count any more. Otherwise as ``acknowledge(_:)``.
  ///
  /// - Parameter queue: see ``ConsumerMark/queue``; another one than before.
  func seek(to place: ConsumerMark.Place, queue: UInt64) throws(ImmutaError) -> Int {
    try move { mark in (mark.last, mark.queue) = (place, queue) }
  }

  private func move(_ change: (inout ConsumerMark) -> Void) throws(ImmutaError) -> Int {
    try state.withLock { (state) throws(ImmutaError) in
      guard let file = state.file else { throw .consumerClosed(consumer).of(log.namespace) }
      var mark = state.mark
      change(&mark)
      if mark.last == state.mark.last, mark.queue == state.mark.queue { return state.writes }
      let now = ContinuousClock.now
      let isDue = now >= state.nextLook
      if isDue {
        try file.checkName()
        state.nextLook = now + Self.timeBetweenLooks
      }
      // With `.synced` the place itself must survive a power cut: a follower of the log may not know yet how much is stable.
      let looks = isDue || durability == .synced && mark.last.number > log.knownStableCount
      try raiseStable(
        of: &mark, by: state.appends.limit(looks ? log.stableCount : log.knownStableCount), mayRead: isDue)
      try write(mark, &state)
      if durability != .synced { lookLater(&state, idle: 0) }
      return state.writes
    }
  }

  // MARK: Steps

  /// From where to where a step moves the consumer.
  struct Move {
    let from: Int
    let to: ConsumerMark.Place
  }

  /// Moves the consumer with a step: nobody else moves it between the step's intent and its outcome.
  ///
  /// - Parameters:
  ///   - appended: what the step appends; nil where that, and the records that it has read, are on stable storage by its intent.
  ///   - commit: decides on the step; it gets what identifies the position that the step moves on from.
  /// - Returns: the position's file, and how often it was written, for ``flush(through:)``; nil if the position is not the one
  ///   that the step moves on from: then nothing was decided.
  /// - Throws: `.consumerClosed`, `.logMoved`, `.io`, and what `commit` throws. If the step was decided on but the position was
  ///   not written, the next opening writes it.
  func step(
    _ move: Move, appended: [StepAppends.Append]?,
    _ commit: (_ made: UInt64, _ generation: UInt64) throws(ImmutaError) -> Void
  ) throws(ImmutaError) -> (file: PositionFile, writes: Int)? {
    try state.withLock { (state) throws(ImmutaError) in
      guard let file = state.file else { throw .consumerClosed(consumer).of(log.namespace) }
      if state.mark.last.number != move.from { return nil }
      try file.checkName()
      try commit(state.mark.made, file.generation)
      var mark = state.mark
      mark.last = move.to
      if let appended {
        state.appends.add(appended, from: move.from)
        try raiseStable(of: &mark, by: state.appends.limit(log.knownStableCount), mayRead: false)
      } else if state.appends.limit(move.to.number) >= move.to.number {
        mark.stable = move.to
      }
      do throws(ImmutaError) {
        try write(mark, &state)
      } catch {
        // The step counts, but this consumer has not recorded it: the next opening does.
        file.unlock()
        state.file = nil
        throw error
      }
      if durability != .synced { lookLater(&state, idle: 0) }
      return (file, state.writes)
    }
  }

  /// Raises STABLE as far as LAST and the stable records of the log allow.
  private func raiseStable(of mark: inout ConsumerMark, by stable: Int, mayRead: Bool) throws(ImmutaError) {
    if mark.last.number <= stable || mark.last.number < mark.stable.number {
      mark.stable = mark.last
    } else if stable > mark.stable.number, mayRead {
      mark.stable = try log.place(stable)
    }
  }

  private func write(_ mark: ConsumerMark, _ state: inout State) throws(ImmutaError) {
    var mark = mark
    mark.identity = mark.identity ?? log.identity
    mark.pending = state.appends.pending
    mark.bootIdentity = BootIdentity.current
    precondition(mark.stable.number <= mark.last.number, "what a power cut leaves of a position is not beyond it")
    try state.file?.write(mark)
    state.mark = mark
    state.writes += 1
    place.store(mark.last.number, ordering: .releasing)
  }

  // MARK: Stable storage

  /// Puts the position on stable storage, as it was after so many writes; one flush serves all callers that wait. Blocks.
  ///
  /// - Throws: `.logMoved`, `.io`: then a restart of the machine may find an older position.
  func flush(through writes: Int) throws(ImmutaError) {
    try flushed.withLock { (flushed) throws(ImmutaError) in
      if flushed >= writes { return }
      let (file, written) = state.withLock { ($0.file, $0.writes) }
      // Closing flushes.
      guard let file else { return }
      precondition(written >= writes, "nobody waits for a write that was not made")
      try file.checkName()
      try file.flush()
      flushed = written
    }
  }

  private static var timeBetweenLooks: Duration { .milliseconds(100) }

  /// More of the log may become stable while nothing is acknowledged: looks after a while, and less and less often.
  private func lookLater(_ state: inout State, idle: Int) {
    if case .due = state.later {
      state.later = .due(afterIdle: idle)
      return
    }
    guard idle < StableLooks.mostIdle, state.mark.stable != state.mark.last || durability.interval != nil else {
      return
    }
    let pause = StableLooks.pause(afterIdle: idle, durability)
    guard (try? WorkThreads.shared.add(at: .after(pause), { [weak self] in self?.look() })) != nil else { return }
    state.later = .due(afterIdle: idle)
  }

  /// A failure shows when the consumer acknowledges next, or closes.
  private func look() {
    let writes = state.withLock { state -> Int in
      guard state.file != nil, case .due(let idle) = state.later else { return 0 }
      state.later = .none
      let hasChanged = (try? raiseStable(&state)) ?? false
      if durability.interval == nil { lookLater(&state, idle: hasChanged ? 0 : idle + 1) }
      return state.writes
    }
    if durability.interval != nil { try? flush(through: writes) }
  }

  /// Whether STABLE was raised.
  private func raiseStable(_ state: inout State) throws(ImmutaError) -> Bool {
    var mark = state.mark
    try raiseStable(of: &mark, by: state.appends.limit(log.stableCount), mayRead: true)
    if mark.stable == state.mark.stable { return false }
    try write(mark, &state)
    return true
  }

  /// Puts the position on stable storage, and releases the consumer for others. Blocks. The first call counts.
  @discardableResult
  func close() -> ImmutaError? {
    var failure: ImmutaError?
    do throws(ImmutaError) {
      let writes = try state.withLock { (state) throws(ImmutaError) in
        if state.file != nil { _ = try raiseStable(&state) }
        return state.writes
      }
      try flush(through: writes)
    } catch {
      failure = error
    }
    state.withLock { state in
      state.file?.unlock()
      state.file = nil
    }
    return failure
  }
}
