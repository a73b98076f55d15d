/// Who has the turn, as far as it matters to callers that want it.
struct TurnHolder: Sendable {
  let work: TakenTurn.Work
  let party: Party
  /// The source of a payload that the party waits for.
  var source: TransactionNote?
  /// When it got the turn, or began to wait, by the clock that nobody sets. It is a number, as the size of an `Instant` is known
  /// only at run time: with an `Instant` in it, the layout of the whole writer state would be looked up at run time for each
  /// appended record.
  private var time: Int64

  init(_ work: TakenTurn.Work, _ party: Party) {
    self.work = work
    self.party = party
    time = Clocks.steadyClock()
  }

  /// When it got the turn; while it waits, when it began to wait.
  var since: ContinuousClock.Instant { Self.start.instant + .nanoseconds(time - Self.start.time) }

  /// It gets the turn now.
  mutating func begin() { time = Clocks.steadyClock() }

  /// One moment by both clocks.
  private static let start = (time: Clocks.steadyClock(), instant: ContinuousClock.now)

  /// What the holder is known by among those who wait: its own name, and that of the source it waits for.
  var names: [PartyName] { [party.name, source.map { .closure(ObjectIdentifier($0)) }].compactMap(\.self) }

  /// The party that goes on when the turn comes, and that must go on for the turn to end.
  enum Party: Sendable {
    /// Code that is not async, on this thread, which does nothing else until the turn is over.
    case thread(UInt)
    /// The closure of a transaction, or the source of a payload, and every task that it makes.
    case closure(TransactionNote)
    /// Any task that has the transaction that was handed out, or an append that runs no caller's code.
    case task

    /// Whether it needs a thread that runs tasks in order to go on.
    var isTask: Bool { if case .thread = self { false } else { true } }

    /// Its name in the graph of waits; nil if it cannot be named.
    var name: PartyName? {
      switch self {
      case .thread(let thread): .thread(thread)
      case .closure(let note): .closure(ObjectIdentifier(note))
      case .task: nil
      }
    }
  }

  /// Names a party that certainly waits when one of its own tasks waits.
  enum PartyName: Hashable, Sendable {
    case thread(UInt)
    case closure(ObjectIdentifier)
  }
}

/// A task's note of a transaction whose closure it is inside of, or of the source of a payload that a transaction waits for.
/// Tasks made inside inherit it, except detached ones.
final class TransactionNote: Sendable {
  /// The transaction around it, of this log or another.
  let outer: TransactionNote?

  @TaskLocal static var innermost: TransactionNote?

  init(inside outer: TransactionNote?) {
    self.outer = outer
  }

  /// The names of the closures that the current task is inside of.
  static var parties: Set<TurnHolder.PartyName> {
    var parties: Set<TurnHolder.PartyName> = []
    var note = innermost
    while let inner = note {
      parties.insert(.closure(ObjectIdentifier(inner)))
      note = inner.outer
    }
    return parties
  }
}
