import ImmutaLocking

/// Writes the companion's header: which records are known stable, and whether the log was closed.
///
/// Each header goes to the slot the one before did not use, so a torn write leaves the older one whole.
final class CompanionKeeper: Sendable {
  private let state: Lock<State>

  private struct State {
    var descriptor: Descriptor
    var header: CompanionHeader
  }

  init(_ descriptor: Descriptor, header: CompanionHeader) {
    state = Lock(State(descriptor: descriptor, header: header))
  }

  private var descriptor: Descriptor { state.withLock { $0.descriptor } }

  /// Whether a flush of the companion failed.
  var hasFailedFlush: Bool { descriptor.hasFailedFlush }

  /// Holds the file no longer. Nothing is written after.
  func letGo() {
    state.withLock { $0.descriptor = .closed(at: $0.descriptor.path) }
  }

  /// The header as it was written last.
  var current: CompanionHeader { state.withLock { $0.header } }

  /// The log gets an identity.
  func assignIdentity(_ identity: LogIdentity) throws(ImmutaError) {
    try write { $0.identity = identity }
  }

  /// The log is about to be written to. On stable storage when this returns.
  func markOpen() throws(ImmutaError) {
    try writeOpen()
    try io(descriptor.flush())
  }

  /// The same, for whoever flushes the companion.
  func writeOpen() throws(ImmutaError) {
    try write { header in
      header.mark = .open
      header.bootIdentity = BootIdentity.current
    }
  }

  /// A segment that was made ahead gets its place in the log. Whenever it reaches the device: until then it has none, and
  /// its name says it.
  func begin(first: Int, removed: Int, _ slow: SlowTime?) throws(ImmutaError) {
    try write { header in
      (header.firstSequence, header.removedCount, header.slowTime) = (first, removed, slow)
    }
  }

  /// The records before this one are being removed. On stable storage when this returns.
  func noteRemoved(_ count: Int) throws(ImmutaError) {
    try write { $0.removedCount = max($0.removedCount, count) }
    try io(descriptor.flush())
  }

  /// A flush failed. The mark need not reach the device: it is for an opening that still sees the same page cache.
  func markFailed() {
    try? write { $0.mark.noteFailedFlush() }
  }

  /// The first `count` records are on stable storage. The mark itself need not be yet: an older one is still true.
  func markStable(_ count: Int) throws(ImmutaError) {
    try write { header in
      // Sealing may have been faster.
      header.stableCount = max(header.stableCount, count)
    }
  }

  /// How times are written from here on, or were until now. Whenever it reaches the device.
  func noteSlowTime(_ slow: SlowTime) throws(ImmutaError) {
    try write { $0.slowTime = slow }
  }

  /// Recovery cut off `count` torn records. On stable storage with the next mark.
  func noteTorn(_ count: Int) throws(ImmutaError) {
    try write { header in
      header.noteTorn(count)
    }
  }

  /// The log was closed with `count` records, all of them, and their entries, on stable storage when this returns.
  ///
  /// - Parameter made: how many of the entries were made from the log's bytes, where that has changed.
  func markClean(count: Int, made: Int? = nil) throws(ImmutaError) {
    // The entries first: a clean mark must never be stable before what it vouches for.
    try io(descriptor.flush())
    try writeClean(count: count, made: made)
    try io(descriptor.flush())
  }

  /// The same, for whoever flushes the companion before and after.
  func writeClean(count: Int, made: Int? = nil) throws(ImmutaError) {
    try write { header in
      header.mark = .closed
      header.stableCount = count
      header.madeCount = made ?? header.madeCount
    }
  }

  private func write(_ change: (inout CompanionHeader) -> Void) throws(ImmutaError) {
    try state.withLock { (state) throws(ImmutaError) in
      var next = state.header
      change(&next)
      next.generation = TwoSlots.next(after: state.header.generation)
      try state.descriptor.write(slot: next.encoded(), of: next.generation)
      state.header = next
    }
  }
}

extension CompanionHeader {
  /// Recovery cut off `count` torn records. A count that is as high as any stays there.
  package mutating func noteTorn(_ count: Int) {
    tornCount = min(LogFormat.mostRecords, tornCount + count)
    recoveryTime = Clocks.wallClock()
  }
}
