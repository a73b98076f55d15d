/// Decides which caller may write: one at a time, the others in the order in which they came. A pure state machine; its owner
/// locks and resumes.
///
/// A caller that waits to append a small payload leaves the payload in the queue. When it is next, the owner appends it, and goes
/// on to the next one. If each caller had to be woken for its turn instead, callers that append without a pause would always find
/// that one which is just being woken has the turn: once a queue had begun, it would never end, and each record would cost a
/// change of task.
struct TurnQueue {
  /// Whether nobody has the turn and nobody waits: a small append may go on at once.
  private(set) var isFree = true
  /// Whether somebody has the turn.
  private(set) var isTaken = false
  /// The caller that has the turn.
  private(set) var holder: TurnHolder?
  private var waiters: [Int: Waiting] = [:]
  /// Places `head ..< tail` of the queue are waiting, or were cancelled.
  private var head = 0
  private var tail = 0
  /// The place of each ticket that waits.
  private var places: [Int: Int] = [:]
  private var nextTicket = 0
  /// Whether long waits are watched.
  var isWatched = false

  private struct Waiting {
    let ticket: Int
    let waiter: Waiter
    let holder: TurnHolder
    let append: QueuedAppend?
  }

  /// How many wait.
  var count: Int { places.count }

  /// When the caller that is next began to wait.
  var firstWait: ContinuousClock.Instant? {
    (head..<tail).lazy.compactMap { waiters[$0]?.holder.since }.first
  }

  /// Whether the turn must go through a task before a caller that joins the queue now gets it.
  var needsTask: Bool { holder?.party.isTask == true || waiters.values.contains { $0.holder.party.isTask } }

  /// Who has the turn, to show to people; nil when nobody has it. Callers that wait while nobody has it are just being served.
  var turn: TakenTurn? {
    if let holder { return TakenTurn(work: holder.work, since: holder.since, waiting: count) }
    return count == 0 ? nil : TakenTurn(work: .append, since: .now, waiting: count)
  }

  /// Takes the turn if it is free.
  mutating func take(_ holder: @autoclosure () -> TurnHolder) -> Bool {
    if !isFree { return false }
    isFree = false
    isTaken = true
    self.holder = holder()
    return true
  }

  /// The holder of the turn cannot go on before the tasks inside of the note do.
  mutating func lend(to note: TransactionNote) { holder?.source = note }

  /// Undoes that, if it has not ended with the turn.
  mutating func takeBack(from note: TransactionNote) {
    if holder?.source === note { holder?.source = nil }
  }

  /// A ticket for waiting, and for cancelling the wait.
  mutating func ticket() -> Int {
    defer { nextTicket += 1 }
    return nextTicket
  }

  /// Joins the end of the queue.
  ///
  /// - Parameters:
  ///   - holder: who has the turn once it is passed on to the waiter.
  ///   - append: a payload that may be appended for the waiter instead.
  mutating func wait(_ waiter: Waiter, ticket: Int, as holder: TurnHolder, append: QueuedAppend? = nil) {
    precondition(!isFree, "waiting for a turn that is free")
    waiters[tail] = Waiting(ticket: ticket, waiter: waiter, holder: holder, append: append)
    places[ticket] = tail
    tail += 1
  }

  /// The waiter of the ticket, if it still waits; it leaves the queue.
  mutating func cancel(_ ticket: Int) -> Waiter? {
    guard let place = places.removeValue(forKey: ticket) else { return nil }
    defer { isFree = !isTaken && places.isEmpty }
    return waiters.removeValue(forKey: place)?.waiter
  }

  /// Ends the turn. The owner must then call `next` until nobody is left, so that no caller waits for ever.
  mutating func end() {
    precondition(isTaken, "ending a turn that nobody has")
    isTaken = false
    holder = nil
    isFree = places.isEmpty
  }

  /// A caller that is next.
  enum Next {
    /// It has the turn.
    case turn(Waiter)
    /// It needs no turn: the owner appends for it, or gives it the turn after all.
    case append(QueuedAppend, Waiter, TurnHolder)
  }

  /// Gives the turn to a caller that is next, instead of appending for it.
  mutating func give(to next: TurnHolder) {
    precondition(!isTaken, "two turns at once")
    (isTaken, isFree) = (true, false)
    holder = next
    holder?.begin()
  }

  /// The first caller that waits, if nobody has the turn; it leaves the queue.
  ///
  /// - Parameter mayAppend: whether the owner can append for others. Otherwise each caller gets the turn.
  mutating func next(mayAppend: Bool) -> Next? {
    if isTaken { return nil }
    while head < tail {
      head += 1
      guard let next = waiters.removeValue(forKey: head - 1) else { continue }
      places[next.ticket] = nil
      if mayAppend, let append = next.append {
        isFree = places.isEmpty
        return .append(append, next.waiter, next.holder)
      }
      isTaken = true
      holder = next.holder
      holder?.begin()
      return .turn(next.waiter)
    }
    return nil
  }

  /// All callers that wait, in order; they leave the queue.
  mutating func drain() -> [Waiter] {
    defer {
      waiters.removeAll()
      places.removeAll()
      isFree = !isTaken
    }
    return waiters.sorted { $0.key < $1.key }.map(\.value.waiter)
  }
}
