/// Who may write: one at a time, the others in the order they came. A pure state machine; its owner locks and resumes.
struct TurnQueue {
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
  }

  /// How many wait.
  var count: Int { places.count }

  /// When the one began to wait who is next.
  var firstWait: ContinuousClock.Instant? {
    (head..<tail).lazy.compactMap { waiters[$0]?.holder.since }.first
  }

  /// Whether the turn must go through a task before one who joins the queue gets it.
  var needsTask: Bool { holder?.party.isTask == true || waiters.values.contains { $0.holder.party.isTask } }

  /// Who has the turn, for people; nil when nobody has it.
  var turn: Log.Details.Turn? {
    holder.map { Log.Details.Turn(work: $0.work, since: $0.since, waiting: count) }
  }

  /// Takes the turn if it is free.
  mutating func take(_ holder: @autoclosure () -> TurnHolder) -> Bool {
    if isTaken { return false }
    isTaken = true
    self.holder = holder()
    return true
  }

  /// A ticket to wait, or to be cancelled, by.
  mutating func ticket() -> Int {
    defer { nextTicket += 1 }
    return nextTicket
  }

  /// Joins the end of the queue; once the turn is passed on, the holder is who has it.
  mutating func wait(_ waiter: Waiter, ticket: Int, as holder: TurnHolder) {
    precondition(isTaken, "waiting for a turn that is free")
    waiters[tail] = Waiting(ticket: ticket, waiter: waiter, holder: holder)
    places[ticket] = tail
    tail += 1
  }

  /// The waiter of the ticket, if it still waits; it leaves the queue.
  mutating func cancel(_ ticket: Int) -> Waiter? {
    guard let place = places.removeValue(forKey: ticket) else { return nil }
    return waiters.removeValue(forKey: place)?.waiter
  }

  /// Hands the turn to the first who waits, whom the caller resumes, or frees it.
  mutating func pass() -> Waiter? {
    precondition(isTaken, "passing a turn that nobody has")
    while head < tail {
      head += 1
      if let next = waiters.removeValue(forKey: head - 1) {
        places[next.ticket] = nil
        holder = next.holder
        holder?.since = .now
        return next.waiter
      }
    }
    isTaken = false
    holder = nil
    return nil
  }

  /// Everybody who waits, in order; they leave the queue.
  mutating func drain() -> [Waiter] {
    defer {
      waiters.removeAll()
      places.removeAll()
    }
    return waiters.sorted { $0.key < $1.key }.map(\.value.waiter)
  }
}
