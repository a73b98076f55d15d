import ImmutaLocking
import Synchronization

/// Which caller has the turn, and how the turn goes from one to the next.
extension LogWriter {
  /// The log's name, for errors.
  @usableFromInline var namespace: String { longWaits.namespace }

  /// Waits until it is this caller's turn. Cancellation ends the wait.
  ///
  /// - Parameter append: a payload that may be appended for the caller instead: it then has an outcome. If it has none, the
  ///   caller has the turn.
  func takeTurn(
    _ work: TakenTurn.Work, _ party: TurnHolder.Party, orAppend append: QueuedAppend? = nil
  ) async throws {
    guard let entry = try enter(TurnHolder(work, party), append) else { return }
    let parties = TransactionNote.parties
    let wait = WaitGraph.shared.number()
    defer { if !parties.isEmpty { WaitGraph.shared.end(wait) } }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let answer = enqueue(.task(continuation), entry, wait, parties)
        if let answer { continuation.resume(with: answer) }
      }
    } onCancel: {
      state.withLock { $0.turns.cancel(entry.ticket) }?.resume(with: .failure(CancellationError()))
    }
  }

  /// The same, for a thread that may block.
  func takeTurnBlocking(_ work: TakenTurn.Work, orAppend append: QueuedAppend? = nil) throws {
    let thread = Thread.identity
    guard let entry = try enter(TurnHolder(work, .thread(thread)), append) else { return }
    let waiter = BlockedThread()
    let wait = WaitGraph.shared.number()
    defer { WaitGraph.shared.end(wait) }
    let parties = TransactionNote.parties.union([.thread(thread)])
    if let answer = enqueue(.thread(waiter), entry, wait, parties) { return try answer.get() }
    try waiter.wait()
  }

  /// A payload that may be appended for its caller while the caller waits; nil if the caller must have the turn, as with a codec,
  /// which is not called for other callers.
  func queuedAppend(_ bytes: UnsafeRawBufferPointer) -> QueuedAppend? {
    encoder == nil ? unsafe QueuedAppend(bytes, in: roomForQueue) : nil
  }

  /// Ends the turn: records that were staged and not committed are gone. Then serves the callers that wait, until one has the
  /// turn or none waits any more.
  ///
  /// In pieces, so that the lock is not held for long. Callers that come in between do a piece before they join the queue: so the
  /// queue gets shorter, and this ends.
  func endTurn() {
    var served = state.withLock { state in
      state.endTurn()
      return serve(&state)
    }
    while !served.isAll {
      let more = state.withLock { serve(&$0) }
      served.add(more)
    }
    // Only now: a caller that is resumed may call back at once, and not return for a while.
    tell(served)
  }

  // MARK: Serving those who wait

  /// The callers that were served, to be resumed when no lock is held.
  private struct Served {
    /// The caller that has the turn now, if any. A list, as the size of a waiter is known only at run time.
    var next: [Waiter] = []
    /// The callers whose payloads were appended.
    var appended: [Waiter] = []
    /// How many records are committed, if any were appended or a caller has the turn.
    var count = 0
    /// Whether no caller waits, or one has the turn.
    var isAll = true

    mutating func add(_ more: Served) {
      next = more.next
      appended += more.appended
      count = max(count, more.count)
      isAll = more.isAll
    }
  }

  /// How many callers are served before the lock is released: about five microseconds.
  private static var mostServed: Int { 32 }

  /// Serves the callers that are next, if nobody has the turn: appends for them, or gives the first one the turn.
  private func serve(_ state: inout WriterState) -> Served {
    var served = Served()
    if state.turns.isTaken || state.turns.isFree { return served }
    while served.appended.count < Self.mostServed,
      let next = state.nextTurn(mayAppend: state.isReady(for: QueuedAppend.largest))
    {
      switch next {
      case .turn(let waiter):
        served.next = [waiter]
        served.count = state.count
      case .append(let append, let waiter, let holder):
        append.outcome = outcome(of: append, &state)
        if append.outcome == nil {
          state.giveTurn(to: holder)
          served.next = [waiter]
          served.count = state.count
          break
        }
        served.appended.append(waiter)
        served.count = state.count
      }
    }
    served.isAll = state.turns.isTaken || state.turns.isFree
    return served
  }

  /// Nil if the log has to roll first: the caller gets the turn, rolls and appends.
  private func outcome(of append: QueuedAppend, _ state: inout WriterState) -> Result<Receipt, ImmutaError>? {
    do throws(ImmutaError) {
      try checkUsable(state)
      let receipt = try unsafe append.bytes.withBytes { (bytes) throws(ImmutaError) in try unsafe state.append(bytes) }
      return .success(receipt)
    } catch {
      return state.rolls(insteadOf: error) ? nil : .failure(error)
    }
  }

  /// Never under a lock. The caller that has the turn comes first: others wait for it, perhaps the ones that are resumed after
  /// it.
  private func tell(_ served: Served) {
    if !served.next.isEmpty { announceRound(served.count) }
    for waiter in served.next { waiter.resume() }
    if served.appended.isEmpty { return }
    announce(served.count)
    for waiter in served.appended { waiter.resume() }
  }

  // MARK: Joining the queue

  /// A caller that wants the turn and may have to wait for it.
  private struct Entry {
    let holder: TurnHolder
    let append: QueuedAppend?
    let ticket: Int
  }

  /// Nil if the caller need not wait: it has the turn, or its payload is appended.
  private func enter(_ holder: TurnHolder, _ append: QueuedAppend?) throws -> Entry? {
    let (result, served, count) = state.withLock { state -> (Result<Int?, ImmutaError>, Served, Int) in
      do throws(ImmutaError) { try checkUsable(state) } catch { return (.failure(error), Served(), state.count) }
      let served = serve(&state)
      let ticket = goOn(holder, append, &state) ? nil : state.turns.ticket()
      return (.success(ticket), served, state.count)
    }
    announceRound(count)
    tell(served)
    if let receipt = try? append?.outcome?.get() { announceAppended(receipt) }
    guard let ticket = try result.get() else { return nil }
    try checkForOwnTurn()
    return Entry(holder: holder, append: append, ticket: ticket)
  }

  /// Takes the turn if it is free, or appends if the caller wants no more than that; false when the caller has to wait.
  private func goOn(_ holder: TurnHolder, _ append: QueuedAppend?, _ state: inout WriterState) -> Bool {
    guard let append, state.isReady(for: append.bytes.count) else { return state.takeTurn(holder) }
    if !state.turns.isFree { return false }
    append.outcome = outcome(of: append, &state)
    return append.outcome != nil || state.takeTurn(holder)
  }

  /// Nil when the waiter now waits; otherwise its answer. Callers without a turn hold up nobody, so they need no look at the
  /// other waits.
  private func enqueue(
    _ waiter: Waiter, _ entry: Entry, _ wait: WaitGraph.Number, _ parties: Set<TurnHolder.PartyName>
  ) -> Result<Void, any Error>? {
    var outcome: (answer: Result<Bool, any Error>, served: Served)
    if parties.isEmpty {
      outcome = enqueue(waiter, entry)
    } else {
      outcome = (.success(true), Served())
      do throws(ImmutaError) {
        try WaitGraph.shared.begin(wait, for: self, parties, entry.append) { outcome = enqueue(waiter, entry) }
      } catch {
        return .failure(error)
      }
    }
    if awaitsFlush, case .success(true) = outcome.answer { announceRound(state.withLock { $0.count }) }
    tell(outcome.served)
    switch outcome.answer {
    case .failure(let error): return .failure(error)
    case .success(false):
      watch()
      return nil
    case .success(true):
      if let receipt = try? entry.append?.outcome?.get() { announceAppended(receipt) }
      return .success(())
    }
  }

  /// Whether the waiter need not wait, and the callers that were served on the way. A task is cancelled before its handler runs:
  /// either the handler finds the waiter, or the waiter gets the cancellation here.
  private func enqueue(_ waiter: Waiter, _ entry: Entry) -> (Result<Bool, any Error>, Served) {
    state.withLock { state in
      do throws(ImmutaError) { try checkUsable(state) } catch { return (.failure(error), Served()) }
      // Checked under the lock that the handler takes.
      if case .task = waiter, Task.isCancelled { return (.failure(CancellationError()), Served()) }
      let served = serve(&state)
      if goOn(entry.holder, entry.append, &state) { return (.success(true), served) }
      if case .thread = waiter, state.turns.needsTask, Self.isInTask {
        return (.failure(ImmutaError.wouldDeadlock(blockedPool)), served)
      }
      state.turns.wait(waiter, ticket: entry.ticket, as: entry.holder, append: entry.append)
      return (.success(false), served)
    }
  }

  // MARK: Who has the turn

  /// The party that has the turn, if it can be named.
  var holder: [TurnHolder.PartyName] { state.withLock { $0.turns.holder?.names ?? [] } }

  /// The caller that has the turn, and how many wait for it; nil when nobody has it.
  var turn: TakenTurn? { state.withLock { $0.turns.turn } }

  /// A caller waits: if that takes long, it is logged.
  private func watch() {
    guard longWaits.logger != nil else { return }
    let isNew = state.withLock { state in
      defer { state.turns.isWatched = true }
      return !state.turns.isWatched
    }
    if isNew { WaitWatch.add(self, longWaits.threshold) }
  }

  /// The first caller of the queue; nil when nobody waits, and then the queue is not watched any more.
  func longestWait() -> Queue? {
    state.withLock { state in
      guard let since = state.turns.firstWait, let turn = state.turns.turn else {
        state.turns.isWatched = false
        return nil
      }
      return Queue(since: since, turn: turn)
    }
  }

  // MARK: Waiting for oneself

  /// Calls `body`, which asks a payload's source for its chunks, with the turn. The source, and every task that it makes, is
  /// inside of the turn, even if the turn was handed out to an unknown task.
  func withSource<R>(_ body: () async throws -> R) async throws -> R {
    let note = TransactionNote(inside: TransactionNote.innermost)
    state.withLock { $0.turns.lend(to: note) }
    defer { state.withLock { $0.turns.takeBack(from: note) } }
    return try await TransactionNote.$innermost.withValue(note) { try await body() }
  }

  /// Throws when the caller is about to wait for a turn that ends only when the caller goes on. Called only by callers that have
  /// to wait.
  private func checkForOwnTurn() throws(ImmutaError) {
    if encoder?.isCallingThisThread == true {
      throw .wouldDeadlock(
        "a transformer appends to the log that it transforms a payload for, \(path): let it append to another log")
    }
  }

  private static var isInTask: Bool { unsafe withUnsafeCurrentTask { unsafe $0 != nil } }

  private var blockedPool: String {
    """
    the caller is not async and runs inside a task, whose thread it would block until another task gives up the turn \
    of \(path), which may need that very thread: call the async function, with await, or call this one on a thread of \
    your own
    """
  }
}
