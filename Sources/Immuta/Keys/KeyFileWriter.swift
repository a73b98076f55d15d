/// Writes the file with a segment's keys, in bounded memory beyond what ``MemoryKeys`` takes: 4 bytes a record, and 4 MiB.
struct KeyFileWriter {
  let keys: MemoryKeys
  let owner: KeyFileHeader.Owner
  /// Entries of a range of the segment's records.
  let entries: (Range<Int>) throws(ImmutaError) -> [CompanionEntry?]

  /// How many postings are sorted at once: 16 MiB.
  private static var postingsAtOnce: Int { 1 << 19 }
  private static var entriesAtOnce: Int { 4096 }

  /// False if an entry is damaged: then the written file must not be used.
  func write(to file: Descriptor) throws(ImmutaError) -> Bool {
    var header = KeyFileHeader(.segment, owner, first: keys.first, count: keys.next.count)
    guard header.count > 0, let last = try entries(keys.end - 1..<keys.end).first ?? nil else { return false }
    header.last = KeyFileHeader.Anchor(last)
    let order = keys.groups.indices.sorted { left, right in
      let (left, right) = (keys.groups[left], keys.groups[right])
      return (left.hash, left.first) < (right.hash, right.first)
    }
    // For each record, where its posting is.
    var places = [UInt32](repeating: MemoryKeys.none, count: header.count)
    var slots = PieceWriter(file, at: KeyFileHeader.size, size: KeySlot.size)
    var place = 0
    for (number, group) in order.enumerated() {
      let group = keys.groups[group]
      let slot = KeySlot(hash: group.hash, place: place, count: Int(group.count))
      try unsafe slots.append { (bytes) in unsafe slot.encode(into: bytes, at: number) }
      var record = group.first
      while record != MemoryKeys.none {
        places[Int(record)] = UInt32(place)
        place += 1
        record = keys.next[Int(record)]
      }
    }
    try slots.finish()
    precondition(place + keys.unreadable.count <= header.count, "a record has one posting at most")
    header.groups = order.count
    header.postings = place + keys.unreadable.count
    header.unreadable = keys.unreadable.count
    for start in stride(from: 0, to: place, by: Self.postingsAtOnce) {
      guard try writePostings(start..<min(place, start + Self.postingsAtOnce), places, header, to: file) else {
        return false
      }
    }
    var unreadable = PieceWriter(file, at: header.postingOffset(place), size: KeyPosting.size)
    for (place, number) in zip(place..., keys.unreadable) {
      let posting = KeyPosting(number: number - keys.first, entry: .init(index: 0, time: 0, recordChecksum: 0))
      try unsafe unreadable.append { (bytes) in unsafe posting.encode(into: bytes, at: place) }
    }
    try unreadable.finish()
    try io(file.write(header.encoded(), at: 0))
    return true
  }

  /// Goes through the entries once, and writes the postings whose places are in a range.
  private func writePostings(
    _ range: Range<Int>, _ places: [UInt32], _ header: KeyFileHeader, to file: Descriptor
  ) throws(ImmutaError) -> Bool {
    var bytes = [UInt8](repeating: 0, count: range.count * KeyPosting.size)
    var left = range.count
    for start in stride(from: 0, to: places.count, by: Self.entriesAtOnce) where left > 0 {
      let numbers = start..<min(places.count, start + Self.entriesAtOnce)
      guard numbers.contains(where: { range.contains(Int(places[$0])) }) else { continue }
      let entries = try entries(keys.first + numbers.lowerBound..<keys.first + numbers.upperBound)
      for number in numbers where range.contains(Int(places[number])) {
        guard number - start < entries.count, let entry = entries[number - start] else { return false }
        let place = Int(places[number])
        let posting = KeyPosting(number: number, entry: KeyFileHeader.Anchor(entry))
        unsafe bytes.withMutableBytes { bytes in
          let offset = (place - range.lowerBound) * KeyPosting.size
          unsafe posting.encode(
            into: UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + KeyPosting.size]), at: place)
        }
        left -= 1
      }
    }
    try io(file.write(bytes, at: header.postingOffset(range.lowerBound)))
    return left == 0
  }
}

/// Writes pieces of one size, one after the other, many at a time.
struct PieceWriter {
  private let file: Descriptor
  private var offset: Int
  private let size: Int
  private var bytes: [UInt8]
  private var filled = 0

  init(_ file: Descriptor, at offset: Int, size: Int) {
    self.file = file
    self.offset = offset
    self.size = size
    bytes = [UInt8](repeating: 0, count: size << 12)
  }

  mutating func append(_ encode: (UnsafeMutableRawBufferPointer) -> Void) throws(ImmutaError) {
    if filled == bytes.count { try finish() }
    unsafe bytes.withMutableBytes { bytes in
      unsafe encode(UnsafeMutableRawBufferPointer(rebasing: bytes[filled..<filled + size]))
    }
    filled += size
  }

  mutating func finish() throws(ImmutaError) {
    if filled == 0 { return }
    try io(file.write(Array(bytes[..<filled]), at: offset))
    offset += filled
    filled = 0
  }
}
