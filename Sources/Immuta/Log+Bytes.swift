// The log's bytes as they are on file, for those who hand them on without looking at each record.

extension Log {
  /// How many bytes of the file are the header's and committed records'.
  package var committedSize: Int {
    get throws(ImmutaError) {
      try reader.checkOpen()
      try refresh()
      return reader.end
    }
  }

  /// A descriptor of the log's file, which stays open for as long as it is held.
  package func openFile() throws(ImmutaError) -> Descriptor {
    try reader.checkOpen()
    return try reader.anyDescriptor()
  }

  /// Fills memory with bytes of the file from an offset on, committed ones only; returns how many. They are not
  /// checked.
  package func readCommitted(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(ImmutaError) -> Int {
    let end = try committedSize
    guard offset >= 0 else { throw .invalidOffset(offset) }
    let count = max(0, min(bytes.count, end - offset))
    return try unsafe reader.readBytes(into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]), at: offset)
  }

  /// The bytes of whole committed records from an offset on: as many as do not come to more than `limit`, but one at
  /// least; empty at the end of the log. O(log records), a small read each.
  ///
  /// - Throws: `.invalidOffset` when no record begins there, and none ends; `.corrupted`, `.storageClosed`, `.io`.
  package func wholeRecords(from offset: Int, limit: Int) throws(ImmutaError) -> Range<Int> {
    try reader.checkOpen()
    try refresh()
    let count = reader.count
    let end = try self.end(of: count)
    if offset == end { return end..<end }
    // Indices grow: the first one at or behind the offset must be it.
    let first = try firstRecord(in: 0..<count) { index in index >= offset }
    guard first < count, try reader.entry(of: first).index == offset else { throw .invalidOffset(offset) }
    let (farthest, overflow) = offset.addingReportingOverflow(max(0, limit))
    if overflow || farthest >= end { return offset..<end }
    // Record n ends where record n + 1 begins.
    let beyond = try firstRecord(in: first + 1..<count) { index in index > farthest }
    if beyond <= first + 1 { return offset..<(try self.end(of: first + 1)) }
    return offset..<(try reader.entry(of: beyond - 1).index)
  }

  /// Where the first `count` committed records end.
  private func end(of count: Int) throws(ImmutaError) -> Int {
    if count == 0 { return reader.format.headerSize }
    if count < reader.count { return try reader.entry(of: count).index }
    // By its size field alone: whoever asks for ranges checks no payload.
    let index = try reader.entry(of: count - 1).index
    guard let end = try reader.anyDescriptor().recordEnd(at: index, reader.format) else {
      throw reader.check.corrupted(count - 1, index, "its size field does not fit the file")
    }
    return end
  }

  private func firstRecord(in range: Range<Int>, where isBehind: (Int) -> Bool) throws(ImmutaError) -> Int {
    var (lower, upper) = (range.lowerBound, range.upperBound)
    while lower < upper {
      let middle = (lower + upper) / 2
      if isBehind(try reader.entry(of: middle).index) { upper = middle } else { lower = middle + 1 }
    }
    return lower
  }
}

extension LogReader {
  /// Fills memory with bytes of the file, as far as it has them.
  fileprivate func readBytes(
    into bytes: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(ImmutaError) -> Int {
    try unsafe anyDescriptor().read(into: bytes, at: offset)
  }
}
