import CImmutaCRC32C

/// Several records' entries and bytes, read from the files in one piece each; the records view it.
///
/// Memory: encoded entries, then the log from the first record's index on. One allocation.
///
/// `@unchecked Sendable`: the memory is filled by one thread before anyone else sees it, and filled again only when
/// nobody else holds it.
struct Chunk: @unchecked Sendable {
  /// Bytes of the log read at once.
  static let size = 256 << 10
  /// A record up to this size is read into memory of its own where it doesn't fit a chunk; a larger one is mapped.
  static let largestRecord = 1 << 20

  /// Its header is its size.
  typealias Memory = ManagedBuffer<Int, UInt8>
  private(set) var memory: Memory
  // Halves of a word: a larger chunk would be copied by a call.
  private let capacityOfEntries: Int32
  private let capacityOfLog: Int32
  /// Number of the first record.
  let first: Int
  /// The number of the segment's first record: entries are numbered from there.
  private let base: Int
  /// Where in the log the first record begins.
  var start = 0
  /// Entries read; at least as many as there are records.
  var entryCount = 0
  /// Bytes of the log read, from the first record's index on.
  var logCount = 0
  /// Where the last record the chunk knows of may end at the latest.
  var end = 0
  /// The first records, as many as were found whole: handing them out (``ReadAhead``) takes no further look at them.
  private(set) var wholeCount = 0

  /// - Parameter old: a chunk whose memory is used again if nobody else holds it, and it has the room: the pages of
  ///   fresh memory cost more than reading into them.
  init(first: Int, base: Int, entryCapacity: Int, logCapacity: Int, reusing old: consuming Chunk? = nil) {
    precondition(first >= base && base >= 0 && entryCapacity > 0 && logCapacity >= 0, "a chunk has room for an entry")
    self.first = first
    self.base = base
    (capacityOfEntries, capacityOfLog) = (Int32(entryCapacity), Int32(logCapacity))
    let capacity = entryCapacity * CompanionEntry.size + logCapacity
    if var old, isKnownUniquelyReferenced(&old.memory), old.memory.header >= capacity {
      memory = old.memory
    } else {
      memory = .create(minimumCapacity: capacity) { _ in capacity }
    }
  }

  /// Keeps the memory in place.
  var owner: AnyObject { memory }

  /// Room for the entries.
  var entryBytes: UnsafeMutableRawBufferPointer {
    unsafe memory.withUnsafeMutablePointerToElements { elements in
      unsafe UnsafeMutableRawBufferPointer(start: elements, count: Int(capacityOfEntries) * CompanionEntry.size)
    }
  }

  /// Room for the log's bytes.
  var logBytes: UnsafeMutableRawBufferPointer {
    unsafe memory.withUnsafeMutablePointerToElements { elements in
      unsafe UnsafeMutableRawBufferPointer(
        start: elements + Int(capacityOfEntries) * CompanionEntry.size, count: Int(capacityOfLog))
    }
  }

  /// The entry at a position of the chunk; nil when it is damaged or not there.
  @inline(__always)
  func entry(at position: Int) -> CompanionEntry? {
    guard position < entryCount else { return nil }
    return unsafe CompanionEntry(
      decoding: UnsafeRawBufferPointer(entryBytes).companionEntry(position), number: first - base + position)
  }

  /// Finds out how many of the first records are whole. In one go, a processor works on several records at a time,
  /// which it cannot while each is handed out in between.
  mutating func checkAll(_ check: RecordCheck) {
    let log = unsafe UnsafeRawBufferPointer(rebasing: logBytes[..<logCount])
    var entry = entry(at: 0)
    // The last record's end is known only from its size field: it is checked more closely when it is taken.
    while let this = entry, let next = self.entry(at: wholeCount + 1) {
      // Entries of another log may lead anywhere, backwards too.
      let size = next.index - this.index - check.recordHeaderSize
      guard this.index >= start, size >= 0, next.index - start <= log.count else { return }
      let bytes = unsafe UnsafeRawBufferPointer(rebasing: log[this.index - start..<next.index - start])
      guard unsafe RecordHeader.size(in: bytes, check.format) == size else { return }
      if check.verifiesChecksums {
        guard unsafe crc32c_extend(0, bytes.baseAddress, bytes.count) == this.recordChecksum else { return }
      }
      wholeCount += 1
      entry = next
    }
  }

  /// How many entries to read with the next chunk, if its records are of the size of these: a few more than fit.
  func entriesWorthReading(_ format: LogFormat) -> Int {
    guard entryCount > 1, let base = entry(at: 0), let last = entry(at: entryCount - 1) else { return 64 }
    let perRecord = max(format.recordHeaderSize, (last.index - base.index) / (entryCount - 1))
    return min(4096, Self.size / perRecord * 9 / 8 + 16)
  }

  /// The entry of record `number`; nil when the chunk doesn't have it.
  func entry(of number: Int, _ check: RecordCheck) throws(ImmutaError) -> CompanionEntry? {
    guard number >= first, number < first + entryCount else { return nil }
    guard let entry = entry(at: number - first) else { throw check.entryDamaged(number) }
    return entry
  }

  /// Record `number`, checked; nil when the chunk doesn't hold all of it.
  func record(_ number: Int, _ check: RecordCheck) throws(ImmutaError) -> Record? {
    guard let entry = try entry(of: number, check) else { return nil }
    return try record(number, entry, self.entry(at: number - first + 1), check)
  }

  /// The same, by its entry and the next one's.
  ///
  /// - Parameter next: nil where it is damaged or not there. A damaged neighbour says nothing about where this record
  ///   ends; its own size field and checksum do.
  @inline(__always)
  func record(
    _ number: Int, _ entry: CompanionEntry, _ next: CompanionEntry?, _ check: RecordCheck
  ) throws(ImmutaError) -> Record? {
    let start = entry.index - start
    guard start >= 0, start + check.recordHeaderSize <= logCount else { return nil }
    let rest = unsafe UnsafeRawBufferPointer(rebasing: logBytes[start..<logCount])
    let size = try unsafe check.size(
      number, entry, in: rest, end: next?.index ?? end, isExact: next != nil)
    let count = check.recordHeaderSize + size
    guard count <= rest.count else { return nil }
    return try unsafe check.record(number, entry, UnsafeRawBufferPointer(rebasing: rest[..<count]), owner: owner)
  }
}
