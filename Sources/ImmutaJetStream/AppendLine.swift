#if JetStream
  import Immuta
  import ImmutaLocking

  /// Appends in order, each record once, however often it has to be sent.
  ///
  /// One group of records is on its way at a time: all records appended since the last group was sent, as a batch that is stored
  /// as a whole or not at all. It says how many records the log must have, and so it is stored at that place or never: sending it
  /// again is harmless, also when an earlier copy of it comes late. It is sent for another place only when it is certain that it
  /// is not stored at that one, because another writer's record is there, or because the only copy was refused.
  ///
  /// If order is kept and nobody else appends, the records after a group are sent as a ``FastBatch``, if the stream takes those.
  final class AppendLine: Sendable {
    private struct State {
      var waiting: [AppendUnit] = []
      var isRunning = false
      /// How many records the log probably has; nil where that has to be asked.
      var guess: Int?
      /// Why nothing more is appended.
      var failure: (any Error)?
      /// When another writer's record was at the place of this line's next one.
      var lastRival: ContinuousClock.Instant?
      /// The run under way.
      var batch: FastBatch?
      /// What a run before it has left: may be stored at its places.
      var unsettled: [FastBatch.Placed] = []
      /// Whether runs are of use: the servers may refuse them.
      var takesBatches: Bool
      /// Whether a caller waits for all to be stored.
      var isFlushing = false
    }

    private let access: LogAccess
    private let state: Lock<State>
    /// Records of a group at most.
    private let most: Int
    /// After how many records of a run the servers say what is stored.
    private var flow: Int { min(most / 2, 256) }
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
      state = Lock(State(guess: access.knownCount, takesBatches: isOrdered && access.isBatched))
    }

    /// Appends, after all that came before.
    func add(_ unit: AppendUnit) {
      let (failure, starts, batch) = state.withLock { state -> ((any Error)?, Bool, FastBatch?) in
        if let failure = state.failure { return (failure, false, nil) }
        state.isFlushing = false
        if state.waiting.isEmpty, let batch = state.batch, batch.add(unit) { return (nil, false, nil) }
        state.waiting.append(unit)
        defer { state.isRunning = true }
        return (nil, !state.isRunning, state.batch)
      }
      if let failure { return unit.giveUp(failure) }
      // It takes no more records.
      batch?.finish()
      if starts { Task { await run() } }
    }

    /// Makes the servers say soon what is stored, as a caller waits for it.
    func flush() {
      let batch = state.withLock { state in
        state.isFlushing = true
        return state.batch
      }
      batch?.finish()
    }

    /// Nothing more is appended; waiting callers get the error.
    func close(_ error: any Error) {
      let (units, batch) = state.withLock { state in
        if state.failure == nil { state.failure = error }
        defer { (state.waiting, state.unsettled) = ([], []) }
        return (state.unsettled.map(\.unit) + state.waiting, state.batch)
      }
      batch?.end()
      for unit in units { unit.giveUp(error) }
    }

    private func run() async {
      while true {
        if let batch = await beginBatch() {
          let rest = await batch.over()
          take(rest, of: batch)
        } else if let placed = firstUnsettled {
          await settle(placed)
        } else if let units = takeGroup() {
          var group = AppendGroup(units, access, self)
          await group.settle()
          if hasRival { await AppendRace.leaveAMoment() }
        } else {
          return
        }
      }
    }

    /// The units that are appended next, together; nil where there are none.
    private func takeGroup() -> [AppendUnit]? {
      state.withLock { state in
        var units: [AppendUnit] = []
        var (count, bytes, taken) = (0, 0, 0)
        // The others follow it faster.
        let most = Self.mayBegin(state) ? 1 : most
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

    // MARK: Runs

    /// Whether runs are worth it.
    private static func mayBegin(_ state: State) -> Bool {
      state.takesBatches && state.failure == nil && !hasRival(state)
    }

    /// Sends what waits as a run, if the place of the first is known and nothing is in doubt but what can be sent again for its place;
    /// nil where that is not so.
    private func beginBatch() async -> FastBatch? {
      let first: Int? = state.withLock { state in
        guard Self.mayBegin(state), !state.waiting.isEmpty || !state.unsettled.isEmpty else { return nil }
        return state.guess
      }
      guard let first, let batch = await FastBatch.begin(access, at: first, flow: max(1, flow)) else { return nil }
      let (isUsed, isEnough) = state.withLock { state in
        // These units keep their ids: an earlier copy may still come.
        let again = state.unsettled.prefix { batch.add($0) }.count
        state.unsettled.removeFirst(again)
        var taken = 0
        if state.unsettled.isEmpty { taken = state.waiting.prefix { batch.add($0) }.count }
        state.waiting.removeFirst(taken)
        let isUsed = again + taken > 0 && state.failure == nil
        if isUsed { state.batch = batch }
        return (isUsed, state.isFlushing || !state.waiting.isEmpty || !state.unsettled.isEmpty)
      }
      if !isUsed {
        batch.end()
        return nil
      }
      if isEnough { batch.finish() }
      return batch
    }

    /// A run is over; the rest of it may be stored.
    private func take(_ rest: [FastBatch.Placed], of batch: FastBatch) {
      let failure = state.withLock { state in
        state.batch = nil
        switch batch.refusal {
        case nil: break
        case .rival?: state.lastRival = .now
        case .unusable?: state.takesBatches = false
        }
        // Where it went on, the place after the last one that is known to be stored; else that has to be found out.
        state.guess = rest.isEmpty ? access.knownCount : nil
        if state.failure == nil { state.unsettled = rest + state.unsettled }
        return state.failure
      }
      if let failure {
        for placed in rest { placed.unit.giveUp(failure) }
      }
    }

    private var firstUnsettled: FastBatch.Placed? { state.withLock { $0.unsettled.first } }

    /// Finds out what became of the units that a run has left, up to the first one that is not stored; and settles that one.
    private func settle(_ first: FastBatch.Placed) async {
      var attempts = Attempts(until: first.unit.deadline)
      while let time = attempts.time(atMost: access.transport.options.answerTimeout), failure == nil {
        if let count = await storedCount(of: state.withLock { $0.unsettled }, within: time) {
          let stored = takeUnsettled(count)
          for placed in stored { placed.complete() }
          if let last = stored.last { access.noteCount(last.place + 1) }
          return await settleFirst(after: stored.last)
        }
        try? await attempts.rest()
      }
      let error = failure ?? ImmutaError.unavailable("the log's leader does not answer").of(access.namespace)
      close(error)
    }

    private func settleFirst(after last: FastBatch.Placed?) async {
      guard let placed = takeUnsettled(1).first else {
        guess = last.map { $0.place + 1 }
        return
      }
      do throws(SentGroup.Failure) {
        var group = AppendGroup([placed.unit], doubt: try SentGroup(placed, access), access, self)
        await group.settle()
      } catch {
        return close(error.error)
      }
      let isThere = placed.unit.appended?.sequences.lowerBound == placed.place
      state.withLock { state in
        if isThere {
          // Units after it may be stored, too.
          state.guess = placed.place + 1
        } else {
          // None of them is without it.
          for placed in state.unsettled { placed.unit.markRefused() }
          state.waiting.insert(contentsOf: state.unsettled.map(\.unit), at: 0)
          state.unsettled = []
        }
      }
    }

    private func takeUnsettled(_ count: Int) -> [FastBatch.Placed] {
      state.withLock { state in
        let count = min(count, state.unsettled.count)
        defer { state.unsettled.removeFirst(count) }
        return Array(state.unsettled.prefix(count))
      }
    }

    /// How many of a run's records are stored: each one only after all before it. Nil if the leader does not answer.
    private func storedCount(of placed: [FastBatch.Placed], within time: Duration) async -> Int? {
      // The first `low` are; the one at `high` is not.
      var (low, high) = (0, placed.count)
      while low < high {
        let middle = (low + high) / 2
        guard case .success(let record)? = try? await access.leaderRecord(at: placed[middle].place, within: time)
        else { return nil }
        if record?.id == placed[middle].id { low = middle + 1 } else { high = middle }
      }
      return low
    }

    // MARK: For the group under way

    var guess: Int? {
      get { state.withLock { $0.guess } }
      set { state.withLock { $0.guess = newValue } }
    }

    /// Another writer appends, too.
    func noteRival() {
      state.withLock { $0.lastRival = .now }
    }

    private var hasRival: Bool { state.withLock { Self.hasRival($0) } }

    private static func hasRival(_ state: State) -> Bool {
      state.lastRival.map { .now - $0 < AppendRace.memory } ?? false
    }

    /// Why nothing more is to be tried; nil while there is no reason.
    var failure: (any Error)? { state.withLock { $0.failure } }

    /// Something was not appended: where order is kept, nothing after it is appended either.
    func noteFailure(_ error: any Error) {
      if isOrdered { close(error) }
    }

    /// Puts units back in front of the waiting ones.
    func putBack(_ units: [AppendUnit]) {
      state.withLock { $0.waiting.insert(contentsOf: units, at: 0) }
    }

    /// Gives up units whose time is over. They came in the order of their deadlines, or nearly.
    func expire(_ reason: String) {
      let now = ContinuousClock.now
      let late = state.withLock { state in Array(state.waiting.prefix { $0.isOver || $0.deadline <= now }) }
      for unit in late { unit.giveUp(ImmutaError.unavailable(reason).of(access.namespace)) }
    }
  }
#endif
