/// Who may write: one at a time, the others in the order they came. A pure state machine; its owner locks and resumes.
///
/// Whoever waits to append a small payload leaves it with the queue. When its place has come the owner appends it, and
/// goes on to the next. If each caller had to be woken for its turn instead, those who append without a pause would always
/// find the turn with one that is being woken: once a queue had begun, it would never end, and each record would cost a
/// change of task.
struct TurnQueue {
  /// Whether nobody has the turn and nobody waits: a small append may go on at once.
  private(set) var isFree = true
  /// Whether somebody has the turn.
  private(set) var isTaken = false
  /// Who has it.
  private(set) var holder: TurnHolder?
  private var waiters: [Int: Waiting] = [:]
  /// Places `head ..< tail` of the queue are waiting, or were cancelled.
  private var head = 0
  private var tail = 0
  /// The place of each ticket that waits.
  private var places: [Int: Int] = [:]
  private var nextTicket = 0
  /// Whether somebody looks after those who wait long.
  var isWatched = false

  private struct Waiting {
    let ticket: Int
    let waiter: Waiter
    let holder: TurnHolder
    let append: QueuedAppend?
  }

  /// How many wait.
  var count: Int { places.count }

  /// When the one began to wait who is next.
  var firstWait: ContinuousClock.Instant? {
    (head..<tail).lazy.compactMap { waiters[$0]?.holder.since }.first
  }

  /// Whether the turn must go through a task before one who joins the queue gets it.
  var needsTask: Bool { holder?.party.isTask == true || waiters.values.contains { $0.holder.party.isTask } }

  /// Who has the turn, for people; nil when nobody has it. Those who wait while nobody has it are just being served.
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

  /// Whoever has the turn cannot go on before those do who are inside of the note. A closure that has the turn is known by its
  /// own note, which these are inside of, too.
  mutating func lend(to note: TransactionNote) {
    if case .task? = holder?.party { holder?.party = .closure(note) }
  }

  /// Ends that, where it has not ended with the turn.
  mutating func takeBack(from note: TransactionNote) {
    if case .closure(let other)? = holder?.party, other === note { holder?.party = .task }
  }

  /// A ticket to wait, or to be cancelled, by.
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

  /// Ends the turn. The owner then asks for whoever is next until nobody is, so that those who wait do not wait for ever.
  mutating func end() {
    precondition(isTaken, "ending a turn that nobody has")
    isTaken = false
    holder = nil
    isFree = places.isEmpty
  }

  /// Somebody whose place has come.
  enum Next {
    /// It has the turn.
    case turn(Waiter)
    /// It needs no turn: the owner appends for it. Or gives it the turn after all.
    case append(QueuedAppend, Waiter, TurnHolder)
  }

  /// One that is next has the turn, and not what the owner would have appended for it.
  mutating func give(to next: TurnHolder) {
    precondition(!isTaken, "two turns at once")
    (isTaken, isFree) = (true, false)
    holder = next
    holder?.begin()
  }

  /// The first that waits, if nobody has the turn; it leaves the queue.
  ///
  /// - Parameter mayAppend: whether the owner can append for others. Otherwise each gets the turn.
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

  /// Everybody who waits, in order; they leave the queue.
  mutating func drain() -> [Waiter] {
    defer {
      waiters.removeAll()
      places.removeAll()
      isFree = !isTaken
    }
    return waiters.sorted { $0.key < $1.key }.map(\.value.waiter)
  }
}
