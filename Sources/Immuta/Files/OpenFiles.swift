import ImmutaLocking
import Synchronization

/// Keeps the number of descriptors bounded that the process's logs have open, whatever the number of logs.
///
/// A queue has all holders of descriptors that can be opened again. When more than ``limit`` are open, the holders at its front
/// that were not used since they came there close theirs. A log whose records are not all on stable storage is flushed before: a
/// failure to write them back is reported to the descriptors that are open then, and may not be to one that is opened later.
final class OpenFiles: Sendable {
  static let shared = OpenFiles()

  /// An object that can close its descriptors, and open them again when they are needed.
  protocol Holder: AnyObject, Sendable {
    /// Whether it was used since this was last asked.
    func wasUsed() -> Bool
    /// Closes them, if it can now; it is not in the queue any more then.
    func rest() -> Rest
    /// Flushes what is not yet on stable storage; nil for holders that only read.
    var flusherOfOwn: (any HeldFilesFlusher)? { get }
    /// Whether it never has descriptors again.
    var isOver: Bool { get }
  }

  enum Rest {
    case resting, inUse, unflushed
  }

  /// Puts everything written through a holder's descriptors on stable storage.
  protocol HeldFilesFlusher: AnyObject, Sendable {
    /// Flushes for this one and the others, which are all of the same type. May block.
    func flushTogether(with others: ArraySlice<any HeldFilesFlusher>)
  }

  /// How many may be open before some are closed: at most an eighth of what the process may have, as other code needs some, too,
  /// and as twice as many may be open until their logs are flushed.
  let limit = max(8, min(512, ThisProcess.mostOpenFiles / 8))
  /// How many logs are opened or closed together; each has two files.
  private let logsAtOnce = max(4, min(512, ThisProcess.mostOpenFiles / 16))

  /// Many logs in pieces, each of as many as may have their files open together.
  func pieces<Item>(_ logs: [Item]) -> [[Item]] {
    stride(from: 0, to: logs.count, by: logsAtOnce).map { start in
      Array(logs[start..<min(start + logsAtOnce, logs.count)])
    }
  }

  /// Relaxed: a number on its own.
  private let opened = Atomic(0)
  private let state = Lock(State())
  /// Held while the holders that close theirs are chosen.
  private let making = Lock<Void>(())
  private let isMaking = Atomic(false)

  private struct State {
    var queue: [Entry] = []
    /// How many holders there may be before the dead ones are removed.
    var most = 256
    /// How many descriptors will be closed once their logs are flushed, which is under way.
    var flushing = 0
    /// The callers that wait for that.
    var waiting: [ThreadGate] = []
    /// Whether a later look is scheduled.
    var isLookedAtLater = false
  }

  private struct Entry {
    private weak var other: (any Holder)?
    private var own: (any Holder)?

    init(_ holder: any Holder, isKept: Bool) {
      if isKept { own = holder } else { other = holder }
    }

    /// Nil when there is nothing to let go of any more.
    var holder: (any Holder)? {
      guard let holder = own ?? other, !holder.isOver else { return nil }
      return holder
    }
  }

  /// How many of the descriptors that can be closed are open now.
  var count: Int { opened.load(ordering: .relaxed) }

  func noteOpened() { opened.add(1, ordering: .relaxed) }
  func noteClosed() { opened.subtract(1, ordering: .relaxed) }

  /// Adds a holder of descriptors.
  ///
  /// - Parameter isKept: whether it is held until it is over. An object with weak references counts its references by slower
  ///   instructions, so objects that each read retains should have none.
  func add(_ holder: any Holder, isKept: Bool = false) {
    state.withLock { state in
      state.queue.append(Entry(holder, isKept: isKept))
      guard state.queue.count > state.most else { return }
      state.queue.removeAll { $0.holder == nil }
      state.most = max(256, 2 * state.queue.count)
    }
  }

  /// Makes room if too many are open. Must not be called with a lock of a log.
  ///
  /// One of the ``WorkThreads`` does it, unless there are far too many.
  ///
  /// - Parameter mayBlock: whether the caller may wait for flushes.
  func makeRoom(mayBlock: Bool) {
    if count <= limit { return }
    if count > 2 * limit {
      if mayBlock { return makeRoom() }
      // A caller that opens many files in a row must not be faster than the closing.
      return letGoWithoutFlushing()
    }
    makeRoomSoon()
  }

  private func makeRoomSoon() {
    if isMaking.exchange(true, ordering: .relaxed) { return }
    do throws(NoThread) {
      try WorkThreads.shared.add {
        self.isMaking.store(false, ordering: .relaxed)
        self.makeRoom()
      }
    } catch {
      isMaking.store(false, ordering: .relaxed)
    }
  }

