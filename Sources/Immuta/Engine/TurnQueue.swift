/// Who may write: one at a time, the others in the order they came. A pure state machine; its owner locks and resumes.
struct TurnQueue {
  /// Whether somebody has the turn.
  private(set) var isTaken = false
  private var waiters: [Int: (ticket: Int, waiter: Waiter)] = [:]
  /// Places `head ..< tail` of the queue are waiting, or were cancelled.
  private var head = 0
  private var tail = 0
  /// The place of each ticket that waits.
  private var places: [Int: Int] = [:]
  private var nextTicket = 0

  /// Takes the turn if it is free.
  mutating func take() -> Bool {
    if isTaken { return false }
    isTaken = true
    return true
  }

  /// A ticket to wait, or to be cancelled, by.
  mutating func ticket() -> Int {
    defer { nextTicket += 1 }
    return nextTicket
  }

  /// Joins the end of the queue.
  mutating func wait(_ waiter: Waiter, ticket: Int) {
    precondition(isTaken, "waiting for a turn that is free")
    waiters[tail] = (ticket, waiter)
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
      if let (ticket, waiter) = waiters.removeValue(forKey: head - 1) {
        places[ticket] = nil
        return waiter
      }
    }
    isTaken = false
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
