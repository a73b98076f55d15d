import ImmutaLocking
import Solid
import Synchronization

/// The reading side of a segment: finds, reads and checks its committed records, by their numbers in the log. Any number of
/// threads at once.
final class LogReader: Sendable {
  let format: LogFormat
  let check: RecordCheck
  /// Of the log, beyond this segment.
  let progress: LogProgress
  /// See ``LogProgress/committed``; at hand.
  let committed: Broadcaster
  /// The number of the segment's first record.
  let first: Int
  /// Where the segment's records end by number; unknown while it is the newest one. Stored, releasing, before a record of the
  /// next segment is committed: a reader that has seen such a record in `committed` sees it.
  private let limit = Atomic(Int.max)
  /// Where the last committed record ends. Stored, releasing, before `committed` is advanced: a reader that has seen a record's
  /// number in `committed` sees an end after that record.
  let committedEnd: Atomic<Int>
  private let log: DescriptorPool
  private let entries: Lock<EntryTable>
  /// Changed by the writer before it commits a record that lies in the new windows.
  private let tail = Lock<TailWindows?>(nil)

  /// Whose log it is, if anything on file says so.
  let identity: LogIdentity?
  /// Its place among the readers of a log whose files change.
  var lineage: Lineage { progress.lineage }
  /// Whether records too large for memory are mapped: not where another program may cut the file short.
  private let mapsLargeRecords: Bool

  /// A record up to this size is read into memory of its own where it doesn't fit a chunk; a larger one is mapped.
  static let largestInMemory = Chunk.largestRecord

  init(
    format: LogFormat, check: RecordCheck, progress: LogProgress, end: Int, log: DescriptorPool,
    entries: EntryTable.Source, identity: LogIdentity?, mapsLargeRecords: Bool
  ) {
    self.identity = identity
    self.progress = progress
    first = check.first
    self.mapsLargeRecords = mapsLargeRecords
    self.format = format
    self.check = check
    self.log = log
    self.entries = Lock(EntryTable(first: check.first, source: entries))
    committed = progress.committed
    committedEnd = Atomic(end)
  }

  /// The number of the first record after the committed ones; after the segment's records, once it is sealed.
  var count: Int { min(committed.generation, limit.load(ordering: .acquiring)) }

  /// Records of the segment.
  var ownCount: Int { count - first }

  /// Whether record `number` is one of another segment.
  @inline(__always)
  func isElsewhere(_ number: Int) -> Bool { number < first || number >= limit.load(ordering: .acquiring) }

  /// Whether no record comes any more.
  var isSealed: Bool { limit.load(ordering: .acquiring) < .max }

  /// The segment has no record from this number on.
  func seal(at end: Int) {
    limit.store(end, ordering: .releasing)
  }

  /// Where the last of at least `count` committed records ends. Acquiring: pairs with the writer's releasing store.
  var end: Int { committedEnd.load(ordering: .acquiring) }

  /// Raises the end: several callers may have found different ends; the furthest is right.
  func raiseEnd(to end: Int) {
    committedEnd.max(end, ordering: .acquiringAndReleasing)
  }

  var windows: TailWindows? { tail.withLock { $0 } }

  func show(_ windows: TailWindows?) {
    tail.withLock { $0 = windows }
  }

  /// Readers find their entries there from now on.
  func replaceEntries(_ source: EntryTable.Source) {
    entries.withLock { $0 = EntryTable(first: first, source: source) }
  }

  /// Makes the entries, if no companion has them.
  var ownEntries: WalkedEntries? { entries.withLock { $0 }.walked }

  /// Whether no companion has the entries.
  var hasOwnEntries: Bool { ownEntries != nil }

