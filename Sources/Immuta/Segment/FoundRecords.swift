/// Records of a segment that an index has found, read together: each by a read of its own, but records close to each other by one
/// read. Each is checked when it is taken, as any record is.
///
/// `@unchecked Sendable`: the memory is filled by one thread before anyone else sees it, and never changed after that.
@safe struct FoundRecords: @unchecked Sendable {
  /// A record that an index has found; without an entry, its companion has to be asked.
  typealias Place = (number: Int, entry: KeyFileHeader.Anchor?)

  /// Where a record's bytes are in `memory`, and how many were read from its index on: they may be more than it has, or fewer.
  private struct Piece {
    let entry: CompanionEntry
    let start: Int
    var count: Int
  }

  private let memory: Chunk.Memory
  private let reader: LogReader
  /// Nil for a record that was not read.
  private let pieces: [Piece?]

  /// Records that lie no further apart than this are read by one read: to copy what lies between them takes less than a call.
  private static var mostBetween: Int { 1024 }

  /// Reads the bytes that are expected to hold the records.
  ///
  /// - Parameter size: the bytes that a record with its header is expected to have.
  init(_ places: [Place], of reader: LogReader, expecting size: Int) throws(ImmutaError) {
    let end = reader.end
    var pieces: [Piece?] = []
    pieces.reserveCapacity(places.count)
    // The pieces that each read brings.
    var reads: [(range: Range<Int>, pieces: Range<Int>)] = []
    var total = 0
    for place in places {
      guard let entry = place.entry, entry.index >= reader.format.headerSize, entry.index < end else {
        pieces.append(nil)
        continue
      }
      let range = entry.index..<entry.index + min(size, end - entry.index)
      if let last = reads.last, range.lowerBound >= last.range.lowerBound,
        range.lowerBound <= last.range.upperBound + Self.mostBetween
      {
        total += max(0, range.upperBound - last.range.upperBound)
        reads[reads.count - 1] = (
          last.range.lowerBound..<max(last.range.upperBound, range.upperBound),
          last.pieces.lowerBound..<pieces.count + 1
        )
      } else {
        reads.append((range, pieces.count..<pieces.count + 1))
        total += range.count
      }
      // Counted from the beginning of its read, until that is known.
      let found = CompanionEntry(index: entry.index, time: entry.time, recordChecksum: entry.recordChecksum)
      pieces.append(
        Piece(entry: found, start: total - (reads[reads.count - 1].range.upperBound - entry.index), count: 0))
    }
    let memory = Chunk.Memory.create(minimumCapacity: total) { _ in total } as Chunk.Memory
    let descriptor = try reader.anyDescriptor()
    var start = 0
    for read in reads {
      let count = try unsafe memory.withUnsafeMutablePointerToElements { (elements) throws(ImmutaError) in
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: elements + start, count: read.range.count)
        return try unsafe io(descriptor.read(into: bytes, at: read.range.lowerBound))
      }
      for piece in read.pieces {
        guard let known = pieces[piece] else { continue }
        pieces[piece]?.count = max(0, start + count - known.start)
      }
      start += read.range.count
    }
    (self.memory, self.reader, self.pieces) = (memory, reader, pieces)
  }

  /// The records of a segment that is in memory.
  init(_ places: [Place], of reader: LogReader, in bytes: SegmentBytes) {
    pieces = places.map { place in
      guard let entry = place.entry, bytes.range.contains(entry.index) else { return nil }
      let found = CompanionEntry(index: entry.index, time: entry.time, recordChecksum: entry.recordChecksum)
      return Piece(
        entry: found, start: entry.index - bytes.range.lowerBound, count: bytes.range.upperBound - entry.index)
    }
    (memory, self.reader) = (bytes.memory, reader)
  }

  /// Whether the log is open.
  var isOpen: Bool { reader.isOpen }

  /// A record by its place among the requested ones; nil if it was not read, or not all of it, or is damaged.
  func record(_ number: Int, at position: Int) -> Record? {
    guard let piece = pieces[position] else { return nil }
    return try? unsafe memory.withUnsafeMutablePointerToElements { (elements) throws(ImmutaError) -> Record? in
      let check = reader.check
      let bytes = unsafe UnsafeRawBufferPointer(start: elements + piece.start, count: piece.count)
      let size = try unsafe check.size(number, piece.entry, in: bytes, end: reader.end, isExact: false)
      let count = check.recordHeaderSize + size
      guard count <= bytes.count else { return nil }
      return try unsafe check.record(
        number, piece.entry, UnsafeRawBufferPointer(rebasing: bytes[..<count]), owner: memory)
    }
  }
}
