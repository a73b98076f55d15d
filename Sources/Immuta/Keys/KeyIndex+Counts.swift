import ImmutaLocking

// How many records a key has.

extension KeyIndex {
  /// The count of a key's records in the segments before the newest, with those that were removed. It does not change while the
  /// log neither rolls nor loses segments.
  struct OlderCount: Sendable {
    let count: Int
    /// How many of those were removed.
    fileprivate let removed: Int
    fileprivate let newest: Int
    fileprivate let first: Int
    fileprivate let changes: Int
  }

  /// For how many keys counts are kept.
  private static var mostKeptCounts: Int { 1024 }

  /// How many records of a key were committed by now, including those that were removed.
  ///
  /// - Parameter known: the count from a moment ago, before the caller had the log's turn.
  func count(of key: [UInt8], after known: OlderCount? = nil) throws(ImmutaError) -> Int {
    while true {
      try update()
      let older = try olderCount(of: key, after: known)
      if let newest = try newestCount(of: key, older) { return older.count + newest }
    }
  }

  /// Nil where the newest segment is another by now.
  private func newestCount(of key: [UInt8], _ older: OlderCount) throws(ImmutaError) -> Int? {
    let hash = hash(of: key)
    let (count, unreadable) = state.withLock { state -> (Int?, Int?) in
      guard let newest = state.newest, newest.first == older.newest else { return (nil, nil) }
      let count = newest.group(of: key, hash).map { Int(newest.groups[$0].count) } ?? 0
      return (count, newest.unreadable.first)
    }
    if let unreadable {
      // It can be read now, so it is indexed again.
      _ = try record(unreadable)
      forgetNewest()
      return nil
    }
    return count
  }

  /// The index must be up to date.
  func olderCount(of key: [UInt8], after known: OlderCount? = nil) throws(ImmutaError) -> OlderCount {
    for _ in 0..<Self.mostAttempts {
      noteRemoved()
      let first = open.firstSequence
      let (newest, changes, kept) = state.withLock { ($0.newest?.first ?? 0, $0.changes.count, $0.olderCounts[key]) }
      if let known = known ?? kept, known.newest == newest, known.first == first, known.changes == changes {
        return known
      }
      let hash = hash(of: key)
      let removed = removedCount(of: key, hash)
      var count = removed
      do throws(ImmutaError) {
        for segment in sealedRanges { count += try self.count(of: key, hash, in: segment) }
      } catch .recordRemoved {
        continue
      }
      guard open.firstSequence == first else { continue }
      let older = OlderCount(count: count, removed: removed, newest: newest, first: first, changes: changes)
      state.withLock { state in
        // Otherwise the log has rolled meanwhile, and the caller asks again.
        guard state.newest?.first == newest, state.changes.count == changes else { return }
        if state.olderCounts.count >= Self.mostKeptCounts { state.olderCounts = [:] }
        state.olderCounts[key] = older
      }
      return older
    }
    throw .recordRemoved(sequence: 0, first: open.firstSequence)
  }

  private func removedCount(of key: [UInt8], _ hash: KeyHash) -> Int {
    for attempt in 0..<Self.mostAttempts {
      noteRemoved()
      let removed = state.withLock { $0.removed }
      if let count = removed.count(key, hash) { return count }
      // Another process may have merged them into one file. A file that fails a second time is damaged.
      let damaged = attempt == 0 ? [] : removed.damagedFiles(hash)
      state.withLock { state in
        state.removed.forget()
        for name in damaged { state.removed.note(damaged: name) }
      }
    }
    return 0
  }

  /// How often it tries: it makes damaged files again, and counts records of segments that are removed meanwhile as removed.
  static var mostAttempts: Int { 16 }

  private func count(of key: [UInt8], _ hash: KeyHash, in segment: Range<Int>) throws(ImmutaError) -> Int {
    try group(of: key, hash, in: segment)?.count ?? 0
  }

  /// A key's records in a segment: how many, and each by its place among them; nil where there are none.
  private func group(of key: [UInt8], _ hash: KeyHash, in segment: Range<Int>) throws(ImmutaError) -> KeyGroup? {
    try look(into: segment) { (keys) throws(ImmutaError) -> Look<KeyGroup?> in
      switch keys {
      case .memory(let keys): return .found(keys.group(of: key, hash).map { .memory(keys, $0) })
      case .file(let file):
        guard let slots = file.slots(of: hash) else { return .damaged }
        return try slot(of: key, slots, in: file).map { slot in slot.map { .file(file, $0) } }
      }
    }
  }

  /// What the keys of a segment say.
  private enum Look<Found> {
    case found(Found)
    case damaged

    func map<Other>(_ transform: (Found) -> Other) -> Look<Other> {
      switch self {
      case .found(let found): .found(transform(found))
      case .damaged: .damaged
      }
    }
  }

  /// Looks into the keys of a segment. Where they are damaged, or a record could not be read when they were made, they are made
  /// again.
  private func look<Found>(
    into segment: Range<Int>, _ body: (SegmentKeys) throws(ImmutaError) -> Look<Found>
  ) throws(ImmutaError) -> Found {
    for _ in 0..<Self.mostAttempts {
      let keys = try keys(of: segment)
      if !keys.hasUnreadable {
        if case .found(let found) = try body(keys) { return found }
      } else if let number = keys.firstUnreadable {
        // It throws if it cannot be read now, either.
        _ = try record(number)
      }
      // The file is damaged, or a record that could not be read now can be: the file is made again.
      drop(segment)
    }
    throw unusable(segment)
  }

