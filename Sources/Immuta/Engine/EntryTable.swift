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
}

/// Encoded entries in memory.
final class EntryList: Sendable {
  private let bytes = Lock<[UInt8]>([])

  var count: Int { bytes.withLock { $0.count / CompanionEntry.size } }

  /// Adds the next record's entry; nil for one that is damaged, and stays so.
  func append(_ entry: CompanionEntry?) {
    bytes.withLock { bytes in
      let number = bytes.count / CompanionEntry.size
      let start = bytes.count
      bytes.append(contentsOf: repeatElement(0, count: CompanionEntry.size))
      unsafe bytes.withMutableBytes { bytes in
        unsafe entry?.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[start...]), number: number)
      }
    }
  }

  func read(_ target: UnsafeMutableRawBufferPointer, from first: Int) -> Int {
    bytes.withLock { bytes in
      let start = first * CompanionEntry.size
      guard start < bytes.count else { return 0 }
      let count = min(target.count, bytes.count - start) / CompanionEntry.size
      unsafe target.copyBytes(from: bytes[start..<start + count * CompanionEntry.size])
      return count
    }
  }
}
