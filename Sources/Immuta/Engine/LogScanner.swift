import CRC32C

/// Goes through a log's bytes in order, through a buffer of its own: for opening, recovery and verification.
@safe struct LogScanner: ~Copyable {
  private let descriptor: Descriptor
  /// Where the bytes end that may be looked at.
  let end: Int
  private let buffer: UnsafeMutableRawBufferPointer
  private var buffered: Range<Int> = 0..<0

  init(_ descriptor: Descriptor, end: Int) {
    self.descriptor = descriptor
    self.end = end
    unsafe buffer = .allocate(byteCount: 1 << 20, alignment: 16)
  }

  deinit {
    unsafe buffer.deallocate()
  }

  /// The payload size of the record at `index`, or nil when no record that fits the file begins there.
  mutating func size(at index: Int) throws(ImmutaError) -> Int? {
    let header = LogFormat.recordHeaderSize
    guard index >= 0, index <= end - header else { return nil }
    let bytes = try unsafe bytes(index..<index + header)
    guard bytes.count == header else { return nil }
    let size: Int = unsafe bytes.loadInteger(at: 0)
    return size < 0 || size > end - index - header ? nil : size
  }

  /// The CRC-32C of size field and payload of a record of this size; nil when the file ends before it does.
  mutating func checksum(at index: Int, size: Int) throws(ImmutaError) -> UInt32? {
    var crc: UInt32 = 0
    var position = index
    let end = index + LogFormat.recordHeaderSize + size
    while position < end {
      let piece = try unsafe bytes(position..<min(end, position + buffer.count))
      if unsafe piece.isEmpty { return nil }
      unsafe crc = crc32c_extend(crc, piece.baseAddress, piece.count)
      position += piece.count
    }
    return crc
  }

  /// The bytes of a range no longer than the buffer, as far as the file has them.
  private mutating func bytes(_ range: Range<Int>) throws(ImmutaError) -> UnsafeRawBufferPointer {
    if !(buffered.lowerBound <= range.lowerBound && range.upperBound <= buffered.upperBound) {
      let count = unsafe min(buffer.count, max(0, end - range.lowerBound))
      let target = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
      buffered = range.lowerBound..<range.lowerBound
      let filled = try unsafe descriptor.read(into: target, at: range.lowerBound)
      buffered = range.lowerBound..<range.lowerBound + filled
    }
    let start = range.lowerBound - buffered.lowerBound
    let stop = min(range.upperBound, buffered.upperBound) - buffered.lowerBound
    return unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[start..<max(start, stop)])
  }
}
