/// Who may write: one at a time, the others in the order they came. A pure state machine; its owner locks and resumes.
struct TurnQueue {
  /// Whether somebody has the turn.
  private(set) var isTaken = false
  private var waiters: [Int: Waiter] = [:]
  /// Tickets `head ..< tail` are waiting, or were cancelled.
  private var head = 0
  private var tail = 0

  /// Takes the turn if it is free.
  mutating func take() -> Bool {
    if isTaken { return false }
    isTaken = true
    return true
  }

  /// A ticket to wait, or to be cancelled, by.
  mutating func ticket() -> Int {
    defer { tail += 1 }
    return tail
  }

  mutating func wait(_ waiter: Waiter, ticket: Int) {
    precondition(isTaken, "waiting for a turn that is free")
    waiters[ticket] = waiter
  }

  /// The waiter of the ticket, if it still waits; it leaves the queue.
  mutating func cancel(_ ticket: Int) -> Waiter? {
    waiters.removeValue(forKey: ticket)
  }

  /// Hands the turn to the first who waits, whom the caller resumes, or frees it.
  mutating func pass() -> Waiter? {
    precondition(isTaken, "passing a turn that nobody has")
    while head < tail {
      head += 1
      if let next = waiters.removeValue(forKey: head - 1) { return next }
    }
    isTaken = false
    return nil
  }

  /// Everybody who waits; they leave the queue.
  mutating func drain() -> [Waiter] {
    defer { waiters.removeAll() }
    return waiters.sorted { $0.key < $1.key }.map(\.value)
  }
}
