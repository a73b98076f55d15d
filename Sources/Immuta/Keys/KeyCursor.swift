import ImmutaLocking

/// A place among the records of a key: decides where the next one is, and delivers it only if it has the key.
///
/// A value, as ``RecordCursor`` is. Whatever throws, the place stays.
struct KeyCursor: Sendable {
  private let index: KeyIndex
  private let key: [UInt8]
  /// The place in the log, for callers that wait there, and what must hold of the log before the first record.
  private var base: RecordCursor
  private let visibility: StreamVisibility
  /// The number of the first record that may come next; known once the first was asked for.
  private(set) var place = 0
  private var hasBegun = false
  /// Whether the first record may be removed meanwhile: true until something was delivered.
  private var beginsWithFirst: Bool
  /// How many changes of the log it knows of.
  private var changes: Int
  private var run: Run?
  /// The records of the run that come next.
  private var ahead = KeyReadAhead()
  /// How many records are read ahead the next time.
  private var batch = leastAhead
  /// The bytes of the longest record so far, with its header; 0 before the first.
  private var longest = 0
  /// The log's count at the last look.
  private var knownCount = 0
  /// The record delivered last.
  private var last: Int?

  /// What is known of the key's records in a segment.
  private struct Run: Sendable {
    let segment: Range<Int>
    let file: KeyFile?
    let memory: MemoryKeys?
    /// Places of the postings to be read after `postings`; empty if the key shares its hash with others.
    var rest: Range<Int> = 0..<0
    /// In the order of their numbers.
    var postings: [KeyPosting] = []
    var position = 0
    var unreadable: [Int] = []
  }

  /// Postings that are read at once: 4 KiB.
  private static var postingsAtOnce: Int { 128 }
  /// How many records are read ahead at first: few, for callers that take only one.
  private static var leastAhead: Int { 4 }
  private static var mostAhead: Int { 64 }
  /// How many bytes are read of each record. A longer one takes a read of its own.
  private var size: Int { longest == 0 ? 512 : min(4096, 2 * longest) }

  init(_ index: KeyIndex, _ key: [UInt8], from start: StreamPosition, only visibility: StreamVisibility) {
    self.index = index
    self.key = key
    self.visibility = visibility
    base = RecordCursor(index.open, from: start, only: visibility, reader: 0)
    beginsWithFirst = start == .beginning
    changes = index.state.withLock { $0.changes.count }
  }

  /// Goes to a number of at least 0.
  mutating func move(to number: Int) {
    precondition(number >= 0, "a stream's position is at least 0")
    base.move(to: number)
    (place, hasBegun, beginsWithFirst, last) = (number, true, false, nil)
    forget()
    batch = Self.leastAhead
    changes = index.state.withLock { $0.changes.count }
  }

  /// The number of the first record that may come next.
  var position: Int { hasBegun ? place : base.place }

  /// The key's next record if it is committed already; nil otherwise. Does not wait.
  ///
  /// - Parameter end: the number of a record that is not delivered any more.
  mutating func nextAtOnce(before end: Int = .max) throws(ImmutaError) -> Record? {
    if let record = try nextAtHand(before: end) { return record }
    let open = index.open
    do throws(ImmutaError) {
      if let record = try next(before: end) { return record }
      if place >= open.count(visibility, open.reader) { try open.checkEnd() }
      return nil
    } catch {
      throw error.of(open.namespace)
    }
  }

  /// The same, but only from the records that are known to come next. Not for the very first record, which may be removed
  /// meanwhile.
  mutating func nextAtHand(before end: Int = .max) throws(ImmutaError) -> Record? {
    if beginsWithFirst || ahead.first == nil { return nil }
    do throws(ImmutaError) {
      return try nextAhead(before: min(end, knownCount), readsMore: false)
    } catch {
      throw error.of(index.open.namespace)
    }
  }

