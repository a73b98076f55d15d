import Locking
import Solid

// Following a log without COUNT. Where a writer with a companion is at work, its entries tell what is committed. Where
// there is none, another program's records are there once they are whole.

extension FollowedFiles {
  /// Takes note of what was committed since. Costs a read of an entry or two when nothing was, and a few more reads where
  /// the log has grown all the same.
  ///
  /// - Returns: false when the files do not go on from what is known of them.
  func refreshByEntries() throws(ImmutaError) -> Bool {
    let (isSame, found) = try state.withLock { (state) throws(ImmutaError) -> (Bool, Progress?) in
      guard try state.anchors.hold(in: reader) else { return (false, nil) }
      var found: Progress?
      if state.list == nil, let companion {
        let count = try companion.publishedCount(from: reader.count)
        if count > reader.count { found = Progress(count: count, end: try end(ofLast: count, companion)) }
      }
      if found == nil { found = try readOnByEntries(&state) }
      if let found { try state.anchors.move(before: found.count, in: reader) }
      return (true, found)
    }
    guard isSame else { return false }
    guard let found, found.count > reader.count else { return true }
    reader.raiseEnd(to: found.end)
    // Not under the lock: whoever is woken may call back at once.
    reader.committed.advance(to: found.count)
    return true
  }

  private struct Progress {
    var count: Int
    var end: Int
  }

  private func end(ofLast count: Int, _ companion: Descriptor) throws(ImmutaError) -> Int {
    // Whoever reads a record whose entry is damaged finds out; until then it may end anywhere.
    guard let entry = try companion.companionEntry(count - 1) else { return try log.size }
    guard let end = try log.recordEnd(at: entry.index, format) else {
      throw check.corrupted(count - 1, entry.index, "its LENGTH does not fit the file")
    }
    return end
  }

  /// Follows a writer whose entries are not in the companion that was opened, or that keeps none.
  private func readOnByEntries(_ state: inout State) throws(ImmutaError) -> Progress? {
    let status = try log.status()
    let start = state.list == nil ? reader.end : state.listEnd
    guard status.size > start else { return nil }
    // A writer that made the companion again put another file in its place.
    if let companion = try companionNow(), try isAtWork(companion) {
      return try readOn(companion, &state, from: start)
    }
    var bytes = LogScanner(log, format, end: status.size)
    let companion = try companionNow()
    let known = state.list?.count ?? reader.count
    var new: [CompanionEntry] = []
    var (index, time) = (start, state.lastTime)
    while let size = try bytes.size(at: index) {
      let end = index + format.recordHeaderSize + size
      if let entry = try companion?.companionEntry(known + new.count), entry.index == index {
        time = entry.time
        new.append(entry)
      } else if try bytes.bearsItsChecksum(at: index, size: size),
        let checksum = try bytes.checksum(at: index, size: size)
      {
        time = max(time, status.modified)
        new.append(CompanionEntry(index: index, time: time, recordChecksum: checksum))
      } else if end < status.size {
        throw check.corrupted(known + new.count, index, "its payload does not have its checksum")
      } else {
        // Perhaps it is being written.
        break
      }
      index = end
    }
    // A writer marks its companion before it stages anything: if it has not by now, these are no records of its.
    if new.isEmpty { return nil }
    if let companion = try companionNow(), try isAtWork(companion) { return nil }
    try take(new, &state, end: index, time: time)
    return Progress(count: known + new.count, end: index)
  }

  /// Whether a writer that keeps this companion has the log open, or did not live to close it.
  private func isAtWork(_ companion: Descriptor) throws(ImmutaError) -> Bool {
    guard let header = try companion.companionHeader() else { return false }
    return header.format == format && !header.isClean
  }

  private func readOn(
    _ companion: Descriptor, _ state: inout State, from start: Int
  ) throws(ImmutaError) -> Progress? {
    let known = state.list?.count ?? reader.count
    let count = try companion.publishedCount(from: known)
    guard count > known else { return nil }
    var new: [CompanionEntry] = []
    var (index, time) = (start, state.lastTime)
    for number in known..<count {
      guard let entry = try companion.companionEntry(number), entry.index == index,
        let end = try log.recordEnd(at: index, format)
      else { return nil }
      new.append(entry)
      (index, time) = (end, entry.time)
    }
    try take(new, &state, end: index, time: time)
    return Progress(count: count, end: index)
  }

  private func take(
    _ new: [CompanionEntry], _ state: inout State, end: Int, time: Int64
  ) throws(ImmutaError) {
    let list: EntryList
    if let own = state.list { list = own } else { list = try listOfEntries() }
    take(new, into: list, &state)
    (state.listEnd, state.lastTime) = (end, time)
  }
}
