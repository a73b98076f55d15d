/// All records of a small sealed segment, as they are on file, in memory.
///
/// `@unchecked Sendable`: the memory is filled by one thread before anyone else sees it, and never changed after that.
@safe struct SegmentBytes: @unchecked Sendable {
  let memory: Chunk.Memory
  /// Which bytes of the file they are.
  let range: Range<Int>

  /// Reads them. For a segment that is cut short, the ones that exist.
  init(_ reader: LogReader) throws(ImmutaError) {
    let start = reader.format.headerSize
    let size = max(0, reader.end - start)
    let memory = Chunk.Memory.create(minimumCapacity: size) { _ in size } as Chunk.Memory
    let descriptor = try reader.anyDescriptor()
    let count = try unsafe memory.withUnsafeMutablePointerToElements { (elements) throws(ImmutaError) in
      try unsafe io(descriptor.read(into: UnsafeMutableRawBufferPointer(start: elements, count: size), at: start))
    }
    (self.memory, range) = (memory, start..<start + count)
  }
}

/// The bytes of small segments whose records are asked for again and again, one here and one there: from memory each takes no
/// call.
///
/// A segment is read whole once so many of its records were read one by one that to read all of it would have taken no longer.
struct KeptSegments: Sendable {
  private struct Kept {
    let first: Int
    var reads = 0
    var bytes: SegmentBytes?
  }

  /// The one that was asked for last at the end.
  private var kept: [Kept] = []

  /// Bytes of the largest segment that is read whole: a caller that holds one of its records holds all of them in memory.
  static var largestSegment: Int { 512 << 10 }
  private static var mostBytes: Int { 8 << 20 }
  private static var mostKnown: Int { 64 }
  /// To read so many bytes takes about as long as a call.
  private static var bytesPerRead: Int { 2 << 10 }

  /// The bytes of a segment, and whether they should be read now: so many of its records are about to be.
  ///
  /// - Parameters:
  ///   - first: the number of the segment's first record.
  ///   - size: how many bytes it has.
  mutating func bytes(of first: Int, size: Int, reading count: Int) -> (known: SegmentBytes?, isDue: Bool) {
    guard size <= Self.largestSegment else { return (nil, false) }
    if let place = kept.lastIndex(where: { $0.first == first }) {
      if place < kept.count - 1 { kept.append(kept.remove(at: place)) }
    } else {
      if kept.count == Self.mostKnown { kept.removeFirst() }
      kept.append(Kept(first: first))
    }
    let last = kept.count - 1
    if let bytes = kept[last].bytes { return (bytes, false) }
    kept[last].reads += count
    return (nil, kept[last].reads * Self.bytesPerRead >= size)
  }

  /// Keeps the bytes of a segment, and drops the ones that were not used for the longest time, if there are too many.
  mutating func keep(_ bytes: SegmentBytes, of first: Int) {
    guard let place = kept.lastIndex(where: { $0.first == first }) else { return }
    kept[place].bytes = bytes
    var total = 0
    for place in kept.indices.reversed() {
      total += kept[place].bytes?.range.count ?? 0
      if total > Self.mostBytes, kept[place].bytes != nil { (kept[place].bytes, kept[place].reads) = (nil, 0) }
    }
  }

  /// Lets go of segments before a number, which were removed.
  mutating func remove(before first: Int) { kept.removeAll { $0.first < first } }
}
