extension LogReader {
  /// One record whose entry is known, from an index: one read, two for a record of more than 4 KiB. It is checked as any
  /// record is.
  func record(_ number: Int, at entry: CompanionEntry) throws(ImmutaError) -> Record {
    try checkOpen()
    let end = end
    guard number >= first, number < count, entry.index >= format.headerSize, entry.index < end else {
      throw .recordNotFound(number)
    }
    var chunk = Chunk(first: number, base: first, entryCapacity: 1, logCapacity: min(4096, end - entry.index))
    (chunk.start, chunk.end) = (entry.index, end)
    let descriptor = try anyDescriptor()
    chunk.logCount = try unsafe io(descriptor.read(into: chunk.logBytes, at: entry.index))
    if let record = try chunk.record(number, entry, nil, check) { return record }
    let field = unsafe UnsafeRawBufferPointer(rebasing: chunk.logBytes[..<chunk.logCount])
    let size = try unsafe check.size(number, entry, in: field, end: end, isExact: false)
    guard size <= Self.largestInMemory else { return try record(number, reader: 0) }
    return try LargeRecord.readWhole(number, entry, size: size, from: descriptor, check)
  }
}
