import ImmutaLocking

/// Where readers find the entries of records: in the companion's file, or, where a log is open for reading only and its
/// companion does not fit it, by the log's size fields.
enum EntryTable: Sendable {
  case file(DescriptorPool)
  case walked(WalkedEntries)

  /// Fills `bytes` with the entries from number `first` on, as many as there are; returns how many it filled. Where they
  /// are made, those of one chunk of the log at most.
  func read(_ bytes: UnsafeMutableRawBufferPointer, from first: Int) throws(ImmutaError) -> Int {
    switch self {
    case .file(let pool):
      let offset = CompanionEntry.offset(of: first)
      return try unsafe io(pool.descriptor(for: 0).read(into: bytes, at: offset) / CompanionEntry.size)
    case .walked(let entries):
      return try unsafe entries.read(bytes, from: first)
    }
  }

  /// Where the companion does not have them.
  var walked: WalkedEntries? {
    if case .walked(let entries) = self { return entries }
    return nil
  }
}
