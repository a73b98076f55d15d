import ImmutaLocking

/// The place of a reader among all readers of a log whose files changed: which reader came next, and how many records both have
/// in common. It holds no reader, so that a stream that stands still keeps no later files open.
final class Lineage: Sendable {
  struct Succession {
    var lineage: Lineage
    var kind: LogChange.Kind
    /// How many records, from the first on, are the same; `Int.max` where all are that there were.
    var shared: Int
  }

  private let successor = Lock<Succession?>(nil)

  /// From now on another reader is read from.
  func succeed(_ succession: Succession) {
    successor.withLock { successor in
      precondition(successor == nil && succession.lineage !== self, "files are followed by others once")
      successor = succession
    }
  }

  /// What happened to the files between this place and a later one.
  func change(to later: Lineage) -> (kind: LogChange.Kind, shared: Int) {
    var lineage = self
    var change = (kind: LogChange.Kind.cutBack, shared: Int.max)
    while lineage !== later, let next = lineage.successor.withLock({ $0 }) {
      if next.kind == .replaced { change.kind = .replaced }
      change.shared = min(change.shared, next.shared)
      lineage = next.lineage
    }
    return lineage === later ? change : (.replaced, 0)
  }
}
