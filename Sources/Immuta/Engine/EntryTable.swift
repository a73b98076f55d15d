import Locking

/// Where readers find the companion's entries: in its file, or, where a log is open for reading only and its companion
/// does not fit it, in memory.
enum EntryTable: Sendable {
  case file(DescriptorPool)
  case memory(EntryList)

  /// The same, held open for itself.
  func independent() throws(ImmutaError) -> EntryTable {
    switch self {
    case .file(let pool): .file(try pool.independent())
    case .memory: self
    }
  }

  /// Fills `bytes` with the entries from number `first` on, as many as there are; returns how many it filled.
  func read(_ bytes: UnsafeMutableRawBufferPointer, from first: Int) throws(ImmutaError) -> Int {
    switch self {
    case .file(let pool):
      let offset = CompanionHeader.size + first * CompanionEntry.size
      return try unsafe pool.descriptor(for: 0).read(into: bytes, at: offset) / CompanionEntry.size
    case .memory(let list):
      return unsafe list.read(bytes, from: first)
    }
  }

  /// How many of the entries in memory were made from the log's bytes; nil where they are in the companion, whose header
  /// tells.
  var madeCount: Int? {
    if case .memory(let list) = self { return list.madeCount }
    return nil
  }
}
