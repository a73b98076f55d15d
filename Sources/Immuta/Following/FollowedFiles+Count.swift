import ImmutaLocking
import Solid
import Synchronization

// Following a log with COUNT. Of one without, see FollowedFiles+Entries.swift.

extension FollowedFiles {
  /// Takes note of records that were flushed since.
  func refreshStable() throws(ImmutaError) {
    let header: CompanionHeader?
    do throws(ImmutaError) {
      header = try companion?.companionHeader()
    } catch .logMoved {
      // It was replaced while it rested, which is noticed by its name.
      return
    }
    guard let header else { return }
    // Another log's says nothing of this one.
    if let identity = header.identity, let known = reader.identity, identity != known { return }
    stable.advance(to: min(files.first + header.stableCount, reader.count))
  }

  /// Takes note of records that were committed since. Costs two short calls when there are none.
  ///
  /// - Returns: false when the files do not continue the known records.
  func refresh() throws(ImmutaError) -> Bool {
    defer { noteUse() }
    do throws(ImmutaError) {
      return try refreshOpen()
    } catch .logMoved {
      // While they rested, another file got the name of one of them.
      return false
    }
  }

  /// COUNT as it is on file; nil where the format has none.
  private func loadCount() throws(ImmutaError) -> Int? {
    let header = try log.logHeader(format)
    // Acquiring: pairs with the writer's releasing store, so that what is read from here on are the records that COUNT
    // counts, and their entries.
    atomicMemoryFence(ordering: .acquiring)
    return header?.count
  }

  private func refreshOpen() throws(ImmutaError) -> Bool {
    // A header that is damaged says nothing: see `isAsFound`.
    if isDamaged || reader.committed.isClosed { return true }
    if try io(log.size < reader.end) { return false }
    guard format.hasCount else { return try refreshByEntries() }
    let first = files.first
    let known = reader.count - first
    guard var committed = try loadCount() else { return true }
    // It is read while it is stored: a COUNT that seems to have gone down is read again.
    if committed < known { committed = try loadCount() ?? committed }
    if committed == known { return true }
    if let disbelieved = state.withLock({ $0.disbelieved }), disbelieved.count == committed {
      return try Appearance(log, companion) == disbelieved.appearance
    }
    if committed < known { return false }
    let end = try state.withLock { (state) throws(ImmutaError) -> (isSame: Bool, end: Int?) in
      guard !state.isFrozen, committed > reader.count - first, committed != state.disbelieved?.count else {
        return (true, nil)
      }
      guard try state.anchors.hold(in: reader) else { return (false, nil) }
      state.disbelieved = nil
      if state.own == nil, let entry = try companion?.companionEntry(committed - 1) {
        guard let end = try log.recordEnd(at: entry.index, format) else {
          throw check.corrupted(.sizeField, first + committed - 1, entry.index, "its size field does not fit the file")
        }
        try state.know(first + committed, in: reader)
        return (true, end)
      }
      let end = try readOn(&state, through: committed)
      if end != nil { try state.know(first + committed, in: reader) }
      return (true, end)
    }
    guard end.isSame else { return false }
    guard let end = end.end else { return true }
    reader.raiseEnd(to: end)
    // Not under the lock: a woken caller may call back at once.
    reader.committed.advance(to: first + committed)
    return true
  }

  /// Follows a writer whose entries are not in the companion that was opened, or that keeps none: takes the entries that exist by
  /// now, and makes the missing ones. Returns where the last record ends; nil when the log does not confirm COUNT.
  private func readOn(_ state: inout State, through committed: Int) throws(ImmutaError) -> Int? {
    let own = try ownEntries(state)
    // A writer that made the companion again put another file in its place.
    guard let growth = try own.growth(io(log.status()), through: committed, companionNow(), after: state.lastTime)
    else {
      return nil
    }
    // Space that is reserved reads as records of no bytes: LAST INDEX says whether these were written.
    if growth.lacksEntries,
      try log.logHeader(format) != LogHeader(format, count: committed, lastIndex: growth.lastIndex)
    {
      return nil
    }
    take(growth, own, &state)
    return growth.end
  }

  /// Adds records to the known ones. Readers use their own entries from now on, if they did not before.
  func take(_ growth: WalkedEntries.Growth, _ own: WalkedEntries, _ state: inout State) {
    own.take(growth)
    state.lastTime = growth.time
    if state.walk(own) { reader.replaceEntries(.walked(own)) }
  }

  /// Makes entries of the records to come. The entries of the known records are in the companion.
  func ownEntries(_ state: State) throws(ImmutaError) -> WalkedEntries {
    if let known = state.own { return known }
    let made = try companion?.companionHeader()?.madeCount ?? 0
    return WalkedEntries(
      log, format, kept: ownCount, of: companion, count: ownCount, end: reader.end,
      madeCount: min(made, ownCount), companion: WalkedEntries.Known(numbers: 0..<0))
  }

  func companionNow() throws(ImmutaError) -> Descriptor? {
    try io(trust.companion(of: files))
  }

  /// Whether a writer that keeps a companion of the log's format has the log open, or did not live to close it.
  func isBeingWritten(_ companion: Descriptor?) throws(ImmutaError) -> Bool {
    guard let header = try companion?.companionHeader() else { return false }
    return header.format == format && !header.isClean
  }
}
