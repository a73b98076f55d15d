import ImmutaLocking

/// An index of a log's records by a key that each may have: which records have a key, and how many.
///
/// It is derived from the log. Each sealed segment has a file, made when the segment is sealed or first needed; for the newest
/// segment the index is in memory. Whatever the index says, a record is delivered only if its own bytes have the key.
///
/// It reads the log as any reader does, whenever it is used: appending does not know about it.
final class KeyIndex: Sendable {
  /// A record's key, by its payload; nil where it has none. It is called while records are indexed, and must not use the log.
  typealias KeyOf = @Sendable (Payload) -> [UInt8]?

  let open: OpenLog
  let keyOf: KeyOf
  let folder: KeyFolder
  private let version: Int
  /// See ``KeyHasher``.
  private let hashMask: UInt64
  /// The place up to which the newest segment is indexed. Held while records are indexed; taken before the others.
  let indexing = Lock<RecordCursor?>(nil)
  /// Held while files are made; taken before `state`.
  let writing = Lock<Void>(())
  let state: Lock<State>

  struct State {
    /// Which files may be used; nil for a log without identity, whose index is in memory only.
    var owner: KeyFileHeader.Owner?
    var hasher: KeyHasher
    /// The keys of the newest segment, as far as it is indexed. Nil before the first use.
    var newest: MemoryKeys?
    /// The keys of other segments, by their first records, as far as they were needed.
    var sealed: [Int: SegmentKeys] = [:]
    /// Those of them whose files are still to be made.
    var unwritten: [Int] = []
    var removed = RemovedKeys()
    /// Recent counts of some keys.
    var olderCounts: [[UInt8]: KeyIndex.OlderCount] = [:]
    /// What happened to the log that is followed: other files got its name, or it was cut back.
    var changes: [LogChange] = []
    /// Files that were read lately, the latest at the end.
    var recent: [KeyFile] = []
    /// The segments whose files are damaged, and cannot be removed: their keys stay in memory.
    var unusable: Set<Int> = []
    var isAboutToWrite = false
    /// Segments that many records were read from.
    var kept = KeptSegments()
  }

  /// How many records are read before they are added.
  private static var batchSize: Int { 512 }
  /// How many files are kept open.
  private static var mostOpen: Int { 32 }

  init(_ open: OpenLog, _ folder: KeyFolder, version: Int, hashMask: UInt64 = .max, keyOf: @escaping KeyOf) {
    self.open = open
    self.folder = folder
    self.version = version
    self.hashMask = hashMask
    self.keyOf = keyOf
    state = Lock(State(owner: nil, hasher: KeyHasher(nil, mask: hashMask)))
  }

  /// A key's hash, for as long as the log is the same.
  func hash(of key: [UInt8]) -> KeyHash { state.withLock { $0.hasher }.hash(key) }

  // MARK: The newest segment

  /// Indexes all records committed by now. O(records that came since the last update).
  func update() throws(ImmutaError) {
    try open.checkOpen()
    let target = open.current.count
    let isDone = state.withLock { $0.newest?.end == target }
    // The writer's log is never cut back, and nobody else's files take its place.
    if isDone, !open.isFollowing { return sealIfRolled() }
    try indexing.withLock { (cursor) throws(ImmutaError) in
      do throws(ImmutaError) {
        try catchUp(&cursor, to: target)
      } catch .logChanged(let change) {
        cursor = nil
        state.withLock { $0.forget(change) }
        try catchUp(&cursor, to: open.current.count)
      }
    }
    sealIfRolled()
  }

  private func catchUp(_ cursor: inout RecordCursor?, to target: Int) throws(ImmutaError) {
    while true {
      var place = cursor ?? begin()
      let start = place.place
      let items: [RecordsKey]
      do throws(ImmutaError) {
        items = try read(&place, to: target)
      } catch .recordRemoved {
        // The index lagged so much that records were removed before it read them: what it knows of the segment counts, and it
        // goes on with the remaining records.
        state.withLock { $0.removeNewest() }
        cursor = nil
        continue
      }
      if items.isEmpty {
        cursor = place
        return
      }
      // Taken after the records were read: a segment is in the list before a record of the next one is committed.
      let list = open.sealed.list
      cursor = nil
      try state.withLock { (state) throws(ImmutaError) in try state.add(items, from: start, list) }
      cursor = place
      if place.place >= target { return }
    }
  }

