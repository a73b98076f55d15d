import CImmutaCRC32C

/// One log file with its companion as their one writer sees them, and the records that were appended but not committed yet.
///
/// ```
/// log        | header | committed records | staged records | open record | reserved …
///                                         ^ tail           ^ stagedEnd
/// companion  | header | an entry per committed record      | reserved …
/// ```
///
/// Invariants: `tail` is the end of the last committed record; staged records lie between `tail` and `stagedEnd`, one after
/// the other, and have no entries in the companion, so nothing on disk knows of them; whenever a record has been staged,
/// both files have room for all that committing it writes.
struct SegmentWriter: ~Copyable, Sendable {
  var files: SegmentFiles
  /// The number of its first record.
  private(set) var first: Int
  /// Its committed records.
  private(set) var count: Int
  /// End of the last committed record.
  private(set) var tail: Int
  private var staged = StagedRecords()
  /// End of the last staged record; `tail` where nothing is staged.
  private(set) var stagedEnd: Int
  private var open: OpenRecord?
  /// How far the segment is on its way from opening to appending.
  var phase = Phase.opened
  let keeper: CompanionKeeper
  private(set) var names: NameCheck
  private(set) var location: LogFiles
  /// See ``Directory/noteNames()``.
  let namesNoted: Int

  /// From opening to appending. A marked segment stays marked until it is sealed.
  enum Phase {
    /// As it was found. The companion says that the log is closed.
    case opened
    /// The companion says, on stable storage, that the log is open; nothing else was written.
    case marked
    /// Ready to be appended to.
    case prepared
    /// It was appended to, and has let go of its files.
    case resting

    /// Whether the companion says, on stable storage, that the log is open.
    var isMarked: Bool { self != .opened }
    /// Whether the files may have been written to since they were marked.
    var mayHaveWritten: Bool { self == .prepared || self == .resting }
  }

  /// A record whose payload is still coming.
  private struct OpenRecord {
    var size = 0
    /// Of the payload so far.
    var checksum: UInt32 = 0
    /// The format's own, where it has one.
    var payloadChecksum: UInt32 = 0
  }

  /// Where the bytes of a record are that nobody knows of yet.
  struct Written {
    let index: Int
    let size: Int
    let checksum: UInt32
  }

  init(
    files: consuming SegmentFiles, keeper: CompanionKeeper, names: NameCheck, location: LogFiles, count: Int, end: Int
  ) {
    self.files = files
    self.keeper = keeper
    self.names = names
    self.location = location
    namesNoted = location.directory.noteNames()
    first = location.first
    self.count = count
    tail = end
    stagedEnd = end
  }

  /// The number, in the log, of the first record that is not committed.
  var endNumber: Int { first + count }

  /// The number, in the log, of the record that is staged next.
  var nextNumber: Int { first + count + staged.count }

  /// The segment, which is ready to be appended to and has no record yet, gets its name and its first record's number.
  mutating func take(_ location: LogFiles, _ names: NameCheck) {
    precondition(count == 0 && !hasStaged && phase == .prepared, "a segment is named before it is used")
    (self.location, self.names, first) = (location, names, location.first)
  }

  // MARK: Staging

