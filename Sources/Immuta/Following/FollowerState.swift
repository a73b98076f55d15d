/// What a ``Follower`` knows of its waiters, of the thread that looks at the log for them, and of the log's files: a state
/// machine without a lock, a clock or a file.
struct FollowerState<Ticket: AnyObject> {
  /// Which thread looks at the log while streams wait.
  enum Care {
    /// No thread.
    case nobody
    /// A thread, which gets news by the ticket.
    case attended(Ticket)
    /// A thread that has found that no stream waits, and does not look. It leaves soon, unless it is prompted.
    case unattended(Ticket)

    var ticket: Ticket? {
      switch self {
      case .nobody: nil
      case .attended(let ticket), .unattended(let ticket): ticket
      }
    }
  }

  /// The state of the files. Closed is for ever.
  enum Phase {
    case open
    /// Another thread opens other files just now.
    case changing
    case closed
  }

  /// Whether the files with the log's names are the ones that are read.
  enum Sight: Equatable {
    /// It was when it was last looked for, if it was.
    case inPlace(looked: ContinuousClock.Instant?)
    /// Nothing that can be read has the log's names since then.
    case lost(since: ContinuousClock.Instant)
  }

  /// Streams that wait.
  private(set) var waiting = 0
  /// How many of them wait for durable records.
  private(set) var waitingForStable = 0
  private(set) var care = Care.nobody
  private(set) var phase = Phase.open
  private(set) var sight = Sight.inPlace(looked: nil)

  var isClosed: Bool {
    if case .closed = phase { return true }
    return false
  }

  var isLost: Bool {
    if case .lost = sight { return true }
    return false
  }

  // MARK: Who waits

  /// What to do so that a thread looks at the log.
  enum Need {
    case nothing
    case prompt(Ticket)
    /// A thread must be asked: see `attend`.
    case thread
  }

  /// A stream is about to wait.
  mutating func beginWait(forStable isForStable: Bool) -> Need {
    waiting += 1
    if isForStable { waitingForStable += 1 }
    if isClosed { return .nothing }
    switch care {
    case .nobody: return .thread
    case .unattended(let ticket):
      care = .attended(ticket)
      return .prompt(ticket)
    case .attended(let ticket):
      // It looks for stable records only if a stream asks for them.
      return isForStable && waitingForStable == 1 ? .prompt(ticket) : .nothing
    }
  }

  /// A thread looks after the log from now on.
  mutating func attend(_ ticket: Ticket) {
    precondition(care.ticket == nil && waiting > 0, "one thread looks after a log, for streams that wait")
    care = .attended(ticket)
  }

  mutating func endWait(forStable isForStable: Bool) {
    precondition(waiting > 0 && (!isForStable || waitingForStable > 0), "a wait ends that has begun")
    waiting -= 1
    if isForStable { waitingForStable -= 1 }
  }

  /// For whom the thread is about to look.
  mutating func attention() -> FollowAttention {
    switch phase {
    case .closed: return .closed
    case .changing: return .busy
    case .open: break
    }
    if let ticket = care.ticket { care = waiting == 0 ? .unattended(ticket) : .attended(ticket) }
    return waiting == 0 ? .nobody : .streams(areForStable: waitingForStable > 0)
  }

  /// The thread leaves; false when a stream waits again, or another thread has come.
  mutating func letGo(_ ticket: AnyObject) -> Bool {
    guard waiting == 0, care.ticket === ticket else { return false }
    care = .nobody
    return true
  }

  // MARK: What becomes of the files

  /// Whether it is time to look for the files by their names.
  ///
  /// - Parameter looksAgain: whether it is in any case.
  mutating func isDue(
    at now: ContinuousClock.Instant, after interval: Duration, looksAgain: Bool
  ) -> Bool {
    guard case .inPlace(let looked) = sight else { return true }
    if !looksAgain, let looked, now - looked < interval { return false }
    sight = .inPlace(looked: now)
    return true
  }

  /// The files are unchanged, or others have taken their place.
  mutating func find() {
    if isLost { sight = .inPlace(looked: nil) }
  }

  /// The files were changed, and no others can be read; returns since when.
  mutating func lose(at now: ContinuousClock.Instant) -> ContinuousClock.Instant {
    if case .lost(let since) = sight { return since }
    sight = .lost(since: now)
    return now
  }

  /// A thread is about to open other files; false when one does already, or the log is closed.
  mutating func beginChange() -> Bool {
    guard case .open = phase else { return false }
    phase = .changing
    return true
  }

  mutating func endChange() {
    if case .changing = phase { phase = .open }
  }

  /// No more records come; returns the ticket by which the thread is informed.
  mutating func close() -> Ticket? {
    phase = .closed
    defer { care = .nobody }
    return care.ticket
  }
}