  private func begin() -> RecordCursor {
    let first = open.sealed.list.end
    let identity = open.reader.identity
    state.withLock { state in
      state.hasher = KeyHasher(identity, mask: hashMask)
      state.owner = identity.map { identity in
        let name = KeyHasher(identity).hash(Array(folder.name.utf8)).high
        return KeyFileHeader.Owner(identity: identity, name: name, version: version)
      }
      state.newest = MemoryKeys(first: first)
    }
    return RecordCursor(open, from: .skipping(first), only: .committed, reader: 0)
  }

  /// What is known of a record.
  enum RecordsKey {
    case key([UInt8], KeyHash)
    case noKey
    /// The record is damaged, or cannot be decoded: it may have any key.
    case unreadable
  }

  /// The next records of the log: some hundreds, or as many as one read brings.
  ///
  /// - Parameter end: stops before the record of this number.
  private func read(_ cursor: inout RecordCursor, to end: Int) throws(ImmutaError) -> [RecordsKey] {
    let hasher = state.withLock { $0.hasher }
    var items: [RecordsKey] = []
    var unreadable = 0
    func noteUnreadable(_ number: Int, _ error: ImmutaError) throws(ImmutaError) {
      unreadable += 1
      guard error.isOfRecord(number), unreadable < Self.batchSize else { throw error }
      items.append(.unreadable)
    }
    // Read once even if there is nothing to read: this shows whether the files were changed.
    while items.count < Self.batchSize, cursor.place < end || items.isEmpty {
      let taken: TakenRecords
      do throws(ImmutaError) {
        guard let next = try cursor.nextBatchAtOnce() else { break }
        taken = next
      } catch {
        // Damage after the last record is reported to callers that read there.
        if cursor.place >= end, open.endDamage != nil { break }
        try noteUnreadable(cursor.place, error)
        cursor.move(to: cursor.place + 1)
        continue
      }
      items.reserveCapacity(items.count + taken.count)
      for position in 0..<taken.count {
        let record = taken.record(at: position)
        do throws(ImmutaError) {
          // A large payload is read when it is touched, and might trap there.
          let key = keyOf(try record.payload.inMemory())
          items.append(key.map { .key($0, hasher.hash($0)) } ?? .noKey)
        } catch {
          try noteUnreadable(record.sequence, error)
        }
      }
    }
    return items
  }

  /// If the log has rolled, turns the newest segment's keys into those of a sealed segment.
  private func sealIfRolled() {
    let list = open.sealed.list
    let isDue = state.withLock { state in
      state.sealNewest(list)
      guard !state.unwritten.isEmpty, !state.isAboutToWrite else { return false }
      state.isAboutToWrite = true
      return true
    }
    if !isDue { return }
    // If no thread is free they stay in memory until the next time.
    do { try WorkThreads.shared.add { self.writeFiles() } } catch { state.withLock { $0.isAboutToWrite = false } }
  }

  // MARK: Other segments

  /// The segments before the newest one that is indexed.
  var sealedRanges: [Range<Int>] {
    let list = open.sealed.list
    let newest = state.withLock { $0.newest?.first } ?? list.end
    let firsts = list.firsts.prefix { $0 < newest }
    let ends = firsts.dropFirst() + [newest]
    return zip(firsts, ends).map { $0..<$1 }
  }

  /// The segment that has a record; nil if that was removed.
  func sealedRange(of number: Int) -> Range<Int>? {
    let list = open.sealed.list
    let newest = state.withLock { $0.newest?.first } ?? list.end
    let after = list.firsts.partitioningIndex { $0 > number }
    guard after > 0, number < newest else { return nil }
    return list.firsts[after - 1]..<min(newest, after < list.firsts.count ? list.firsts[after] : list.end)
  }

  /// The keys of a segment before the newest: from its file, or by reading its records, once.
  func keys(of segment: Range<Int>) throws(ImmutaError) -> SegmentKeys {
    if let known = known(segment) { return known }
    return try indexing.withLock { (_) throws(ImmutaError) in
      if let known = known(segment) { return known }
      if let file = try file(of: segment) { return keep(.file(file), segment) }
      let memory = try build(segment)
      // If there is no room, or no right to write, it stays in memory.
      if let file = try? makeFileIfFree(of: memory) { return keep(.file(file), segment) }
      return keep(.memory(memory), segment)
    }
  }

