import ImmutaLocking
import Logging
import Solid

// A log's segments, one after the other: see DESIGN of the file format, "Segments".

extension LogWriter {
  /// Begins the next segment, unless the newest has no record. The caller has the turn; may block.
  ///
  /// Each step leaves the log as it was, or rolled: the next segment is made under names of its own; it gets its names; and then
  /// records go into it, while the previous one is sealed in the background.
  func roll() throws(ImmutaError) {
    let before = newest.reader.first
    do {
      try closing.whileOpen { try rollOpen() }
    } catch let error as ImmutaError {
      throw error
    } catch {
      preconditionFailure("rolling throws nothing else")
    }
    sealBeside()
    retainBeside()
    tellRolled(from: before)
  }

  /// The caller has the turn, which the logger may wait for.
  private func tellRolled(from before: Int) {
    let (first, count) = (newest.reader.first, sealed.list.firsts.count + 1)
    guard first != before, let logger = longWaits.logger else { return }
    logger.tellBeside(
      .rolled, .info, "the log goes on in a segment that begins with record \(first)",
      ["namespace": "\(namespace)", "path": "\(path)", "first": "\(first)", "segments": "\(count)"])
  }

  private func rollOpen() throws {
    let (count, log) = try state.withLock { (state) throws(ImmutaError) in
      try checkUsable(state)
      return (state.segmentCount == 0 ? nil : state.count, state.segment.descriptors.log)
    }
    guard let count else { return }
    // One at a time: a crash finds at most two segments that are not sealed.
    if let failure = sealNow() { throw failure }
    defer { roller.endTaking() }
    let next = try roller.takeNext(like: log)
    try roller.maintenance.withLock { (_) throws(ImmutaError) in
      let carried = NextSegment.Carried(
        removed: sealed.firstSequence, slowTime: flusher.companionHeader.slowTime, once: roller.once)
      let named: NextSegment.Named
      do throws(ImmutaError) {
        named = try roller.maker.name(next, first: count, carried)
      } catch {
        next.abandon(files)
        throw error
      }
      goOn(in: named, next.folder)
    }
  }

  /// From here on records go into the next segment.
  private func goOn(in named: consuming NextSegment.Named, _ folder: Directory) {
    let (next, target) = (named.reader, named.target)
    let old = reader
    // Before a record of the next segment is committed, so that a caller that has seen one finds its reader.
    flusher.add(target)
    old.seal(at: next.first)
    sealed.add(old, end: next.first)
    newest.roll(to: next)
    var segment = Optional(named.segment)
    let sealing = state.withLock { state in
      guard let segment = segment.take() else { preconditionFailure("a log rolls once at a time") }
      return SealingSegment(state.roll(to: segment, next), next: next.first, newNames: folder)
    }
    old.show(nil)
    roller.add(sealing)
  }

  /// Makes a thread seal the segments before the newest.
  private func sealBeside() {
    // If no thread is free, the next roll or closing does it.
    try? WorkThreads.shared.add { _ = self.sealNow() }
  }

  /// Seals the segments before the newest. May block. Returns why one could not be: then nothing is appended any more.
  func sealNow() -> ImmutaError? {
    let failure = roller.sealAll(after: flusher.failure) { next in
      // Not the newest segment: the log may have rolled again since, and that name may be lost if the machine crashes. If this
      // fails, the only harm is that a loss of the newest segment is not noticed, and that this segment needs its companion.
      try? keepMeta(flusher.companionHeader, newestFirst: next)
    } _: { first in
      flusher.noteSealed(first)
      // Its reader still holds files that were open for writing.
      sealed.forget(first)
    }
    if let failure {
      state.withLock { $0.fail(failure) }
      flusher.noteNotSealed(failure)
    }
    return failure
  }

  /// Makes the next segment before it is needed.
  func makeNextNow() {
    guard roller.wantsNext() else { return }
    roller.noteMade(next())
  }

  private func next() -> NextSegment? {
    try? roller.maker.make(like: state.withLock { $0.segment.descriptors.log })
  }
}
