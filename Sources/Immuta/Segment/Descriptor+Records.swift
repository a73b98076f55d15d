import Synchronization

// Single reads of the files, at one place. The scanners read on from there.

extension Descriptor {
  /// The current header of a companion, or nil when the file has none that is whole.
  ///
  /// - Throws: `.unsupportedVersion` where a newer program wrote one.
  func companionHeader() throws(ImmutaError) -> CompanionHeader? {
    try companionSlots().current
  }

  /// Both headers of a companion, as far as they are whole.
  ///
  /// - Throws: `.unsupportedVersion` where a newer program wrote one.
  func companionSlots() throws(ImmutaError) -> CompanionHeader.Slots {
    guard let bytes = try twoSlots() else { return CompanionHeader.Slots() }
    let slots = unsafe bytes.withBytes { unsafe CompanionHeader.slots(in: $0) }
    if let unknown = slots.unknown {
      let isVersion = unknown.version > CompanionHeader.version || unknown.version == 0
      throw .unsupportedVersion(
        UnsupportedVersion(
          path: path, subject: isVersion ? .companion : .logFormat,
          found: isVersion ? Int(unknown.version) : Int(unknown.format),
          supported: isVersion ? Int(CompanionHeader.version) : Int(LogFormat.bilog.rawValue)))
    }
    return slots
  }

  /// Entry `number` of a companion, or nil when it is damaged or not there.
  func companionEntry(_ number: Int) throws(ImmutaError) -> CompanionEntry? {
    // A damaged COUNT may ask for an entry that no file can have.
    guard number >= 0, number <= LogFormat.mostRecords else { return nil }
    var bytes: InlineArray<24, UInt8> = .init(repeating: 0)
    let offset = CompanionEntry.offset(of: number)
    return try unsafe withUnsafeMutableBytes(of: &bytes) { (bytes) throws(ImmutaError) in
      guard try unsafe io(read(into: bytes, at: offset) == CompanionEntry.size) else { return nil }
      return unsafe CompanionEntry(decoding: UnsafeRawBufferPointer(bytes), number: number)
    }
  }

  /// How many records the companion of a log without COUNT, and its header, say are committed.
  func committedCount(_ header: CompanionHeader) throws(ImmutaError) -> Int {
    if header.isClean { return header.stableCount }
    // A file that ends with an entry is that of a log that was closed, whatever damage says.
    let room = CompanionEntry.room(in: try io(size))
    if room > header.stableCount, try isPublished(room - 1) { return room }
    return try committedCount(from: header.stableCount)
  }

  /// How many records are committed by their entries; the first `known` are known to be. O(log of the new ones).
  func committedCount(from known: Int) throws(ImmutaError) -> Int {
    guard try isPublished(known) else { return known }
    // Entries are stored in order: the first that is not lies after `lower`, at or before `upper`.
    var (lower, step) = (known, 1)
    while try isPublished(lower + step) {
      lower += step
      step *= 2
    }
    var upper = lower + step
    while upper - lower > 1 {
      let middle = (lower + upper) / 2
      if try isPublished(middle) { lower = middle } else { upper = middle }
    }
    // The last of them may belong to a commit that is under way. Reading a damaged one reports it.
    while upper > known, try companionEntry(upper - 1)?.endsCommit == false { upper -= 1 }
    return upper
  }

  private func isPublished(_ number: Int) throws(ImmutaError) -> Bool {
    if number > LogFormat.mostRecords { return false }
    var bytes: InlineArray<24, UInt8> = .init(repeating: 0)
    let offset = CompanionEntry.offset(of: number)
    let isPublished = try unsafe withUnsafeMutableBytes(of: &bytes) { (bytes) throws(ImmutaError) in
      guard try unsafe io(read(into: bytes, at: offset) == CompanionEntry.size) else { return false }
      return unsafe CompanionEntry.isStored(UnsafeRawBufferPointer(bytes), number: number)
    }
    // Acquiring: pairs with the store of the entry's last field, so reads from here on see what was stored before it.
    atomicMemoryFence(ordering: .acquiring)
    return isPublished
  }

  /// The header of a log whose file is long enough for it; nil if the format has none.
  func logHeader(_ format: LogFormat) throws(ImmutaError) -> LogHeader? {
    guard format.hasCount else { return nil }
    var bytes = [UInt8](repeating: 0, count: format.headerSize)
    _ = try unsafe bytes.withMutableBytes { (bytes) throws(ImmutaError) in try unsafe io(read(into: bytes, at: 0)) }
    return unsafe bytes.withBytes { unsafe LogHeader(decoding: $0, format: format) }
  }

  /// Where the record at a byte offset of a log ends, or nil when no record that fits the file begins there.
  package func recordEnd(at index: Int, _ format: LogFormat) throws(ImmutaError) -> Int? {
    try recordEnd(at: index, format, within: io(size))
  }

  /// The same in a file of a size that is known.
  func recordEnd(at index: Int, _ format: LogFormat, within fileSize: Int) throws(ImmutaError) -> Int? {
    let header = format.recordHeaderSize
    guard index >= 0, index <= fileSize - header else { return nil }
    var field: InlineArray<12, UInt8> = .init(repeating: 0)
    let size = try unsafe withUnsafeMutableBytes(of: &field) { (bytes) throws(ImmutaError) -> Int in
      let count = try unsafe io(read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<header]), at: index))
      return unsafe count == header ? RecordHeader.size(in: UnsafeRawBufferPointer(bytes), format) : -1
    }
    guard size >= 0, size <= fileSize - index - header else { return nil }
    return index + header + size
  }
}