  func unusable(_ segment: Range<Int>) -> ImmutaError {
    open.reader.check.corrupted(
      .keyIndex, segment.lowerBound, nil, "the index of its keys cannot be read, however often it is made")
  }

  private enum KeyGroup {
    case memory(MemoryKeys, Int)
    case file(KeyFile, KeySlot)

    var count: Int {
      switch self {
      case .memory(let keys, let group): Int(keys.groups[group].count)
      case .file(_, let slot): slot.count
      }
    }
  }

  /// The slot of a key, among those of its hash; nil where the file has none.
  private func slot(of key: [UInt8], _ slots: [KeySlot], in file: KeyFile) throws(ImmutaError) -> Look<KeySlot?> {
    for slot in slots {
      guard let posting = file.postings(slot.place..<slot.place + 1)?.first else { return .damaged }
      // Another key may have the same hash: the record says which it is.
      if try keyOf(record(posting.number, posting.entry).payload.inMemory()) == key { return .found(slot) }
    }
    return .found(nil)
  }

  // MARK: Records

  /// A record, by its posting or by the companion.
  func record(_ number: Int, _ entry: KeyFileHeader.Anchor? = nil) throws(ImmutaError) -> Record {
    do throws(ImmutaError) {
      let reader = try open.reader(of: number, open.reader)
      if let entry {
        let found = CompanionEntry(index: entry.index, time: entry.time, recordChecksum: entry.recordChecksum)
        do throws(ImmutaError) {
          return try reader.record(number, at: found)
        } catch {
          // The companion decides.
          switch error {
          case .corrupted, .recordNotFound: break
          default: throw error
          }
        }
      }
      return try reader.record(number, reader: 0)
    } catch {
      throw open.removal(of: number) ?? error
    }
  }

  /// The nth record of a key, counted as ``count(of:after:)`` counts; nil if it does not exist, or was removed.
  func record(_ nth: Int, of key: [UInt8]) throws(ImmutaError) -> Record? {
    var damaged = 0..<0
    for _ in 0..<Self.mostAttempts {
      switch try look(for: nth, of: key) {
      case .record(let record): return record
      case .none: return nil
      case .damaged(let segment):
        drop(segment)
        damaged = segment
      }
    }
    throw unusable(damaged)
  }

  private enum Found {
    case record(Record)
    case none
    /// What the file of a segment says is not so.
    case damaged(Range<Int>)
  }

  private func look(for nth: Int, of key: [UInt8]) throws(ImmutaError) -> Found {
    try update()
    let hash = hash(of: key)
    // Counted now: a file with counts of removed records may have been damaged since.
    var left = nth - (try olderCount(of: key).removed)
    if left < 0 { return .none }
    for segment in sealedRanges {
      guard let group = try group(of: key, hash, in: segment) else { continue }
      if left >= group.count {
        left -= group.count
        continue
      }
      switch group {
      case .memory(let keys, let group): return .record(try record(keys.record(left, of: group)))
      case .file(let file, let slot):
        let place = slot.place + left
        guard let posting = file.postings(place..<place + 1)?.first else { return .damaged(segment) }
        let record = try record(posting.number, posting.entry)
        return keyOf(try record.payload.inMemory()) == key ? .record(record) : .damaged(segment)
      }
    }
    let newest = state.withLock { state -> Int? in
      guard let newest = state.newest, let group = newest.group(of: key, hash),
        left < Int(newest.groups[group].count)
      else { return nil }
      return newest.record(left, of: group)
    }
    guard let newest else { return .none }
    return .record(try record(newest))
  }

  // MARK: All keys

  /// A record of each key, the first that was not removed; in their order. O(keys) in memory.
  func firstRecords() throws(ImmutaError) -> [Record] {
    try update()
    noteRemoved()
    var records: [[UInt8]: Record] = [:]
    func add(_ number: Int, _ entry: KeyFileHeader.Anchor? = nil) throws(ImmutaError) {
      let record = try record(number, entry)
      guard let key = keyOf(try record.payload.inMemory()) else { return }
      if let known = records[key], known.sequence < number { return }
      records[key] = record
    }
    for segment in sealedRanges {
      do throws(ImmutaError) {
        for (number, entry) in try firstRecords(in: segment) { try add(number, entry) }
      } catch .recordRemoved {
        continue
      }
    }
    let newest = state.withLock { state -> (firsts: [Int], unreadable: Int?) in
      guard let keys = state.newest else { return ([], nil) }
      return (keys.groups.map { keys.first + Int($0.first) }, keys.unreadable.first)
    }
    if let unreadable = newest.unreadable { _ = try record(unreadable) }
    for number in newest.firsts { try add(number) }
    return records.values.sorted { $0.sequence < $1.sequence }
  }

  private func firstRecords(
    in segment: Range<Int>
  ) throws(ImmutaError) -> [(number: Int, entry: KeyFileHeader.Anchor?)] {
    try look(into: segment) { keys in
      switch keys {
      case .memory(let keys): return .found(keys.groups.map { (keys.first + Int($0.first), nil) })
      case .file(let file):
        guard let postings = Self.firstPostings(file) else { return .damaged }
        return .found(postings.map { ($0.number, $0.entry) })
      }
    }
  }

  /// The first posting of each slot; nil where one is damaged.
  private static func firstPostings(_ file: KeyFile) -> [KeyPosting]? {
    var found: [KeyPosting] = []
    for start in stride(from: 0, to: file.header.groups, by: 1024) {
      guard let slots = file.slots(start..<min(file.header.groups, start + 1024)) else { return nil }
      for slot in slots {
        guard let posting = file.postings(slot.place..<slot.place + 1)?.first else { return nil }
        found.append(posting)
      }
    }
    return found
  }
}