  private mutating func next(before end: Int) throws(ImmutaError) -> Record? {
    if !hasBegun {
      try base.checkPlace()
      // Nothing is late enough yet.
      if base.demand != nil { return nil }
      (place, hasBegun) = (base.place, true)
    }
    if visibility == .durable { try index.open.refresh(.durable) }
    try index.update()
    try noteChanges()
    let open = index.open
    knownCount = open.count(visibility, open.reader)
    let limit = min(end, knownCount)
    while place < limit {
      let first = open.firstSequence
      if place < first {
        guard beginsWithFirst else { throw .recordRemoved(sequence: place, first: first) }
        place = first
        ahead.pass(to: first)
        continue
      }
      if ahead.first == nil {
        guard try look() else { return nil }
      }
      if let record = try nextAhead(before: limit, readsMore: true) { return record }
      if let next = ahead.first, next.number >= limit {
        place = next.number
        return nil
      }
    }
    return nil
  }

  /// The first of the next records that has the key; nil if none of them has it, or none comes before `end`.
  ///
  /// - Parameter readsMore: whether a record may be read that was not read ahead. If the log's files may have changed, that is
  ///   checked first.
  private mutating func nextAhead(before end: Int, readsMore: Bool) throws(ImmutaError) -> Record? {
    while let (number, entry) = ahead.first, number < end {
      var record = ahead.record
      if record == nil {
        guard readsMore || !index.open.isFollowing else { return nil }
        place = number
        record = try index.record(number, entry)
      }
      guard let record else { return nil }
      place = number
      longest = max(longest, record.size + LogFormat.largestRecordHeaderSize)
      let hasKey = index.keyOf(try record.payload.inMemory()) == key
      place = number + 1
      ahead.removeFirst()
      if !hasKey { continue }
      (beginsWithFirst, last) = (false, number)
      return record
    }
    return nil
  }

  /// Forgets where the next records are.
  private mutating func forget() {
    (run, ahead) = (nil, KeyReadAhead())
  }

  /// Throws if the log is not the one that was read, or was cut back before the place.
  private mutating func noteChanges() throws(ImmutaError) {
    let all = index.state.withLock { $0.changes }
    guard all.count > changes else { return }
    let shared = all[changes...].min { $0.sharedCount < $1.sharedCount }
    (changes, last) = (all.count, nil)
    forget()
    if let shared, place > shared.sharedCount { throw .logChanged(shared) }
  }

  /// Waits until the log has a record that was not looked at.
  func waitForNext(until deadline: ContinuousClock.Instant?) async throws -> Bool {
    if let deadline { return try await waiting.waitForNext(until: deadline) }
    try await waiting.waitForNext()
    return true
  }

  private var waiting: RecordCursor {
    var copy = base.waiting
    if hasBegun { copy.move(to: place) }
    return copy
  }

  // MARK: Where the next record is

  /// Finds out which of the records from the place on may have the key. If none has, returns false, and the place is after all
  /// indexed records.
  private mutating func look() throws(ImmutaError) -> Bool {
    let most = batch
    batch = min(Self.mostAhead, batch * 4)
    // If the files may be replaced meanwhile, records that are not read ahead are looked up one at a time.
    let mostInMemory = index.open.isFollowing ? 1 : most
    while true {
      let (key, place, last) = (key, place, last)
      let newest = index.state.withLock { state -> (places: [FoundRecords.Place], end: Int)? in
        guard let newest = state.newest, place >= newest.first else { return nil }
        return (
          newest.places(of: key, state.hasher.hash(key), from: place, after: last, most: mostInMemory), newest.end
        )
      }
      if let newest {
        ahead = KeyReadAhead(newest.places)
        self.place = max(place, newest.places.first?.number ?? newest.end)
        return ahead.first != nil
      }
      if run?.segment.contains(place) != true {
        guard let segment = index.sealedRange(of: place) else {
          throw index.open.removal(of: place) ?? base.missing
        }
        run = try newRun(segment)
      }
      guard var run else { continue }
      self.run = nil
      let places = try self.places(in: &run, most, mostInMemory)
      self.run = run
      if let first = places.first {
        ahead = KeyReadAhead(places, found(places))
        self.place = max(place, first.number)
        return true
      }
      self.place = max(place, run.segment.upperBound)
    }
  }

