import CImmutaCRC32C

/// Goes through a log's bytes in order, through a buffer of its own: for opening, recovery and verification.
@safe struct LogScanner: ~Copyable {
  private let descriptor: Descriptor
  private let format: LogFormat
  /// Where the bytes end that may be looked at.
  let end: Int
  private let buffer: UnsafeMutableRawBufferPointer
  private var buffered: Range<Int> = 0..<0
  private let progress: ScanProgress?

  /// - Parameters:
  ///   - bufferSize: bytes that are read at once, where they are needed one after the other.
  ///   - progress: gets to know how far it came.
  init(
    _ descriptor: Descriptor, _ format: LogFormat, end: Int, bufferSize: Int = 1 << 20, progress: ScanProgress? = nil
  ) {
    precondition(bufferSize >= 1 << 10 && end >= 0, "a scanner has room for a record's beginning")
    self.descriptor = descriptor
    self.format = format
    self.end = end
    self.progress = progress
    unsafe buffer = .allocate(byteCount: bufferSize, alignment: 16)
  }

  deinit {
    unsafe buffer.deallocate()
  }

  /// The payload size of the record at `index`, or nil when no record that fits the file begins there.
  mutating func size(at index: Int) throws(ImmutaError) -> Int? {
    let header = format.recordHeaderSize
    guard index >= 0, index <= end - header else { return nil }
    let bytes = try unsafe bytes(index..<index + header)
    guard bytes.count == header else { return nil }
    let size = unsafe RecordHeader.size(in: bytes, format)
    return size < 0 || size > end - index - header ? nil : size
  }

  /// The CRC-32C of header and payload of a record of this size; nil when the file ends before it does.
  mutating func checksum(at index: Int, size: Int) throws(ImmutaError) -> UInt32? {
    var crc: UInt32 = 0
    var position = index
    let end = format.recordEnd(at: index, size: size)
    while position < end {
      // Of a large record, holes are not read: their checksum is that of zeros.
      if unsafe end - position > buffer.count {
        let data = min(end, self.end, descriptor.nextData(from: position))
        if data > position {
          crc = crc32c_combine(crc, Self.checksum(ofZeros: data - position), data - position)
          position = data
          continue
        }
      }
      let piece = try unsafe bytes(position..<min(end, position + buffer.count))
      if unsafe piece.isEmpty { return nil }
      unsafe crc = crc32c_extend(crc, piece.baseAddress, piece.count)
      position += piece.count
    }
    return crc
  }

  /// The CRC-32C of so many zeros. O(log count).
  private static func checksum(ofZeros count: Int) -> UInt32 {
    var zero: UInt8 = 0
    var power = unsafe crc32c_extend(0, &zero, 1)
    var (crc, size, rest) = (UInt32(0), 1, count)
    while rest > 0 {
      if rest & 1 == 1 { crc = crc32c_combine(crc, power, size) }
      rest >>= 1
      if rest > 0 { (power, size) = (crc32c_combine(power, power, size), size * 2) }
    }
    return crc
  }

  /// Calls `body` with the payload of a record of this size, if the buffer has room for it; returns whether it did, and
  /// the file has all of it.
  mutating func withPayload(
    at index: Int, size: Int, _ body: (UnsafeRawBufferPointer) throws(ImmutaError) -> Void
  ) throws(ImmutaError) -> Bool {
    let count = format.recordHeaderSize + size
    if unsafe count > buffer.count { return false }
    let bytes = try unsafe bytes(index..<index + count)
    guard bytes.count == count else { return false }
    try unsafe body(UnsafeRawBufferPointer(rebasing: bytes[format.recordHeaderSize...]))
    return true
  }

  /// As how many records of no bytes a hole in the file reads that begins at an offset: 0 where none does. A hole takes no
  /// room on the disk, and may claim any number of them.
  func emptyRecords(inHoleAt index: Int) -> Int {
    if format == .bilog || index >= end { return 0 }
    return max(0, min(end, descriptor.nextData(from: index)) - index) / format.recordHeaderSize
  }

  /// Whether it is time to ask whether a record of no bytes lies in a hole: not at each of them, as that takes a call.
  static func isHoleDue(_ number: Int) -> Bool { number % 4096 == 0 }

  /// More records than that in one hole are nobody's.
  static var mostInHole: Int { 1 << 24 }

  /// A checksum of how a record of this size begins, to know it again.
  mutating func trace(at index: Int, size: Int) throws(ImmutaError) -> UInt32 {
    let bytes = try unsafe bytes(index..<index + format.recordHeaderSize + min(size, Self.tracedBytes))
    return unsafe crc32c_extend(0, bytes.baseAddress, bytes.count)
  }

  private static var tracedBytes: Int { 64 }

  /// The entry of a record that has none, made from its bytes; nil when the file ends before it does.
  mutating func madeEntry(at index: Int, size: Int, time: Int64) throws(ImmutaError) -> CompanionEntry? {
    guard let checksum = try checksum(at: index, size: size) else { return nil }
    let isSound = try bearsItsChecksum(at: index, size: size)
    return CompanionEntry(madeAt: index, time: time, checksum: checksum, isSound: isSound, format)
  }

