// The log's bytes as they are on file, for code that passes them on without looking at each record.

/// A log's file as it was when it was opened, which stays open for as long as it is held. Another file may have the log's name by
/// now.
package final class OpenLogFile: Sendable {
  package let descriptor: Descriptor
  /// The reader of the segment whose file it is.
  fileprivate let reader: LogReader

  fileprivate init(_ descriptor: Descriptor, _ reader: LogReader) throws(ImmutaError) {
    try io(descriptor.keepOpen())
    self.descriptor = descriptor
    self.reader = reader
  }

  deinit { descriptor.keepOpenNoMore() }
}

extension Log {
  /// How many bytes of the file are the header's and committed records'.
  ///
  /// - Parameter file: the file to ask about; nil for the one that is read now.
  /// - Throws: `.logChanged` when the file is not the log any more.
  package func committedSize(of file: OpenLogFile? = nil) throws(ImmutaError) -> Int {
    try upToDate(file).end
  }

  /// The log's file, as it is read now.
  package func openFile() throws(ImmutaError) -> OpenLogFile {
    try checkOpen()
    let reader = reader
    return try OpenLogFile(reader.anyDescriptor(), reader)
  }

  /// Whether a file is still the log: not after it was cut back, or replaced by another.
  package func isCurrent(_ file: OpenLogFile) throws(ImmutaError) -> Bool {
    do throws(ImmutaError) {
      return try upToDate(file).first == reader.first
    } catch .logChanged {
      return false
    }
  }

  /// The reader in use, with all that was committed by now.
  private func upToDate(_ file: OpenLogFile?) throws(ImmutaError) -> LogReader {
    try checkOpen()
    try open.refresh()
    // Keep this reader from here on: a follower may have another at any moment.
    let reader = reader
    guard let file else { return reader }
    // If the log has rolled since, the file is a segment that is not written any more.
    if file.reader.lineage === reader.lineage { return file.reader }
    let change = file.reader.lineage.change(to: reader.lineage)
    // Its companion alone may have been made again.
    let now = try reader.anyDescriptor()
    let isSameFile = try io(now.status().identity == file.descriptor.status().identity)
    if change.shared == .max {
      if isSameFile { return reader }
      // As above.
      if file.reader.first < reader.first { return file.reader }
    }
    throw .logChanged(
      LogChange(path: files.logPath, kind: change.kind, sharedCount: min(change.shared, reader.count)))
  }

  /// Fills memory with bytes of the file from an offset on, committed ones only; returns how many. They are not
  /// checked.
  package func readCommitted(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(ImmutaError) -> Int {
    let reader = try upToDate(nil)
    let end = reader.end
    guard offset >= 0 else { throw .invalidOffset(offset).of(namespace) }
    let count = max(0, min(bytes.count, end - offset))
    return try unsafe reader.readBytes(into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]), at: offset)
  }

  /// The bytes of whole committed records from an offset on: as many as do not come to more than `limit`, but one at
  /// least; empty at the end of the log. O(log records), a small read each.
  ///
  /// - Parameter file: the file in which they are asked for.
  /// - Throws: `.invalidOffset` when no record begins there, and none ends; `.logChanged` when the file is not the log any
  ///   more; `.corrupted`, `.storageClosed`, `.io`.
  package func wholeRecords(
    from offset: Int, limit: Int, in file: OpenLogFile
  ) throws(ImmutaError) -> Range<Int> {
    let reader = try upToDate(file)
    let count = reader.count
    let end = try reader.end(of: count)
    if offset == end { return end..<end }
    // Indices grow: the first one at or after the offset must be it.
    let first = try reader.firstRecord(in: reader.first..<count) { index in index >= offset }
    guard first < count, try reader.entry(of: first).index == offset else { throw .invalidOffset(offset).of(namespace) }
    let (farthest, overflow) = offset.addingReportingOverflow(max(0, limit))
    if overflow || farthest >= end { return offset..<end }
    // Record n ends where record n + 1 begins.
    let beyond = try reader.firstRecord(in: first + 1..<count) { index in index > farthest }
    if beyond <= first + 1 { return offset..<(try reader.end(of: first + 1)) }
    return offset..<(try reader.entry(of: beyond - 1).index)
  }
}

extension LogReader {
  /// Where the first `count` committed records end.
  fileprivate func end(of count: Int) throws(ImmutaError) -> Int {
    if count == first { return format.headerSize }
    if count < self.count { return try entry(of: count).index }
    // By its size field alone: code that asks for ranges checks no payload.
    let index = try entry(of: count - 1).index
    guard let end = try anyDescriptor().recordEnd(at: index, format) else {
      throw check.corrupted(.sizeField, count - 1, index, "its size field does not fit the file")
    }
    return end
  }

  fileprivate func firstRecord(in range: Range<Int>, where isBehind: (Int) -> Bool) throws(ImmutaError) -> Int {
    var (lower, upper) = (range.lowerBound, range.upperBound)
    while lower < upper {
      let middle = (lower + upper) / 2
      if isBehind(try entry(of: middle).index) { upper = middle } else { lower = middle + 1 }
    }
    return lower
  }

  /// Fills memory with bytes of the file, as far as it has them.
  fileprivate func readBytes(
    into bytes: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(ImmutaError) -> Int {
    let descriptor = try anyDescriptor()
    return try unsafe io(descriptor.read(into: bytes, at: offset))
  }
}
