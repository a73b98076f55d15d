import ImmutaLocking
import Solid

// Following a log without COUNT. If the writer keeps a companion, its entries say what is committed. Otherwise, another program's
// records count once they are whole.

extension FollowedFiles {
  /// Takes note of records that were committed since. Costs a read of an entry or two when there are none, and a few more reads
  /// if the log has grown all the same.
  ///
  /// - Returns: false when the files do not continue the known records.
  func refreshByEntries() throws(ImmutaError) -> Bool {
    let (isSame, found) = try state.withLock { (state) throws(ImmutaError) -> (Bool, Progress?) in
      if state.isFrozen { return (true, nil) }
      guard try state.anchors.hold(in: reader) else { return (false, nil) }
      var found: Progress?
      if state.own == nil, let companion {
        let count = try companion.committedCount(from: ownCount)
        if count > ownCount { found = Progress(count: count, end: try end(ofLast: count, companion)) }
      }
      if found == nil { found = try readOnByEntries(&state) }
      if let found { try state.know(files.first + found.count, in: reader) }
      return (true, found)
    }
    guard isSame else { return false }
    guard let found, found.count > ownCount else { return true }
    reader.raiseEnd(to: found.end)
    // Not under the lock: a woken caller may call back at once.
    reader.committed.advance(to: files.first + found.count)
    return true
  }

  private struct Progress {
    var count: Int
    var end: Int
  }

  private func end(ofLast count: Int, _ companion: Descriptor) throws(ImmutaError) -> Int {
    // Reading a record with a damaged entry reports it; until then the record may end anywhere.
    guard let entry = try companion.companionEntry(count - 1) else { return try io(log.size) }
    guard let end = try log.recordEnd(at: entry.index, format) else {
      throw check.corrupted(.sizeField, files.first + count - 1, entry.index, "its LENGTH does not fit the file")
    }
    return end
  }

  /// Follows a writer whose entries are not in the companion that was opened, or that keeps none.
  private func readOnByEntries(_ state: inout State) throws(ImmutaError) -> Progress? {
    let status = try io(log.status())
    guard status.size > state.own?.end ?? reader.end else { return nil }
    let own = try ownEntries(state)
    // A writer that made the companion again put another file in its place.
    if let companion = try companionNow(), try isBeingWritten(companion) {
      return try readOn(companion, own, &state)
    }
    guard let growth = try own.growth(status, through: nil, companionNow(), after: state.lastTime) else { return nil }
    // A writer marks its companion before it stages anything: if it has not by now, these are no records of its.
    if try isBeingWritten(companionNow()) { return nil }
    take(growth, own, &state)
    return Progress(count: growth.count, end: growth.end)
  }

  private func readOn(
    _ companion: Descriptor, _ own: WalkedEntries, _ state: inout State
  ) throws(ImmutaError) -> Progress? {
    let known = own.count
    let count = try companion.committedCount(from: known)
    guard count > known,
      let growth = try own.growth(
        io(log.status()), through: count, companion, needsEntries: true, after: state.lastTime)
    else { return nil }
    take(growth, own, &state)
    return Progress(count: growth.count, end: growth.end)
  }
}
