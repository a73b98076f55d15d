#if JetStream
  import Immuta
  import ImmutaLocking

  /// Appends in order, each record once, however often it has to be sent.
  ///
  /// One group of records is on its way at a time: what was appended since the last one was sent, as a batch that is stored whole or not at
  /// all. It says how many records the log must have, and so it is stored at that place or never: sending it again is harmless,
  /// also when an earlier copy of it comes late. Only when it is certain that it is not stored at that place, because somebody else's
  /// record is there, or because the only copy was refused, it is sent for another one.
  final class AppendLine: Sendable {
    private struct State {
      var waiting: [AppendUnit] = []
      var isRunning = false
      /// How many records the log probably has; nil where that has to be asked.
      var guess: Int?
      /// Why nothing more is appended.
      var failure: (any Error)?
      /// When somebody else's record was where the next one of this line was to be.
      var lastRival: ContinuousClock.Instant?
    }

    private let access: LogAccess
    private let state: Lock<State>
    /// Records of a group at most.
    private let most: Int
    /// Whether nothing is appended any more once something was not.
    private let isOrdered: Bool

    /// Bytes of a group at most, unless one record has more.
    private static let mostBytes = 4 << 20
    /// The most records that the servers take together.
    static let largestBatch = 1000

    init(_ access: LogAccess, most: Int = largestBatch, isOrdered: Bool = false) {
      self.access = access
      self.most = access.isAtomic ? min(most, Self.largestBatch) : 1
      self.isOrdered = isOrdered
      state = Lock(State(guess: access.knownCount))
    }

    /// Appends, after all that came before.
    func add(_ unit: AppendUnit) {
      let (failure, starts) = state.withLock { state in
        if let failure = state.failure { return ((failure as (any Error)?), false) }
        state.waiting.append(unit)
        defer { state.isRunning = true }
        return (nil, !state.isRunning)
      }
      if let failure { return unit.giveUp(failure) }
      if starts { Task { await run() } }
    }

    /// Nothing more is appended; who waits is told so.
    func close(_ error: any Error) {
      let units = state.withLock { state in
        if state.failure == nil { state.failure = error }
        defer { state.waiting = [] }
        return state.waiting
      }
      for unit in units { unit.giveUp(error) }
    }

    private func run() async {
      while let units = takeGroup() {
        var group = AppendGroup(units, access, self)
        await group.settle()
        if hasRival { await AppendRace.leaveAMoment() }
      }
    }

    /// The units that are appended next, together; nil where there are none.
    private func takeGroup() -> [AppendUnit]? {
      state.withLock { state in
        var units: [AppendUnit] = []
        var (count, bytes, taken) = (0, 0, 0)
        for unit in state.waiting {
          if unit.isOver {
            taken += 1
            continue
          }
          if let last = units.last {
            let follows = last.expecting.map { $0 + last.payloads.count } == unit.expecting
            guard follows, count + unit.payloads.count <= most, bytes + unit.bytes <= Self.mostBytes else { break }
          }
          units.append(unit)
          taken += 1
          count += unit.payloads.count
          bytes += unit.bytes
        }
        state.waiting.removeFirst(taken)
        if units.isEmpty { state.isRunning = false }
        return units.isEmpty ? nil : units
      }
    }

    // MARK: For the group under way

    var guess: Int? {
      get { state.withLock { $0.guess } }
      set { state.withLock { $0.guess = newValue } }
    }

    /// Somebody else appends, too.
    func noteRival() {
      state.withLock { $0.lastRival = .now }
    }

    private var hasRival: Bool {
      state.withLock { state in state.lastRival.map { .now - $0 < AppendRace.memory } ?? false }
    }

    /// Why nothing more is to be tried; nil while there is no reason.
    var failure: (any Error)? { state.withLock { $0.failure } }

    /// Something was not appended: where order is kept, nothing after it is appended either.
    func noteFailure(_ error: any Error) {
      if isOrdered { close(error) }
    }

    /// Puts units back in front of those that wait.
    func putBack(_ units: [AppendUnit]) {
      state.withLock { $0.waiting.insert(contentsOf: units, at: 0) }
    }

    /// Gives up those whose time is over. They came in the order of their deadlines, or nearly.
    func expire(_ reason: String) {
      let now = ContinuousClock.now
      let late = state.withLock { state in Array(state.waiting.prefix { $0.isOver || $0.deadline <= now }) }
      for unit in late { unit.giveUp(ImmutaError.unavailable(reason).of(access.namespace)) }
    }
  }
#endif
