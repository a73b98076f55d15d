/// A job that was touched but is not done.
struct JobEntry: Hashable, Sendable {
  enum Status: UInt8 {
    /// A worker has it, until the deadline.
    case leased
    /// Nobody gets it before the deadline.
    case waiting
    /// The same, because its record says so: reading the record again finds that out again.
    case dated
    /// To be given to the next worker.
    case ready
    /// It is about to be given to a worker, or to the dead letters.
    case taken
  }

  /// Its number, minus that of the block's first job.
  fileprivate(set) var offset: UInt16 = 0
  var status: Status
  /// How often it was given to a worker.
  var deliveries: UInt32
  /// Nanoseconds of the steady clock; meaningless unless a worker has the job or the job waits.
  var deadline: Int64

  init(_ status: Status, deliveries: Int, deadline: Int64 = .max) {
    self.status = status
    self.deliveries = UInt32(clamping: deliveries)
    self.deadline = deadline
  }

  /// Whether its state changes at its deadline.
  var isTimed: Bool {
    switch status {
    case .leased, .waiting, .dated: true
    case .ready, .taken: false
    }
  }
}

/// Up to 1,024 jobs in a row: which are done, and the state of jobs that were touched but are not done. It takes 16 bytes for
/// each of the latter and, while any job is done, a bit for each job.
///
/// - Invariant: no job is done and has an entry. `entries` are in the order of their offsets.
struct JobBlock: Sendable {
  static let size = QueueBlock.mostJobs

  /// Empty while no job is done, and once all are.
  private(set) var done: [UInt64] = []
  private(set) var doneCount = 0
  private(set) var entries: [JobEntry] = []
  /// No entry's deadline is before this.
  private(set) var earliest: Int64 = .max
  /// How many entries are ready.
  private(set) var readyCount = 0

  var isAllDone: Bool { doneCount == Self.size }
  /// Whether nothing is known of any job in it.
  var isUntouched: Bool { doneCount == 0 && entries.isEmpty }

  func isDone(_ offset: Int) -> Bool {
    if isAllDone { return true }
    return !done.isEmpty && done[offset >> 6] & (1 << UInt64(offset & 63)) != 0
  }

  /// O(log entries).
  private func place(of offset: Int) -> Int {
    if let last = entries.last, Int(last.offset) < offset { return entries.count }
    return entries.partitioningIndex { Int($0.offset) >= offset }
  }

  func entry(_ offset: Int) -> JobEntry? {
    let place = place(of: offset)
    return place < entries.count && Int(entries[place].offset) == offset ? entries[place] : nil
  }

  /// O(entries) where jobs with higher numbers have entries; otherwise O(1).
  mutating func set(_ offset: Int, _ entry: JobEntry) {
    precondition(!isDone(offset), "a job that is done is not touched")
    var entry = entry
    entry.offset = UInt16(offset)
    let place = place(of: offset)
    if place < entries.count, Int(entries[place].offset) == offset {
      if entries[place].status == .ready { readyCount -= 1 }
      entries[place] = entry
    } else {
      entries.insert(entry, at: place)
    }
    if entry.status == .ready { readyCount += 1 }
    assert(place == 0 || entries[place - 1].offset < entry.offset, "entries are in the order of their offsets")
    assert(place + 1 == entries.count || entry.offset < entries[place + 1].offset, "entries are in order")
    if entry.isTimed { earliest = min(earliest, entry.deadline) }
  }

  /// Forgets what is known of a job.
  mutating func remove(_ offset: Int) {
    let place = place(of: offset)
    guard place < entries.count, Int(entries[place].offset) == offset else { return }
    if entries.remove(at: place).status == .ready { readyCount -= 1 }
    if entries.isEmpty { (entries, earliest) = ([], .max) }
  }

  mutating func markDone(_ offset: Int) {
    if isDone(offset) { return }
    remove(offset)
    if done.isEmpty { done = [UInt64](repeating: 0, count: Self.size / 64) }
    done[offset >> 6] |= 1 << UInt64(offset & 63)
    doneCount += 1
    assert(doneCount + entries.count <= Self.size, "no job is done and has an entry")
    if isAllDone { done = [] }
  }

  mutating func markAllDone() {
    (done, doneCount, entries, earliest, readyCount) = ([], Self.size, [], .max, 0)
  }

  /// The first job at or after an offset that is not done; the block's size if all are.
  func firstNotDone(from offset: Int) -> Int {
    if isAllDone { return Self.size }
    if done.isEmpty { return offset }
    var word = offset >> 6
    var bits = ~done[word] & (~0 << UInt64(offset & 63))
    while bits == 0 {
      word += 1
      if word == done.count { return Self.size }
      bits = ~done[word]
    }
    return word << 6 + bits.trailingZeroBitCount
  }

  /// The ready job with the lowest number; nil if no job is ready.
  var firstReady: Int? {
    readyCount == 0 ? nil : entries.first { $0.status == .ready }.map { Int($0.offset) }
  }

  /// The highest job that is done; nil if none is.
  var lastDone: Int? {
    if isAllDone { return Self.size - 1 }
    return done.lastIndex { $0 != 0 }.map { $0 << 6 + 63 - done[$0].leadingZeroBitCount }
  }

  /// Makes jobs ready that have reached their deadlines. O(entries) if any may have.
  mutating func release(by now: Int64) {
    if earliest > now { return }
    earliest = .max
    for place in entries.indices where entries[place].isTimed {
      if entries[place].deadline <= now {
        entries[place].status = .ready
        readyCount += 1
      } else {
        earliest = min(earliest, entries[place].deadline)
      }
    }
  }
}