  /// Reads records of a segment ahead; nil if that fails: reading them one by one then finds out why.
  private func found(_ places: [FoundRecords.Place]) -> FoundRecords? {
    guard let first = places.first(where: { $0.entry != nil }),
      let reader = try? index.open.reader(of: first.number, index.open.reader)
    else { return nil }
    if let bytes = index.bytes(of: reader, reading: places.count) {
      return FoundRecords(places, of: reader, in: bytes)
    }
    return try? FoundRecords(places, of: reader, expecting: size)
  }

  private func newRun(_ segment: Range<Int>) throws(ImmutaError) -> Run {
    for _ in 0..<KeyIndex.mostAttempts {
      switch try index.keys(of: segment) {
      case .memory(let keys):
        return Run(segment: segment, file: nil, memory: keys, unreadable: keys.unreadable)
      case .file(let file):
        if let run = run(segment, file) { return run }
        index.drop(segment)
      }
    }
    throw index.unusable(segment)
  }

  /// Nil where the file is damaged.
  private func run(_ segment: Range<Int>, _ file: KeyFile) -> Run? {
    guard let slots = file.slots(of: index.hash(of: key)) else { return nil }
    var run = Run(segment: segment, file: file, memory: nil)
    if file.header.unreadable > 0 {
      guard let unreadable = file.unreadable() else { return nil }
      run.unreadable = unreadable
    }
    if slots.count == 1 {
      guard let start = file.place(of: place, in: slots[0]) else { return nil }
      run.rest = start..<slots[0].place + slots[0].count
      return run
    }
    for slot in slots {
      guard let postings = file.postings(slot.place..<slot.place + slot.count) else { return nil }
      run.postings += postings
    }
    run.postings.sort { $0.number < $1.number }
    // No record has two keys.
    for (one, next) in zip(run.postings, run.postings.dropFirst()) where one.number == next.number { return nil }
    return run
  }

  /// Whether postings come after those before them.
  private static func follow(_ postings: [KeyPosting], _ before: [KeyPosting]) -> Bool {
    guard let last = before.last, let first = postings.first else { return true }
    return last.number < first.number
  }

  /// The next records of a run that may have the key, about as many as are asked for.
  private func places(
    in run: inout Run, _ most: Int, _ mostInMemory: Int
  ) throws(ImmutaError) -> [FoundRecords.Place] {
    let place = place
    if let memory = run.memory {
      return memory.places(of: key, index.hash(of: key), from: place, after: last, most: mostInMemory)
    }
    while true {
      while run.position < run.postings.count, run.postings[run.position].number < place { run.position += 1 }
      if run.position < run.postings.count || run.rest.isEmpty { break }
      let more = run.rest.lowerBound..<min(run.rest.upperBound, run.rest.lowerBound + Self.postingsAtOnce)
      guard let postings = run.file?.postings(more), Self.follow(postings, run.postings) else {
        index.drop(run.segment)
        run = try newRun(run.segment)
        return try places(in: &run, most, mostInMemory)
      }
      (run.postings, run.position, run.rest) = (postings, 0, more.upperBound..<run.rest.upperBound)
    }
    let end = min(run.postings.count, run.position + most)
    var places: [FoundRecords.Place] = []
    places.reserveCapacity(end - run.position)
    for posting in run.postings[run.position..<end] { places.append((posting.number, posting.entry)) }
    run.position = end
    if run.unreadable.isEmpty { return places }
    // Also the records that may have any key, up to the last of these; after the key's last record, all of them.
    let isLast = end == run.postings.count && run.rest.isEmpty
    let bound = isLast ? run.segment.upperBound : places.last?.number ?? place
    places += run.unreadable.filter { $0 >= place && $0 < bound }.map { ($0, nil) }
    return places.sorted { $0.number < $1.number }
  }
}
