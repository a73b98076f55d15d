// Where a cursor goes on after the log's files were repaired, put back, or replaced. Needed only if another process may write the
// log.

extension RecordCursor {
  /// The present reader of the log. If it changed, because the files were changed or replaced, the place must exist in the new
  /// files.
  mutating func reader(of source: OpenLog) throws(ImmutaError) -> LogReader {
    let current = source.reader
    if let reader, reader === current { return current }
    do throws(ImmutaError) {
      if try goOn(in: current) { return current }
    } catch {
      guard try source.isDueToChange(error, of: current) else { throw error }
    }
    // These files may have been replaced, too: then the cursor goes on in others.
    guard try source.mayHaveChanged(since: current) else {
      change = (current.lineage, 0)
      throw .logChanged(LogChange(path: current.check.path, kind: .replaced, sharedCount: 0))
    }
    let next = source.reader
    guard next !== current, try goOn(in: next) else { throw changing(place - 1) }
    return next
  }

  /// Goes on in other files, if the place exists in them. False if the record before the place is another one, although the files
  /// should have it in common: then they were changed while they were compared.
  private mutating func goOn(in current: LogReader) throws(ImmutaError) -> Bool {
    if let before = reader?.lineage ?? change?.lineage, before !== current.lineage {
      let (kind, shared) = before.change(to: current.lineage)
      if place > shared, try !isAfterAnchor(in: current) {
        let shared = min(shared, place)
        change = (current.lineage, shared)
        throw .logChanged(LogChange(path: current.check.path, kind: kind, sharedCount: shared))
      }
      guard try moveAnchor(to: current) else { return false }
      forgetFiles()
    }
    (reader, change) = (current, nil)
    return true
  }

  /// Whether the record delivered last is the one before the place in the present files.
  private func isAfterAnchor(in current: LogReader) throws(ImmutaError) -> Bool {
    guard let last = lastDelivered, last.sequence < current.count,
      let entry = try known(last.sequence, current)
    else { return false }
    return entry.isOfSameRecord(as: last.entry) && entry.time == last.entry.time
  }

  /// The record delivered last, by its entry; nil when none was, or if only this process writes.
  var lastDelivered: (sequence: Int, entry: CompanionEntry)? {
    if let anchor, anchor.sequence == place - 1 { return anchor }
    guard let chunk, place - 1 >= chunk.first, let entry = chunk.entry(at: place - 1 - chunk.first) else { return nil }
    return (place - 1, entry)
  }

  /// Takes the present entry of the record delivered last: a companion that was made again may give it another time. False if the
  /// entry is another record's. A cursor that was moved here has no such entry. It takes the one on file, unless another log was
  /// written over these files since they were opened.
  private mutating func moveAnchor(to current: LogReader) throws(ImmutaError) -> Bool {
    let last = lastDelivered
    // Kept in any case, as the chunk may be dropped.
    anchor = last
    let entry = place > 0 ? try known(place - 1, current) : nil
    if let last, let entry, !entry.isOfSameRecord(as: last.entry) { return false }
    if last == nil, let entry, let files = source?.follower?.files {
      guard files.reader === current, try files.vouches(for: entry, of: place - 1) else { return true }
    }
    anchor = entry.map { (place - 1, $0) }
    return true
  }

  /// Throws unless the records that were read follow the record delivered last, in the known files. Another program may have put
  /// other bytes into them.
  func check(_ batch: LogReader.Batch, _ source: OpenLog, _ reader: LogReader) throws(ImmutaError) {
    if let files = source.follower?.files {
      guard files.reader === reader, try files.hold({ number in batch.entry(of: number, at: place) }) else {
        throw changing(place)
      }
    }
    try checkAnchor(source, reader)
  }

  /// Throws unless the record delivered last is still on file. Called after others were read: then they follow it.
  private func checkAnchor(_ source: OpenLog, _ reader: LogReader) throws(ImmutaError) {
    guard let anchor, anchor.sequence == place - 1 else {
      // The cursor was moved here: it is only known in which files.
      guard place > 0, try source.mayHaveChanged(since: reader) else { return }
      throw changing(place - 1)
    }
    // A sealed segment is not written any more: opening it checked that its file belongs to the log.
    if anchor.sequence < reader.first { return }
    if let own = reader.ownEntries {
      if try reader.isInLog(anchor.entry) { return }
      own.contradict()
    } else if try reader.entries(anchor.sequence..<place).first == anchor.entry {
      return
    }
    throw changing(anchor.sequence, at: anchor.entry.index)
  }

  /// The entry of a record in the present files; nil if it is damaged, or was removed.
  private func known(_ number: Int, _ current: LogReader) throws(ImmutaError) -> CompanionEntry? {
    do throws(ImmutaError) {
      return try source?.entry(of: number, current)
    } catch .recordRemoved {
      return nil
    }
  }

  private func changing(_ sequence: Int, at index: Int? = nil) -> ImmutaError {
    .corrupted(
      Corruption(
        .changedMeanwhile, path: source?.path ?? "", sequence: sequence, index: index,
        reason: "it is not the record that was read: somebody is changing the file"))
  }

  /// Throws unless the place meets the caller's demand.
  mutating func meet(_ demand: Demand, _ source: OpenLog) throws(ImmutaError) {
    if case .isAt(let moment) = demand { return try passEarlier(than: moment, source) }
    try source.refresh()
    let reader = source.reader
    try reader.checkOpen()
    var number = place
    switch demand {
    case .isAt: break
    case .exists(let stated): number = stated
    case .isIn(let identity):
      if reader.identity != identity { throw .foreignPosition(expected: identity, found: reader.identity) }
    }
    if number < 0 { throw .invalidPosition(number) }
    if number > reader.count {
      try source.checkEnd()
      throw .positionBeyondEnd(position: number, count: reader.count)
    }
    self.demand = nil
    self.reader = reader
  }
}

extension LogReader.Batch {
  /// The entry of a record; nil if it was not read, or is damaged.
  ///
  /// - Parameter first: the number of the first record that was read.
  fileprivate func entry(of number: Int, at first: Int) -> CompanionEntry? {
    switch self {
    case .single(_, let entry): return number == first ? entry : nil
    case .chunk(let chunk, let entry, _):
      if number <= first { return number == first ? entry : nil }
      return chunk.entry(at: number - first)
    }
  }
}