  /// The entries of records, as far as there are any; nil for one that is damaged.
  func entries(_ range: Range<Int>) throws(ImmutaError) -> [CompanionEntry?] {
    var bytes = [UInt8](repeating: 0, count: range.count * CompanionEntry.size)
    let table = entries.withLock { $0 }
    let count = try unsafe bytes.withMutableBytes { (bytes) throws(ImmutaError) -> Int in
      var count = 0
      while count < range.count {
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[(count * CompanionEntry.size)...])
        let more = try unsafe table.read(rest, from: range.lowerBound + count)
        if more == 0 { break }
        count += more
      }
      return count
    }
    return unsafe bytes.withBytes { bytes in
      (0..<count).map { position in
        unsafe CompanionEntry(
          decoding: bytes.companionEntry(position), number: range.lowerBound + position - first)
      }
    }
  }

  /// The descriptors that reads go through.
  var pools: [DescriptorPool] {
    if case .file(let pool) = entries.withLock({ $0.source }) { return [log, pool] }
    return [log]
  }

  /// Wakes all waiters, and closes the descriptors: every later call on a reader of the log throws.
  func close() {
    progress.markClosed()
    committed.close()
    letGo()
  }

  /// Lets go of the descriptors, for good.
  func letGo() {
    for pool in pools { pool.close() }
    // Entries that are made hold the log's file. Who asks for one later gets what a closed pool says.
    entries.withLock { entries in
      if entries.walked != nil { entries = EntryTable(first: first, source: .file(log)) }
    }
    show(nil)
  }

  @inline(__always)
  var isOpen: Bool { progress.isOpen }

  func checkOpen() throws(ImmutaError) {
    if !isOpen { throw .storageClosed }
  }

  /// One record, wherever it is.
  func record(_ number: Int, reader: Int) throws(ImmutaError) -> Record {
    try checkOpen()
    let count = count
    guard number >= first, number < count else { throw .recordNotFound(number) }
    if let windows,
      let record = try windows.record(number, committedEnd: end, check)
    {
      return record
    }
    switch try read(number, count: count, most: 1, reader: reader) {
    case .single(let record, _): return record
    case .chunk(let chunk, let entry, let next):
      guard let record = try chunk.record(number, entry, next, check) else {
        throw check.corrupted(.cutShort, number, entry.index, "the log ends inside it")
      }
      return record
    }
  }

  /// How many of the entries are made from the log's bytes; nil if the companion's header has the number.
  var madeCount: Int? { ownEntries?.madeCount }

  /// A descriptor of the log, opened if none is.
  func anyDescriptor() throws(ImmutaError) -> Descriptor {
    try checkOpen()
    return try io(log.descriptor(for: 0))
  }

  /// The header as it is on file; nil where the format has none.
  func header() throws(ImmutaError) -> LogHeader? {
    try io(log.descriptor(for: 0)).logHeader(format)
  }

  /// When record `number`, which is committed, was committed.
  func timestamp(of number: Int) throws(ImmutaError) -> Timestamp {
    if let own = ownEntries {
      // Not its entry, which takes as long as reading the record.
      guard let time = try own.time(of: number - first) else { throw check.entryDamaged(number) }
      return Timestamp(nanosecondsSince1970: time)
    }
    return Timestamp(nanosecondsSince1970: try entry(of: number).time)
  }

  /// The entry of record `number`, which is committed.
  func entry(of number: Int) throws(ImmutaError) -> CompanionEntry {
    var bytes = [UInt8](repeating: 0, count: CompanionEntry.size)
    let count = try unsafe bytes.withMutableBytes { (bytes) throws(ImmutaError) in
      try unsafe entries.withLock { $0 }.read(bytes, from: number)
    }
    guard count == 1 else { throw check.entryDamaged(number) }
    return try unsafe bytes.withBytes { (bytes) throws(ImmutaError) in
      try unsafe check.entry(number, bytes)
    }
  }

  /// Calls `body` with records from `start` on, of those before `end`, checked by `check`, as many as one read brings and at least
  /// one; an error is the first one's. One at a time: with a codec each takes memory of its own. `isMade` says whether a record's
  /// checksum was made from the log's bytes rather than taken when it was appended.
  func check(
    from start: Int, to end: Int, count: Int, _ check: RecordCheck,
    _ body: (Record, _ isMade: Bool) throws(ImmutaError) -> Void
  ) throws(ImmutaError) {
    switch try read(start, count: count, most: 1024, reader: 0, check: check) {
    case .single(let record, let entry): try body(record, entry.isMade)
    case .chunk(let chunk, _, _):
      var number = start
      while number < end, let record = try chunk.record(number, check) {
        try body(record, chunk.entry(at: number - start)?.isMade ?? false)
        number += 1
      }
      if number == start { throw check.corrupted(.cutShort, start, chunk.start, "the log ends inside it") }
    }
  }

  /// The result of one read.
  enum Batch {
    /// With the entries of the first record and of the next one, as far as they are whole.
    case chunk(Chunk, CompanionEntry, CompanionEntry?)
    /// With its entry.
    case single(Record, CompanionEntry)
  }

  /// Reads record `number`, of `count` committed ones, and up to `most` in all, as far as they fit a chunk.
  func read(
    _ number: Int, count: Int, most: Int, reader: Int, check: RecordCheck? = nil, reusing old: consuming Chunk? = nil
  ) throws(ImmutaError) -> Batch {
    let check = check ?? self.check
    try checkOpen()
    let committedEnd = end
    // One entry more than records wanted: it shows where the last of them ends.
    let entryCapacity = min(most + 1, count - number)
    // Behind the committed end there is nothing to read; a single record is read once its size is known.
    let logCapacity = most == 1 ? 4096 : max(0, min(Chunk.size, committedEnd - format.headerSize))
    var chunk = Chunk(first: number, base: first, entryCapacity: entryCapacity, logCapacity: logCapacity, reusing: old)
    chunk.entryCount = try unsafe entries.withLock { $0 }.read(chunk.entryBytes, from: number)
    guard let entry = chunk.entry(at: 0) else { throw check.entryDamaged(number) }
    chunk.start = entry.index
    chunk.end = committedEnd

    // As far as the entries reach within the chunk; after the last of them, as far as the chunk goes.
    let next = chunk.entry(at: 1)
    let length = (next?.index ?? committedEnd) - entry.index
    if length > logCapacity {
      return try readAlone(number, entry, end: next?.index ?? committedEnd, isExact: next != nil, reader: reader, check)
    }
    let wanted = most == 1 ? length : min(logCapacity, committedEnd - entry.index)
    let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: chunk.logBytes[..<max(0, wanted)])
    chunk.logCount = try unsafe io(log.descriptor(for: reader).read(into: bytes, at: entry.index))
    return .chunk(chunk, entry, next)
  }

  /// Reads a record that may not fit an ordinary chunk.
  private func readAlone(
    _ number: Int, _ entry: CompanionEntry, end: Int, isExact: Bool, reader: Int, _ check: RecordCheck
  ) throws(ImmutaError) -> Batch {
    let descriptor = try io(log.descriptor(for: reader))
    var sizeField = [UInt8](repeating: 0, count: format.recordHeaderSize)
    let count = try unsafe sizeField.withMutableBytes { (bytes) throws(ImmutaError) in
      try unsafe io(descriptor.read(into: bytes, at: entry.index))
    }
    let size = try unsafe sizeField.withBytes { (bytes) throws(ImmutaError) in
      try unsafe check.size(
        number, entry, in: UnsafeRawBufferPointer(rebasing: bytes[..<count]), end: end, isExact: isExact)
    }
    if size > Self.largestInMemory {
      let record =
        mapsLargeRecords
        ? try LargeRecord.read(number, entry, size: size, from: descriptor, check)
        : try FilePayload.record(number, entry, size: size, from: descriptor, check)
      return .single(record, entry)
    }
    return .single(
      try LargeRecord.readWhole(number, entry, size: size, from: descriptor, check), entry)
  }
}
