import ImmutaLocking

/// Writes the companion's header: which records are known stable, and whether the log was closed.
///
/// Each header goes to the slot the one before did not use, and only once that one is on stable storage: so a power cut, which
/// may tear whatever was not flushed, leaves at least one whole.
final class CompanionKeeper: Sendable {
  private let state: Lock<State>

  private struct State {
    var descriptor: Descriptor
    var header: CompanionHeader
    /// Up to which generation headers are on stable storage.
    var flushed: UInt64

    mutating func noteFlushed(_ generation: UInt64) {
      if TwoSlots.isNewer(generation, than: flushed) { flushed = generation }
    }

    mutating func flush() throws(ImmutaError) {
      try io(descriptor.flush())
      flushed = header.generation
    }
  }

  /// - Parameter header: as it is on file. It counts as flushed: opening has flushed the companion of a log that was not closed,
  ///   and one that was closed, or is new, is whole without it.
  init(_ descriptor: Descriptor, header: CompanionHeader) {
    state = Lock(State(descriptor: descriptor, header: header, flushed: header.generation))
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

  /// Whether the header is known to be on stable storage.
  var isFlushed: Bool { state.withLock { $0.flushed == $0.header.generation } }

  /// The companion was flushed, which covers the headers that were written before: up to this generation.
  func noteFlushed(_ generation: UInt64) {
    state.withLock { $0.noteFlushed(generation) }
  }

  /// The same, where nobody has written to it since it was flushed.
  func noteFlushed() {
    state.withLock { $0.noteFlushed($0.header.generation) }
  }

  private func flush() throws(ImmutaError) {
    try state.withLock { (state) throws(ImmutaError) in try state.flush() }
  }

  /// The log gets an identity.
  func assignIdentity(_ identity: LogIdentity) throws(ImmutaError) {
    try write { $0.identity = identity }
  }

  /// The log is about to be written to. On stable storage when this returns.
  func markOpen() throws(ImmutaError) {
    try writeOpen()
    try flush()
  }

  /// The same, for a caller that flushes the companion, and notes that.
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
    try flush()
  }

  /// A flush failed. The mark need not reach the device: it is for an opening that still sees the same page cache.
  func markFailed() {
    try? write(afterFlush: false) { $0.mark.noteFailedFlush() }
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
    try flush()
    try writeClean(count: count, made: made)
    try flush()
  }

  /// The same, for a caller that flushes the companion before and after.
  func writeClean(count: Int, made: Int? = nil) throws(ImmutaError) {
    try write { header in
      header.mark = .closed
      header.stableCount = count
      header.madeCount = made ?? header.madeCount
    }
  }

  /// - Parameter afterFlush: whether the header before is put on stable storage first, if it may not be.
  private func write(afterFlush: Bool = true, _ change: (inout CompanionHeader) -> Void) throws(ImmutaError) {
    try state.withLock { (state) throws(ImmutaError) in
      if afterFlush, state.flushed != state.header.generation { try state.flush() }
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
