import ImmutaLocking

/// Where readers find the entries of a segment's records, by the records' numbers in the log: in the companion's file, or,
/// where a log is open for reading only and its companion does not fit it, by the log's size fields.
struct EntryTable: Sendable {
  /// The number of the segment's first record. Numbers on file count from there.
  let first: Int
  let source: Source

  enum Source: Sendable {
    case file(DescriptorPool)
    case walked(WalkedEntries)
  }

  /// Fills `bytes` with the entries from number `number` on, as many as exist; returns how many it filled. If entries are made,
  /// at most those of one chunk of the log.
  func read(_ bytes: UnsafeMutableRawBufferPointer, from number: Int) throws(ImmutaError) -> Int {
    switch source {
    case .file(let pool):
      let offset = CompanionEntry.offset(of: number - first)
      return try unsafe io(pool.descriptor(for: 0).read(into: bytes, at: offset) / CompanionEntry.size)
    case .walked(let entries):
      return try numbered(from: first) { () throws(ImmutaError) in
        try unsafe entries.read(bytes, from: number - first)
      }
    }
  }

  /// Where the companion does not have them.
  var walked: WalkedEntries? {
    if case .walked(let entries) = source { return entries }
    return nil
  }
}

/// Calls `body`, which numbers records from the first of a segment, and has its errors name them by their numbers in the
/// log.
func numbered<R>(from first: Int, _ body: () throws(ImmutaError) -> R) throws(ImmutaError) -> R {
  do throws(ImmutaError) {
    return try body()
  } catch .corrupted(var damage) {
    damage.sequence = damage.sequence.map { $0 + first }
    throw .corrupted(damage)
  }
}