  private func known(_ segment: Range<Int>) -> SegmentKeys? {
    state.withLock { state in
      guard let known = state.sealed[segment.lowerBound] else { return nil }
      if case .file(let file) = known { state.note(file, Self.mostOpen) }
      return known
    }
  }

  private func keep(_ keys: SegmentKeys, _ segment: Range<Int>) -> SegmentKeys {
    state.withLock { state in
      state.sealed[segment.lowerBound] = keys
      if case .file(let file) = keys { state.note(file, Self.mostOpen) }
    }
    return keys
  }

  /// The bytes of a sealed segment, if it is small and many of its records are read; `count` more are about to be. Nil where
  /// another process may change the files.
  func bytes(of reader: LogReader, reading count: Int) -> SegmentBytes? {
    guard !open.isFollowing, reader.isSealed else { return nil }
    let (known, isDue) = state.withLock { $0.kept.bytes(of: reader.first, size: reader.end, reading: count) }
    if let known { return known }
    // An error shows when the records are read one by one.
    guard isDue, let bytes = try? SegmentBytes(reader) else { return nil }
    state.withLock { $0.kept.keep(bytes, of: reader.first) }
    return bytes
  }

  /// The file of a segment, if it is this segment's.
  func file(of segment: Range<Int>) throws(ImmutaError) -> KeyFile? {
    let (known, isUnusable) = state.withLock { ($0.owner, $0.unusable.contains(segment.lowerBound)) }
    guard let owner = known, !isUnusable else { return nil }
    return folder.open(folder.fileName(segment.lowerBound)) { header in
      guard header.kind == .segment, header.owner == owner, header.first == segment.lowerBound,
        header.end == segment.upperBound,
        let last = try? open.entry(of: segment.upperBound - 1, open.reader)
      else { return false }
      return header.last == KeyFileHeader.Anchor(last)
    }
  }

  private func build(_ segment: Range<Int>) throws(ImmutaError) -> MemoryKeys {
    var cursor = RecordCursor(open, from: .skipping(segment.lowerBound), only: .committed, reader: 0)
    var keys = MemoryKeys(first: segment.lowerBound)
    while cursor.place < segment.upperBound {
      let items = try read(&cursor, to: segment.upperBound)
      if items.isEmpty { throw cursor.missing }
      for item in items.prefix(segment.upperBound - keys.end) { try keys.add(item) }
    }
    return keys
  }

  /// A segment's file is damaged or outdated: drops it, so that it is made again.
  func drop(_ segment: Range<Int>) {
    state.withLock { $0.sealed[segment.lowerBound] = nil }
    // Where it stays it would be found again, for ever.
    let isGone = folder.remove([folder.fileName(segment.lowerBound)])
    if !isGone { state.withLock { _ = $0.unusable.insert(segment.lowerBound) } }
  }

  /// Forgets the keys of the log's newest segment: it is indexed again from its beginning.
  func forgetNewest() {
    indexing.withLock { cursor in
      cursor = nil
      state.withLock { $0.newest = nil }
    }
  }

  // MARK: Ahead

  /// Whether the index can be used without reading much of the log first.
  var isPrepared: Bool {
    let list = open.sealed.list
    let count = open.current.count
    return state.withLock { state in
      guard let newest = state.newest, count - newest.end < 4096 else { return false }
      // Most often all segments are known, and removed ones are forgotten.
      return state.sealed.count >= list.firsts.count - (newest.first < list.end ? 1 : 0)
    }
  }

  /// Indexes all records. O(records whose keys are in no file) the first time. Errors are thrown later, by the calls that need
  /// the index.
  private func prepare() {
    try? update()
    for segment in sealedRanges { _ = try? keys(of: segment) }
  }

  /// The same, on a thread that may block, if that takes long.
  func prepareBeside() async throws {
    if isPrepared { return }
    try await Thread.run {
      self.prepare()
      return nil
    }
  }
}

extension ImmutaError {
  /// Whether the error says that this record cannot be read, and not another one.
  fileprivate func isOfRecord(_ number: Int) -> Bool {
    switch self {
    case .corrupted(let damage), .undecodable(let damage): damage.sequence == number
    default: false
    }
  }
}
