/// The keys of a segment that is not appended to any more.
enum SegmentKeys: Sendable {
  case file(KeyFile)
  /// Until it has a file, or if it cannot have one.
  case memory(MemoryKeys)

  /// Whether some records could not be read when they were made: nobody knows the keys of those.
  var hasUnreadable: Bool {
    switch self {
    case .file(let file): file.header.unreadable > 0
    case .memory(let keys): !keys.unreadable.isEmpty
    }
  }

  /// The first of those; nil where there is none, or the file is damaged.
  var firstUnreadable: Int? {
    switch self {
    case .file(let file): file.unreadable()?.first
    case .memory(let keys): keys.unreadable.first
    }
  }
}

extension MemoryKeys {
  /// Adds the key of the next record.
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
  /// Adds records to the newest segment, and to the segments after it if the log has rolled.
  ///
  /// - Parameter list: the segments before the newest, when these records were read.
  mutating func add(
    _ items: [KeyIndex.RecordsKey], from start: Int, _ list: (firsts: [Int], end: Int)
  ) throws(ImmutaError) {
    // Somebody has started indexing the segment again from its beginning.
    guard newest?.end == start else { return }
    for item in items {
      sealNewest(list)
      try newest?.add(item)
    }
  }

  /// If all records of the newest segment are indexed, and another segment comes after it, goes on with that one.
  mutating func sealNewest(_ list: (firsts: [Int], end: Int)) {
    // Called for each record: most often there is no other segment.
    guard let first = newest?.first, first < list.end, let keys = newest else { return }
    let end = list.firsts.first { $0 > keys.first } ?? list.end
    guard keys.end == end else { return }
    newest = MemoryKeys(first: end)
    if keys.next.isEmpty { return }
    sealed[keys.first] = .memory(keys)
    unwritten.append(keys.first)
  }

  /// The segment that is being indexed was removed before all of it was indexed.
  mutating func removeNewest() {
    if let keys = newest, !keys.next.isEmpty { removed.addMemory(keys) }
    newest = nil
  }

  /// The log was replaced, or cut back.
  mutating func forget(_ change: LogChange) {
    changes.append(change)
    newest = nil
    (sealed, unwritten, recent) = ([:], [], [])
    unusable = []
    removed = RemovedKeys()
    olderCounts = [:]
  }

  /// Notes that a file is read, and closes the one that was not read for the longest time if too many are open.
  mutating func note(_ file: KeyFile, _ most: Int) {
    if recent.last === file { return }
    recent.removeAll { $0 === file }
    recent.append(file)
    if recent.count > most { recent.removeFirst().rest() }
  }
}
