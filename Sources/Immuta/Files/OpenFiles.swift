import Locking
import Synchronization

/// Keeps the number of descriptors bounded that the process's logs have open, whatever the number of logs.
///
/// Who holds descriptors that it can open again is in a queue. When there are more than ``limit``, those at its front that
/// were not used since they came there let go of theirs. A log whose records are not all on stable storage is flushed
/// before: a failure to write them back is reported to the descriptors that are open then, and may not be to one that is
/// opened later.
final class OpenFiles: Sendable {
  static let shared = OpenFiles()

  /// Who can let go of its descriptors, and open them again when they are needed.
  protocol Holder: AnyObject, Sendable {
    /// Whether it was used since this was last asked.
    func wasUsed() -> Bool
    /// Lets go, if it can now; it is in the queue no more then.
    func rest() -> Rest
    /// Who flushes what is not yet on stable storage; nil for those who only read.
    var flusherOfOwn: Flusher? { get }
  }

  enum Rest {
    case resting, inUse, unflushed
  }

  /// How many may be open before some are let go: at most an eighth of what the process may have, as others need some too,
  /// and as it may be twice as many until those are flushed.
  let limit = max(8, min(512, SystemCalls.mostOpenFiles / 8))
  /// How many logs are opened or closed together; each has two files.
  let logsAtOnce = max(4, min(512, SystemCalls.mostOpenFiles / 16))

  /// Relaxed: a number on its own.
  private let opened = Atomic(0)
  private let queue = Lock<[Entry]>([])
  /// Held while those are chosen that let go.
  private let making = Lock<Void>(())
  private let isMaking = Atomic(false)

  private struct Entry {
    weak var holder: (any Holder)?
  }

  /// Descriptors that are open now, of those that can be let go.
  var count: Int { opened.load(ordering: .relaxed) }

  func noteOpened() { opened.add(1, ordering: .relaxed) }
  func noteClosed() { opened.subtract(1, ordering: .relaxed) }

  /// Somebody holds descriptors from now on.
  func add(_ holder: any Holder) {
    queue.withLock { $0.append(Entry(holder: holder)) }
  }

  /// Makes room where too many are open. Nobody may call it who holds a lock of a log.
  ///
  /// One of the ``WorkThreads`` does it, unless there are far too many.
  ///
  /// - Parameter mayBlock: whether the caller may wait for flushes.
  func makeRoom(mayBlock: Bool) {
    if count <= limit { return }
    if mayBlock, count > 2 * limit { return makeRoom() }
    if isMaking.exchange(true, ordering: .relaxed) { return }
    do throws(ImmutaError) {
      try WorkThreads.shared.add {
        self.isMaking.store(false, ordering: .relaxed)
        self.makeRoom()
      }
    } catch {
      isMaking.store(false, ordering: .relaxed)
    }
  }

  private func makeRoom() {
    let unflushed = making.withLock { _ in letGo() }
    if !unflushed.isEmpty { flush(unflushed) }
  }

  /// Has those let go that can, and returns those that must be flushed before, as many as are needed. They are in the queue
  /// no more: a device that does not answer holds up whoever flushes them, and nobody else.
  private func letGo() -> [any Holder] {
    if count <= limit { return [] }
    // Not again for the next one.
    let goal = limit / 2
    var unflushed: [any Holder] = []
    // Once round: those that were used get another chance, at the end of the queue.
    var candidates = queue.withLock { queue in
      defer { queue = [] }
      return queue[...]
    }
    var kept: [Entry] = []
    // Those that are to be flushed count as gone: they have two descriptors each.
    while count - 2 * unflushed.count > goal, let entry = candidates.popFirst() {
      guard let holder = entry.holder else { continue }
      if holder.wasUsed(), !candidates.isEmpty {
        kept.append(entry)
        continue
      }
      switch holder.rest() {
      case .resting: break
      case .inUse: kept.append(entry)
      case .unflushed: unflushed.append(holder)
      }
    }
    // Whoever came meanwhile comes last.
    queue.withLock { $0 = candidates + kept + $0 }
    return unflushed
  }

  private func flush(_ holders: [any Holder]) {
    Flusher.flushTogether(holders.compactMap(\.flusherOfOwn))
    for holder in holders {
      if case .resting = holder.rest() { continue }
      add(holder)
    }
  }
}
