/// The last entries known of a log that another process may write. If one of them is not on file any more, or another is in its
/// place, the log is not the one that was read: its new records do not continue the known ones.
struct Anchors {
  /// Number of the first of them.
  private(set) var first = 0
  /// In order; nil for one that was damaged.
  private(set) var entries: [CompanionEntry?] = []

  /// As many as one short read brings.
  private static var most: Int { 64 }
  /// Bytes of the log that are read for them where they are made: or one record.
  private static var mostBytes: Int { 4 << 20 }

  init() {}

  /// The entries before record `count`.
  init(before count: Int, in reader: LogReader) throws(ImmutaError) {
    try move(before: count, in: reader)
  }

  /// Records that are known.
  private var count: Int { first + entries.count }

  /// Takes the entries before record `count` instead.
  mutating func move(before count: Int, in reader: LogReader) throws(ImmutaError) {
    guard let own = reader.ownEntries else {
      first = max(reader.first, count - Self.most)
      entries = try reader.entries(first..<count)
      return
    }
    let base = reader.first
    let first = try base + own.firstOfLast(Self.most, before: count - base, bytes: Self.mostBytes)
    // Known entries stay as they were: they cannot be made again.
    if first <= self.count, self.count <= count, !entries.isEmpty {
      let from = max(first, self.first)
      entries = Array(entries[(from - self.first)...]) + (try reader.entries(self.count..<count))
      self.first = from
    } else {
      entries = try reader.entries(first..<count)
      self.first = first
    }
  }

  /// The last of them, by its number; nil where there are none.
  var last: (number: Int, entry: CompanionEntry?)? { entries.last.map { (count - 1, $0) } }

  /// The anchor for record `number`. Nil if that record is not among the anchors, or if its entry was damaged.
  func entry(of number: Int) -> CompanionEntry? {
    let position = number - first
    return entries.indices.contains(position) ? entries[position] : nil
  }

  /// Whether the last one is still on file, or, if the log has no companion, whether its record is still in the log.
  func hold(in reader: LogReader) throws(ImmutaError) -> Bool {
    assert(entries.count <= Self.most, "they are few")
    guard let last = entries.last else { return true }
    if reader.hasOwnEntries {
      guard let last else { return true }
      return try reader.isInLog(last)
    }
    return try reader.entries(count - 1..<count).first == last
  }

  /// Whether all of them are on file still.
  func areAll(in reader: LogReader) throws(ImmutaError) -> Bool {
    try reader.entries(first..<count) == entries
  }

  /// How many records of another reader are the known ones, if the two are states of one log: if a record is the same, all before
  /// it are. 0 if all anchors differ.
  func sharedUpToLast(
    with reader: LogReader, _ isSame: (CompanionEntry, CompanionEntry) -> Bool
  ) throws(ImmutaError) -> Int {
    try pairs(with: reader).last { isSame($0.known, $0.found) }.map { $0.number + 1 } ?? 0
  }

  /// The same where the two are different logs, and the anchors begin with the first record.
  func sharedFromFirst(
    with reader: LogReader, _ isSame: (CompanionEntry, CompanionEntry) -> Bool
  ) throws(ImmutaError) -> Int {
    var shared = 0
    for pair in try pairs(with: reader) {
      guard pair.number == shared, isSame(pair.known, pair.found) else { break }
      shared += 1
    }
    return shared
  }

  /// The same if it is unknown whether both are the same log, but both are the present and a past content of one file: then the
  /// last records stand for all before them. 0 if too few of them are the same.
  func sharedInFile(
    with reader: LogReader, _ isSame: (CompanionEntry, CompanionEntry) -> Bool
  ) throws(ImmutaError) -> Int {
    if first == 0 { return try sharedFromFirst(with: reader, isSame) }
    let pairs = try pairs(with: reader)
    let same = pairs.prefix { isSame($0.known, $0.found) }
    guard let last = same.last, same.count == pairs.count || same.count >= Self.most / 2 else { return 0 }
    return last.number + 1
  }

  /// The entries that are whole both here and in another reader.
  private func pairs(
    with reader: LogReader
  ) throws(ImmutaError) -> [(number: Int, known: CompanionEntry, found: CompanionEntry)] {
    let end = min(count, reader.count)
    let start = max(first, reader.first)
    guard end > start else { return [] }
    let found = try reader.entries(start..<end)
    return zip(entries[(start - first)...], found).enumerated().compactMap { position, pair in
      guard let known = pair.0, let found = pair.1 else { return nil }
      return (start + position, known, found)
    }
  }
}

extension LogReader {
  /// Whether a record's bytes are where an entry says, and have its checksum. Of a large one only the size is looked at.
  func isInLog(_ entry: CompanionEntry) throws(ImmutaError) -> Bool {
    let descriptor = try anyDescriptor()
    guard let end = try descriptor.recordEnd(at: entry.index, format) else { return false }
    let size = end - entry.index
    if size > Self.largestInMemory { return true }
    var bytes = [UInt8](repeating: 0, count: size)
    return try unsafe bytes.withMutableBytes { (bytes) throws(ImmutaError) in
      guard try unsafe io(descriptor.read(into: bytes, at: entry.index) == size) else { return false }
      return unsafe entry.fits(RecordCheck.checksum(UnsafeRawBufferPointer(bytes)))
    }
  }
}
