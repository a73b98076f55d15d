/// Several records' entries and bytes, read from the files in one piece each; the records view it.
///
/// Memory: `entryCount` encoded entries, then the log from the first record's index on. One allocation.
///
/// `@unchecked Sendable`: filled by one thread before anyone else sees it, never changed after.
struct Chunk: @unchecked Sendable {
  private let buffer: ManagedBuffer<Header, UInt8>

  /// What is in the memory.
  struct Header {
    /// Number of the first record.
    var first: Int
    /// Entries read; at least as many as there are records.
    var entryCount: Int
    /// Bytes of the log read, from the first record's index on.
    var logCount: Int
    /// Where the last record the chunk knows of may end at the latest.
    var end: Int
    /// How much there is room for.
    var entryCapacity: Int
    var logCapacity: Int
  }

  init(first: Int, entryCapacity: Int, logCapacity: Int) {
    buffer = .create(minimumCapacity: entryCapacity * CompanionEntry.size + logCapacity) { _ in
      Header(
        first: first, entryCount: 0, logCount: 0, end: 0, entryCapacity: entryCapacity, logCapacity: logCapacity)
    }
  }

  var header: Header {
    get { buffer.header }
    nonmutating set { buffer.header = newValue }
  }

  /// What keeps the memory in place.
  var owner: AnyObject { buffer }

  /// Room for the entries.
  var entryBytes: UnsafeMutableRawBufferPointer {
    unsafe buffer.withUnsafeMutablePointers { header, elements in
      unsafe UnsafeMutableRawBufferPointer(
        start: elements, count: header.pointee.entryCapacity * CompanionEntry.size)
    }
  }

  /// Room for the log's bytes.
  var logBytes: UnsafeMutableRawBufferPointer {
    unsafe buffer.withUnsafeMutablePointers { header, elements in
      unsafe UnsafeMutableRawBufferPointer(
        start: elements + header.pointee.entryCapacity * CompanionEntry.size, count: header.pointee.logCapacity)
    }
  }

  /// The entry at a position of the chunk; nil when it is damaged or not there.
  func entry(at position: Int) -> CompanionEntry? {
    guard position < header.entryCount else { return nil }
    let start = position * CompanionEntry.size
    return unsafe CompanionEntry(
      decoding: UnsafeRawBufferPointer(rebasing: entryBytes[start..<start + CompanionEntry.size]),
      number: header.first + position)
  }

  /// How many entries to read with the next chunk, if its records are of the size of these: a few more than fit.
  var entriesWorthReading: Int {
    guard header.entryCount > 1, let base = entry(at: 0), let last = entry(at: header.entryCount - 1) else { return 64 }
    let perRecord = max(LogFormat.recordHeaderSize, (last.index - base.index) / (header.entryCount - 1))
    return min(4096, LogReader.chunkSize / perRecord * 9 / 8 + 16)
  }

  /// Record `number`, checked; nil when the chunk doesn't hold all of it.
  func record(_ number: Int, _ check: RecordCheck) throws(ImmutaError) -> Record? {
    let position = number - header.first
    guard position >= 0, position < header.entryCount else { return nil }
    guard let base = self.entry(at: 0), let entry = self.entry(at: position) else { throw check.entryDamaged(number) }
    // A damaged neighbour says nothing about where this record ends; its own size field and checksum do.
    let next = self.entry(at: position + 1)
    let start = entry.index - base.index
    guard start >= 0, start + LogFormat.recordHeaderSize <= header.logCount else { return nil }
    let rest = unsafe UnsafeRawBufferPointer(rebasing: logBytes[start..<header.logCount])
    let size = try unsafe check.size(
      number, entry, in: rest, end: next?.index ?? header.end, isExact: next != nil)
    let count = LogFormat.recordHeaderSize + size
    guard count <= rest.count else { return nil }
    return try unsafe check.record(number, entry, UnsafeRawBufferPointer(rebasing: rest[..<count]), owner: owner)
  }
}
