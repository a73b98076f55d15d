import ImmutaLocking
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
    var flusherOfOwn: (any HeldFilesFlusher)? { get }
    /// Whether it never has descriptors again.
    var isOver: Bool { get }
  }

  enum Rest {
    case resting, inUse, unflushed
  }

  /// Puts what a holder's descriptors were used to write on stable storage.
  protocol HeldFilesFlusher: AnyObject, Sendable {
    /// Flushes what this one and the others are for; all of them are of the same type. May block.
    func flushTogether(with others: ArraySlice<any HeldFilesFlusher>)
  }

  /// How many may be open before some are let go: at most an eighth of what the process may have, as others need some too,
  /// and as it may be twice as many until those are flushed.
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
  /// Held while those are chosen that let go.
  private let making = Lock<Void>(())
  private let isMaking = Atomic(false)

  private struct State {
    var queue: [Entry] = []
    /// How many there may be until those are taken out that are over.
    var most = 256
    /// Descriptors that are let go once their logs are flushed, which somebody is at.
    var flushing = 0
    /// Those who wait for that.
    var waiting: [ThreadGate] = []
    /// Whether somebody will look later.
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

  /// Descriptors that are open now, of those that can be let go.
  var count: Int { opened.load(ordering: .relaxed) }

  func noteOpened() { opened.add(1, ordering: .relaxed) }
  func noteClosed() { opened.subtract(1, ordering: .relaxed) }

  /// Somebody holds descriptors from now on.
  ///
  /// - Parameter isKept: whether it is held until it is over. An object that others refer to weakly counts its references
  ///   by slower instructions: those that each read retains are not to be.
  func add(_ holder: any Holder, isKept: Bool = false) {
    state.withLock { state in
      state.queue.append(Entry(holder, isKept: isKept))
      guard state.queue.count > state.most else { return }
      state.queue.removeAll { $0.holder == nil }
      state.most = max(256, 2 * state.queue.count)
    }
  }

  /// Makes room where too many are open. Nobody may call it who holds a lock of a log.
  ///
  /// One of the ``WorkThreads`` does it, unless there are far too many.
  ///
  /// - Parameter mayBlock: whether the caller may wait for flushes.
  func makeRoom(mayBlock: Bool) {
    if count <= limit { return }
    if count > 2 * limit {
      if mayBlock { return makeRoom() }
      // One that opens files in a row must not be faster than those who let go of them.
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

  /// How long somebody waits for others to make room, at most: a device that does not answer holds up nobody for ever.
  private static var patience: Int64 { 1_000_000_000 }

  /// Has those let go that can at once; the others are flushed by one of the ``WorkThreads``.
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

  /// The same as ``letGo()``; nil where somebody else is at it. Then it waits while far too many are open, a twentieth of a
  /// second at most: whoever is at it may be held up, but must not be waited for, as it may need a lock of the caller's.
  private func letGoInTurn() -> [any Holder]? {
    for _ in 0..<Self.mostGlances {
      if let unflushed = making.withLockIfAvailable({ _ in letGo() }) { return unflushed }
      if count <= 3 * limit { return nil }
      ThreadGate().wait(nanoseconds: 1_000_000)
    }
    return nil
  }

  private static var mostGlances: Int { 50 }

  /// So many holders are not flushed any more, whatever came of it: whoever waited for that looks again.
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

  /// Those that were used had another chance, and there are too many still. When no more files are opened, nobody else looks
  /// whether they are used: so this is looked at after a while, less and less often.
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

  /// Has those let go that can, and returns those that must be flushed before, as many as are needed. They are in the queue
  /// no more: a device that does not answer holds up whoever flushes them, and nobody else.
  private func letGo() -> [any Holder] {
    if count <= limit { return [] }
    // Not again for the next one.
    let goal = limit / 2
    var unflushed: [any Holder] = []
    // Those that were used get another chance, at the end of the queue.
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
    // Where far too many are open still, another chance is for those that were used since.
    if count - soonFree > 2 * limit {
      (candidates, kept) = (kept[...], [])
      goRound(downTo: limit)
    }
    // Whoever came meanwhile comes last.
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
