import Solid
import Synchronization

/// Shared by the readers of a log's segments: how far the log is committed, and whether it is closed. It continues when the log
/// rolls.
final class LogProgress: Sendable {
  /// Its generation is the number of the first record that is not committed yet; closed with the log.
  let committed: Broadcaster
  /// The same of records that are known to be on stable storage.
  let stable: Broadcaster
  /// The log's place among the states of its files.
  let lineage = Lineage()
  /// Acquiring and releasing: a caller that sees it set sees the log closed.
  private let isClosed = Atomic(false)

  init(count: Int, stableCount: Int = 0) {
    committed = Broadcaster(generation: count)
    stable = Broadcaster(generation: stableCount)
  }

  @inline(__always)
  var isOpen: Bool { !isClosed.load(ordering: .acquiring) }

  func markClosed() {
    isClosed.store(true, ordering: .releasing)
  }
}