  /// Whether the payload of a record of this size has the checksum that the record carries; true where the format has
  /// none.
  mutating func bearsItsChecksum(at index: Int, size: Int) throws(ImmutaError) -> Bool {
    guard format.hasPayloadChecksum else { return true }
    let payload = index + format.recordHeaderSize
    let header = try unsafe bytes(index..<payload)
    guard header.count == format.recordHeaderSize else { return false }
    let expected = unsafe RecordHeader.payloadChecksum(in: header)
    var checksum: UInt32 = 0
    var position = payload
    while position < payload + size {
      let piece = try unsafe bytes(position..<min(payload + size, position + buffer.count))
      if unsafe piece.isEmpty { return false }
      unsafe checksum = RecordHeader.extend(checksum, piece)
      position += piece.count
    }
    return checksum == expected
  }

  /// Whether the size fields lead from a record to one that bears its own checksum, soon: then they are
  /// sound, whatever is wrong with the payloads between.
  mutating func leadsToSoundRecord(after place: RecordPlace) throws(ImmutaError) -> Bool {
    var walk = RecordWalk(format, after: place)
    for _ in 0..<Self.mostDamaged {
      guard let next = try walk.next(in: &self) else { return false }
      if try bearsItsChecksum(at: next.index, size: next.size) { return true }
    }
    return false
  }

  /// Records next to each other that are passed over as damaged.
  private static var mostDamaged: Int { 64 }

  /// Whether there is nothing but zeros from an offset to the end.
  mutating func isBlank(from offset: Int) throws(ImmutaError) -> Bool {
    var position = offset
    while position < end {
      position = max(position, descriptor.nextData(from: position))
      if position >= end { return true }
      let piece = try unsafe bytes(position..<min(end, position + buffer.count))
      if unsafe piece.isEmpty { return true }
      if unsafe !piece.allSatisfy({ $0 == 0 }) { return false }
      position += piece.count
    }
    return true
  }

  /// Whether the bytes at an offset can be the first ones of a record that the file ends inside of.
  mutating func mayBeCutOff(at index: Int) throws(ImmutaError) -> Bool {
    let header = try unsafe bytes(index..<min(end, index + format.recordHeaderSize))
    // A size field that is not all there says nothing.
    guard header.count >= MemoryLayout<Int64>.size else { return true }
    let size = unsafe RecordHeader.size(in: header, format)
    return size > end - index - format.recordHeaderSize
  }

  /// Whether the size field at an offset says more than any disk holds, as text does.
  mutating func isBeyondBelief(at index: Int) throws(ImmutaError) -> Bool {
    let header = try unsafe bytes(index..<min(end, index + format.recordHeaderSize))
    return unsafe header.count >= MemoryLayout<Int64>.size
      && RecordHeader.size(in: header, format) >= Self.largestBelieved
  }

  private static var largestBelieved: Int { 1 << 48 }

  /// Whether a whole record, by its own checksum, begins anywhere after an offset: as far as it is worth looking.
  /// Bytes that look like the beginnings of so many large records that finding out would take long are taken for one.
  mutating func hasWholeRecord(after index: Int) throws(ImmutaError) -> Bool {
    var position = index + 1
    var unchecked = Self.mostChecked
    while position < min(end, index + Self.farthestLook) {
      if let size = try size(at: position) {
        unchecked -= size
        if unchecked < 0 { return true }
        if try bearsItsChecksum(at: position, size: size) { return true }
      }
      position += 1
    }
    return false
  }

  private static var farthestLook: Int { 16 << 20 }
  /// Bytes that are checked on the way.
  private static var mostChecked: Int { 256 << 20 }

  private static var pageSize: Int { 4096 }

  /// The bytes of a range no longer than the buffer, as far as the file has them.
  private mutating func bytes(_ range: Range<Int>) throws(ImmutaError) -> UnsafeRawBufferPointer {
    unsafe assert(range.lowerBound >= 0 && range.count <= buffer.count, "a range is no longer than the buffer")
    if !(buffered.lowerBound <= range.lowerBound && range.upperBound <= buffered.upperBound) {
      // Where records are jumped over, a page brings the next size field.
      let isNext = buffered.contains(range.lowerBound) || range.lowerBound == buffered.upperBound
      let wanted = unsafe isNext ? buffer.count : min(buffer.count, max(Self.pageSize, range.count))
      let count = min(wanted, max(0, end - range.lowerBound))
      let target = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
      buffered = range.lowerBound..<range.lowerBound
      let filled = try unsafe io(descriptor.read(into: target, at: range.lowerBound))
      buffered = range.lowerBound..<range.lowerBound + filled
      progress?.reached(buffered.upperBound)
    }
    let start = range.lowerBound - buffered.lowerBound
    let stop = min(range.upperBound, buffered.upperBound) - buffered.lowerBound
    return unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[start..<max(start, stop)])
  }
}