  /// Writes a whole record after the staged ones; nobody knows of it yet.
  @inline(__always)
  mutating func write(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Written {
    precondition(phase == .prepared, "appending to a log that is not marked as open")
    precondition(open == nil, "a record is still being written")
    let index = stagedEnd
    let method = SegmentFiles.Method(bytes.count)
    try files.makeRoom(at: index, payload: bytes.count, method, entries: count + staged.count + 1)
    let checksum = try unsafe files.storeRecord(bytes, at: index, method)
    return Written(index: index, size: bytes.count, checksum: checksum)
  }

  /// Adds a whole record after the staged ones.
  @inline(__always)
  mutating func stage(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt {
    if staged.isDue { try staged.spill(beside: location) }
    return finishStaging(try unsafe write(bytes))
  }

  mutating func beginRecord() throws(ImmutaError) {
    precondition(phase == .prepared, "appending to a log that is not marked as open")
    precondition(open == nil, "a record is still being written")
    if staged.isDue { try staged.spill(beside: location) }
    try files.makeRoom(at: stagedEnd, payload: 0, .copied, entries: count + staged.count + 1)
    open = OpenRecord()
  }

  mutating func extendRecord(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) {
    precondition(phase == .prepared, "appending to a log that is not marked as open")
    guard var record = open else { preconditionFailure("no record is being written") }
    guard bytes.count > 0 else { return }
    let (size, overflow) = record.size.addingReportingOverflow(bytes.count)
    if overflow { throw .recordTooLarge }
    let method = SegmentFiles.Method(bytes.count)
    try files.makeRoom(at: stagedEnd, payload: size, method, entries: count + staged.count + 1)
    let offset = stagedEnd + files.recordHeaderSize + record.size
    unsafe record.checksum = crc32c_extend(record.checksum, bytes.baseAddress, bytes.count)
    if files.format.hasPayloadChecksum {
      record.payloadChecksum = unsafe RecordHeader.extend(record.payloadChecksum, bytes)
    }
    try unsafe files.storePart(bytes, at: offset, method)
    record.size = size
    open = record
  }

  mutating func endRecord() throws(ImmutaError) -> Receipt {
    guard let record = open else { preconditionFailure("no record is being written") }
    let index = stagedEnd
    let header = RecordHeader(files.format, size: record.size, payloadChecksum: record.payloadChecksum)
    try files.storeHeader(of: header, at: index)
    open = nil
    let checksum = crc32c_combine(header.checksum, record.checksum, record.size)
    return finishStaging(Written(index: index, size: record.size, checksum: checksum))
  }

  mutating func abandonRecord() {
    open = nil
  }

  @inline(__always)
  private mutating func finishStaging(_ record: Written) -> Receipt {
    assert(record.index == stagedEnd, "staged records lie one after the other")
    let receipt = Receipt(sequence: nextNumber, index: record.index, size: record.size)
    staged.append(StagedRecord(index: record.index, checksum: record.checksum))
    stagedEnd = record.index + files.recordHeaderSize + record.size
    return receipt
  }

  /// Takes back the staged records.
  mutating func rollBack() {
    open = nil
    if stagedEnd != tail || !staged.isEmpty {
      staged.removeAll()
      stagedEnd = tail
    }
    files.giveBackOutsized(beyond: tail)
  }

  // MARK: Committing

  /// Commits a record that was just written, where nothing is staged: as `stage` and `commit`, without a list in between.
  @inline(__always)
  mutating func commit(_ record: Written, at time: Int64) throws(ImmutaError) -> Receipt {
    precondition(staged.isEmpty, "something is staged")
    assert(record.index == tail, "a record begins where the last one ends")
    stagedEnd = record.index + files.recordHeaderSize + record.size
    let receipt = Receipt(sequence: first + count, index: record.index, size: record.size)
    try commit(1, lastIndex: record.index) { (segment) throws(ImmutaError) in
      let entry = CompanionEntry(
        index: record.index, time: time, recordChecksum: record.checksum, endsCommit: true)
      try segment.files.storeEntry(entry, number: segment.count)
    }
    return receipt
  }

  /// Commits the staged records; false if there are none.
  @inline(__always)
  mutating func commit(at time: Int64) throws(ImmutaError) {
    precondition(open == nil, "a record is still being written")
    guard let last = staged.last else { return }
    precondition(last.index >= tail && last.index < stagedEnd, "what is staged lies after what is committed")
    try commit(staged.count, lastIndex: last.index) { (segment) throws(ImmutaError) in
      try segment.storeEntries(time)
    }
    staged.removeAll()
  }

  /// The staged records, for a step's intent: where they lie, and the checksum of their checksums.
  func stagedPart() throws(ImmutaError) -> (bytes: Range<Int>, checksum: UInt32) {
    var checksum: UInt32 = 0
    for first in stride(from: 0, to: staged.spilledCount, by: StagedRecords.pieceCount) {
      for record in try staged.spilled(from: first) {
        checksum = StepIntent.LogPart.extend(checksum, with: record.checksum)
      }
    }
    for record in staged.latest { checksum = StepIntent.LogPart.extend(checksum, with: record.checksum) }
    return (tail..<stagedEnd, checksum)
  }

  /// Whether there is anything to commit.
  var hasStaged: Bool { !staged.isEmpty }

  var stagedCount: Int { staged.count }

  /// Makes `added` records part of the log. The commit is the last store, of COUNT: a reader that sees it sees everything stored
  /// before.
  @inline(__always)
  private mutating func commit(
    _ added: Int, lastIndex: Int, storingEntries: (inout Self) throws(ImmutaError) -> Void
  ) throws(ImmutaError) {
    do {
      try storingEntries(&self)
      try files.storeCount(count + added, lastIndex: lastIndex)
    } catch {
      files.fail(error)
      throw error
    }
    count += added
    tail = stagedEnd
  }

  @inline(__always)
  private mutating func storeEntries(_ time: Int64) throws(ImmutaError) {
    if staged.spilledCount > 0 { try storeSpilledEntries(time) }
    assert(staged.latest.areInOrder(from: tail), "staged records lie one after the other")
    try files.storeEntries(of: staged.latest, from: count + staged.spilledCount, time, endCommit: true)
  }

  /// The entries that are not held in memory, a piece at a time. The commit's last entry is not among them.
  @inline(never)
  private mutating func storeSpilledEntries(_ time: Int64) throws(ImmutaError) {
    for first in stride(from: 0, to: staged.spilledCount, by: StagedRecords.pieceCount) {
      let records = try staged.spilled(from: first)
      assert(records.areInOrder(from: tail), "staged records lie one after the other")
      try files.storeEntries(of: records, from: count + first, time, endCommit: false)
    }
  }

  // MARK: Whether it may go on

  @inline(__always)
  func checkUsable() throws(ImmutaError) { try files.checkUsable() }

  var failure: ImmutaError? { files.failure }

  /// Nothing may be appended any more, for this reason.
  mutating func fail(_ error: ImmutaError) { files.fail(error) }
}

extension [StagedRecord] {
  /// Whether each begins after the one before, and the first not before `start`.
  fileprivate func areInOrder(from start: Int) -> Bool {
    (first?.index ?? start) >= start && zip(self, dropFirst()).allSatisfy { $0.index < $1.index }
  }
}