  /// How long a caller waits at most for others to make room: a device that does not answer must not hold it up for ever.
  private static var patience: Int64 { 1_000_000_000 }

  /// Closes the descriptors of holders that can close at once; one of the ``WorkThreads`` flushes the others.
  private func letGoWithoutFlushing() {
    guard let unflushed = letGoInTurn(), !unflushed.isEmpty else { return }
    do throws(NoThread) {
      try WorkThreads.shared.add { self.flush(unflushed) }
    } catch {
      // They stay open.
      for holder in unflushed { add(holder) }
      endFlushing(unflushed.count)
    }
  }

  /// The same as ``letGo()``; nil if another thread is doing it. Then it waits while far too many are open, a twentieth of a
  /// second at most: that thread may be held up, and waiting longer is not allowed, as it may need a lock of the caller's.
  private func letGoInTurn() -> [any Holder]? {
    for _ in 0..<Self.mostGlances {
      if let unflushed = making.withLockIfAvailable({ _ in letGo() }) { return unflushed }
      if count <= 3 * limit { return nil }
      ThreadGate().wait(nanoseconds: 1_000_000)
    }
    return nil
  }

  private static var mostGlances: Int { 50 }

  /// The flush of so many holders is over, in success or failure: callers that waited for it look again.
  private func endFlushing(_ count: Int) {
    let waiting = state.withLock { state in
      state.flushing -= 2 * count
      defer { state.waiting = [] }
      return state.waiting
    }
    for gate in waiting { gate.open() }
  }

  private func makeRoom(after looks: Int = 0) {
    let unflushed = making.withLock { _ in letGo() }
    defer { lookLater(after: looks) }
    if !unflushed.isEmpty { return flush(unflushed) }
    let gate = ThreadGate()
    let waits = state.withLock { state in
      guard count > 2 * limit, state.flushing > 0 else { return false }
      state.waiting.append(gate)
      return true
    }
    if waits { gate.wait(nanoseconds: Self.patience) }
  }

  /// Holders that were used had another chance, and still too many files are open. When no more files are opened, nothing else
  /// checks whether these are used: so this looks after a while, less and less often.
  private func lookLater(after looks: Int) {
    guard count > limit, looks < Self.mostLooks else { return }
    let isMine = state.withLock { state in
      defer { state.isLookedAtLater = true }
      return !state.isLookedAtLater
    }
    guard isMine else { return }
    let isComing: Void? = try? WorkThreads.shared.add(at: .after(.seconds(1 << looks))) {
      self.state.withLock { $0.isLookedAtLater = false }
      if self.count > self.limit { self.makeRoom(after: looks + 1) }
    }
    if isComing == nil { state.withLock { $0.isLookedAtLater = false } }
  }

  private static var mostLooks: Int { 7 }

  /// Closes the descriptors of holders that can close, and returns as many as needed of those that must be flushed first. These
  /// are not in the queue any more: a device that does not answer holds up only the thread that flushes them.
  private func letGo() -> [any Holder] {
    if count <= limit { return [] }
    // Not again for the next one.
    let goal = limit / 2
    var unflushed: [any Holder] = []
    // Holders that were used get another chance, at the end of the queue.
    var (candidates, soonFree) = state.withLock { state in
      defer { state.queue = [] }
      return (state.queue[...], state.flushing)
    }
    var kept: [Entry] = []
    func goRound(downTo most: Int) {
      while count - soonFree > most, let entry = candidates.popFirst() {
        guard let holder = entry.holder else { continue }
        if holder.wasUsed(), !candidates.isEmpty {
          kept.append(entry)
          continue
        }
        switch holder.rest() {
        case .resting: break
        case .inUse: kept.append(entry)
        case .unflushed:
          unflushed.append(holder)
          soonFree += 2
        }
      }
    }
    goRound(downTo: goal)
    // If still far too many are open, only holders that were used since get another chance.
    if count - soonFree > 2 * limit {
      (candidates, kept) = (kept[...], [])
      goRound(downTo: limit)
    }
    // Holders that came meanwhile come last.
    state.withLock { state in
      state.queue = candidates + kept + state.queue
      state.flushing += 2 * unflushed.count
    }
    return unflushed
  }

  private func flush(_ holders: [any Holder]) {
    let flushers = holders.compactMap(\.flusherOfOwn)
    flushers.first?.flushTogether(with: flushers.dropFirst())
    for holder in holders {
      if case .resting = holder.rest() { continue }
      add(holder)
    }
    endFlushing(holders.count)
  }
}
