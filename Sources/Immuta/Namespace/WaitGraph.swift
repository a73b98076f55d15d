import ImmutaLocking
import Synchronization

/// Which party waits for which log's turn, over all logs of the process: finds callers that would wait for each other for ever.
///
/// It notes only callers that have a turn themselves, or block a thread that may have one. A caller whose wait would close a
/// circle does not begin to wait, so no circle ever exists.
///
/// Its lock is taken before that of a writer, never after, and only by callers that have to wait.
final class WaitGraph: Sendable {
  static let shared = WaitGraph()

  private struct Wait {
    let writer: LogWriter
    let parties: Set<TurnHolder.PartyName>
    /// The payload that may be appended for the caller.
    let append: QueuedAppend?

    /// Whether the wait is over, though the caller does not know it yet.
    var isOver: Bool { append?.outcome != nil }
  }

  private let waits = Lock<[Number: Wait]>([:])
  private let next = Atomic(0)

  /// Names a wait.
  struct Number: Hashable, Sendable {
    fileprivate let value: Int
  }

  /// A number for a wait, drawn before it begins: when the wait is over, its caller may run at once.
  func number() -> Number { Number(value: next.wrappingAdd(1, ordering: .relaxed).newValue) }

  /// Calls `enqueue`, which begins to wait, unless waiting for the writer would close a circle: then throws. In any case
  /// `end(_:)` is called after.
  ///
  /// - Parameters:
  ///   - parties: the parties that cannot go on while the caller waits.
  ///   - append: once it has an outcome, the caller does not wait any more.
  func begin(
    _ number: Number, for writer: LogWriter, _ parties: Set<TurnHolder.PartyName>, _ append: QueuedAppend?,
    _ enqueue: () -> Void
  ) throws(ImmutaError) {
    try waits.withLock { (waits) throws(ImmutaError) in
      if let path = circle(from: writer, back: parties, waits) { throw .wouldDeadlock(Self.message(path)) }
      waits[number] = Wait(writer: writer, parties: parties, append: append)
      enqueue()
    }
  }

  func end(_ number: Number) {
    _ = waits.withLock { $0.removeValue(forKey: number) }
  }

  /// The chain of logs by which a caller that waits for the writer would wait for one of the parties; nil if there is none.
  private func circle(
    from writer: LogWriter, back parties: Set<TurnHolder.PartyName>, _ waits: [Number: Wait]
  ) -> [LogWriter]? {
    var seen: Set<ObjectIdentifier> = []
    var open: [[LogWriter]] = [[writer]]
    while let path = open.popLast() {
      guard let last = path.last, seen.insert(ObjectIdentifier(last)).inserted else { continue }
      let holder = last.holder
      if !parties.isDisjoint(with: holder) { return path }
      for wait in waits.values where !wait.parties.isDisjoint(with: holder) && !wait.isOver {
        open.append(path + [wait.writer])
      }
    }
    return nil
  }

  private static func message(_ path: [LogWriter]) -> String {
    if path.count == 1 {
      return """
        the caller is inside a transaction of the log \(path[0].path), whose turn it waits for: append through that \
        transaction, after it, to another log, or from a detached task that the transaction does not wait for
        """
    }
    let logs = path.map(\.path)
    return """
      \(logs[0]) is held by a transaction that waits for \(logs.dropFirst().joined(separator: ", held by one that waits for ")), \
      which the caller's own transaction has: let all take the logs in the same order, or append to one after the \
      transaction of the other
      """
  }
}
