/// The keys of a segment that is appended to no more.
enum SegmentKeys: Sendable {
  case file(KeyFile)
  /// Until it has a file, or where it can have none.
  case memory(MemoryKeys)
}

extension MemoryKeys {
  /// Adds what is known of the next record.
  mutating func add(_ item: KeyIndex.RecordsKey) throws(ImmutaError) {
    if isFull {
      throw .invalidConfiguration(
        "a segment has more records than an index of keys can hold, \(MemoryKeys.none): set segments.maximumBytes")
    }
    switch item {
    case .key(let key, let hash): add(key, hash)
    case .noKey: add(nil, nil)
    case .unreadable: addUnreadable()
    }
  }
}

extension KeyIndex.State {
  /// Adds records to the newest segment, and to those that follow it where the log has rolled.
  ///
  /// - Parameter list: the segments before the newest, with these records.
  mutating func add(
    _ items: [KeyIndex.RecordsKey], from start: Int, _ list: (firsts: [Int], end: Int)
  ) throws(ImmutaError) {
    // Somebody had it be indexed from the beginning.
    guard newest?.end == start else { return }
    for item in items {
      sealNewest(list)
      try newest?.add(item)
    }
  }

  /// If all records of the newest segment are indexed, and another one comes after it, goes on with that.
  mutating func sealNewest(_ list: (firsts: [Int], end: Int)) {
    // Asked for each record: most often there is no other segment.
    guard let first = newest?.first, first < list.end, let keys = newest else { return }
    let end = list.firsts.first { $0 > keys.first } ?? list.end
    guard keys.end == end else { return }
    newest = MemoryKeys(first: end)
    if keys.next.isEmpty { return }
    sealed[keys.first] = .memory(keys)
    unwritten.append(keys.first)
  }

  /// The newest segment that is indexed was removed before all of it was.
  mutating func removeNewest() {
    if let keys = newest, !keys.next.isEmpty { removed.addMemory(keys) }
    newest = nil
  }

  /// The log is another, or was cut back.
  mutating func forget(_ change: LogChange) {
    changes.append(change)
    newest = nil
    (sealed, unwritten, recent) = ([:], [], [])
    unusable = []
    removed = RemovedKeys()
    olderCounts = [:]
  }

  /// A file is read: of those that were not read for long, one is closed.
  mutating func note(_ file: KeyFile, _ most: Int) {
    if recent.last === file { return }
    recent.removeAll { $0 === file }
    recent.append(file)
    if recent.count > most { recent.removeFirst().rest() }
  }
}
