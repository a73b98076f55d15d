/// Writes entries to a companion one after the other, a megabyte at a time, and counts those that were made.
struct EntryWriter {
  private let companion: Descriptor
  private(set) var number: Int
  private(set) var madeCount = 0
  private var buffer: [UInt8] = []
  private var offset: Int

  private static let mostBuffered = 1 << 20

  /// - Parameter first: the number of the first entry that is written.
  init(_ companion: Descriptor, from first: Int) {
    self.companion = companion
    number = first
    offset = CompanionEntry.offset(of: first)
  }

  /// Adds the next record's entry; nil leaves one that is damaged.
  mutating func append(_ entry: CompanionEntry?) throws(ImmutaError) {
    let start = buffer.count
    buffer.append(contentsOf: repeatElement(0, count: CompanionEntry.size))
    if let entry {
      if entry.isMade { madeCount += 1 }
      let number = number
      unsafe buffer.withMutableBytes { bytes in
        unsafe entry.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[start...]), number: number)
      }
    }
    number += 1
    if buffer.count >= Self.mostBuffered { try writeBuffered() }
  }

  /// Writes what was added since the last time: to be called at the end.
  mutating func writeBuffered() throws(ImmutaError) {
    if buffer.isEmpty { return }
    try io(companion.write(buffer, at: offset))
    offset += buffer.count
    buffer.removeAll(keepingCapacity: true)
  }
}
