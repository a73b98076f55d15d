import ImmutaLocking

/// A place among the records of a key: decides where the next one is, and delivers it only if it has the key.
///
/// A value, as ``RecordCursor`` is. Whatever throws, the place stays.
struct KeyCursor: Sendable {
  private let index: KeyIndex
  private let key: [UInt8]
  /// The place in the log, for those who wait there, and what is asked of the log before the first record.
  private var base: RecordCursor
  private let visibility: StreamVisibility
  /// The number of the first record that may come next; known once the first was asked for.
  private(set) var place = 0
  private var hasBegun = false
  /// Whether what comes first may be removed meanwhile: until something was delivered.
  private var beginsWithFirst: Bool
  /// How many changes of the log it knows of.
  private var changes: Int
  private var run: Run?
  /// The record delivered last.
  private var last: Int?

  /// What is known of the key's records in a segment.
  private struct Run: Sendable {
    let segment: Range<Int>
    let file: KeyFile?
    let memory: MemoryKeys?
    /// Those to be read after `postings`; none where the key shares its hash with others.
    var rest: Range<Int> = 0..<0
    /// In the order of their numbers.
    var postings: [KeyPosting] = []
    var position = 0
    var unreadable: [Int] = []
  }

  /// Postings that are read at once: 4 KiB.
  private static var postingsAtOnce: Int { 128 }

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
    (place, hasBegun, beginsWithFirst, last, run) = (number, true, false, nil, nil)
    changes = index.state.withLock { $0.changes.count }
  }

  /// The number of the first record that may come next.
  var position: Int { hasBegun ? place : base.place }

  /// The key's next record if it is committed already; nil otherwise. Does not wait.
  ///
  /// - Parameter end: the number of a record that is not delivered any more.
  mutating func nextAtOnce(before end: Int = .max) throws(ImmutaError) -> Record? {
    let open = index.open
    do throws(ImmutaError) {
      if let record = try next(before: end) { return record }
      if place >= open.count(visibility, open.reader) { try open.checkEnd() }
      return nil
    } catch {
      throw error.of(open.namespace)
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
    let limit = min(end, open.count(visibility, open.reader))
    while place < limit {
      let first = open.firstSequence
      if place < first {
        guard beginsWithFirst else { throw .recordRemoved(sequence: place, first: first) }
        place = first
        continue
      }
      guard let (number, entry) = try candidate() else { return nil }
      place = number
      if number >= limit { return nil }
      let record = try index.record(number, entry)
      place = number + 1
      let hasKey: Bool
      do throws(ImmutaError) {
        hasKey = index.keyOf(try record.payload.inMemory()) == key
      } catch {
        place = number
        throw error
      }
      if !hasKey { continue }
      (beginsWithFirst, last) = (false, number)
      return record
    }
    return nil
  }

  /// Throws where the log is not the one that was read, or was cut back before the place.
  private mutating func noteChanges() throws(ImmutaError) {
    let all = index.state.withLock { $0.changes }
    guard all.count > changes else { return }
    let shared = all[changes...].min { $0.sharedCount < $1.sharedCount }
    (changes, run, last) = (all.count, nil, nil)
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

  /// The number of the first record at or after the place that may have the key, and its entry if that is known. Nil, and the
  /// place is after all that is indexed, where there is none.
  private mutating func candidate() throws(ImmutaError) -> (number: Int, entry: KeyFileHeader.Anchor?)? {
    while true {
      let (key, place, last) = (key, place, last)
      let newest = index.state.withLock { state -> (isThere: Bool, number: Int?, end: Int) in
        guard let newest = state.newest, place >= newest.first else { return (false, nil, 0) }
        let group = newest.group(of: key, state.hasher.hash(key))
        let number = group.flatMap { newest.record(of: $0, from: place, after: last) }
        let unreadable = newest.unreadable.first { $0 >= place }
        return (true, [number, unreadable].compactMap(\.self).min(), newest.end)
      }
      if newest.isThere {
        if let number = newest.number { return (number, nil) }
        self.place = max(place, newest.end)
        return nil
      }
      if run?.segment.contains(place) != true {
        guard let segment = index.sealedRange(of: place) else {
          throw index.open.removal(of: place) ?? base.missing
        }
        run = try newRun(segment)
      }
      guard var run else { continue }
      self.run = nil
      let found = try next(in: &run)
      self.run = run
      if let found { return found }
      self.place = max(place, run.segment.upperBound)
    }
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
    return run
  }

  private func next(in run: inout Run) throws(ImmutaError) -> (number: Int, entry: KeyFileHeader.Anchor?)? {
    let place = place
    let unreadable = run.unreadable.first { $0 >= place }
    if let memory = run.memory {
      let group = memory.group(of: key, index.hash(of: key))
      let number = group.flatMap { memory.record(of: $0, from: place, after: last) }
      return [number, unreadable].compactMap(\.self).min().map { ($0, nil) }
    }
    while true {
      while run.position < run.postings.count, run.postings[run.position].number < place { run.position += 1 }
      if run.position < run.postings.count {
        let posting = run.postings[run.position]
        if let unreadable, unreadable < posting.number { return (unreadable, nil) }
        return (posting.number, posting.entry)
      }
      if run.rest.isEmpty { return unreadable.map { ($0, nil) } }
      let more = run.rest.lowerBound..<min(run.rest.upperBound, run.rest.lowerBound + Self.postingsAtOnce)
      guard let postings = run.file?.postings(more) else {
        index.drop(run.segment)
        run = try newRun(run.segment)
        return try next(in: &run)
      }
      (run.postings, run.position, run.rest) = (postings, 0, more.upperBound..<run.rest.upperBound)
    }
  }
}
