// Single reads of what the files hold, for those who look at one place. The scanners read on from there.

extension Descriptor {
  /// The current header of a companion, or nil when the file has none that is whole.
  func companionHeader() throws(ImmutaError) -> CompanionHeader? {
    guard let bytes = try companionHeaderBytes() else { return nil }
    return unsafe bytes.withBytes { unsafe CompanionHeader.current(in: $0) }
  }

  /// Whether both headers of a companion are whole.
  func hasBothCompanionHeaders() throws(ImmutaError) -> Bool {
    guard let bytes = try companionHeaderBytes() else { return false }
    return unsafe bytes.withBytes { unsafe CompanionHeader.wholeSlots(of: $0).count == 2 }
  }

  private func companionHeaderBytes() throws(ImmutaError) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: CompanionHeader.size)
    let count = try unsafe bytes.withMutableBytes { (bytes) throws(ImmutaError) in try unsafe read(into: bytes, at: 0) }
    return count == bytes.count ? bytes : nil
  }

  /// Entry `number` of a companion, or nil when it is damaged or not there.
  func companionEntry(_ number: Int) throws(ImmutaError) -> CompanionEntry? {
    // A damaged COUNT may ask for an entry that no file can have.
    guard number >= 0, number < (Int.max - CompanionHeader.size) / CompanionEntry.size else { return nil }
    var bytes: InlineArray<24, UInt8> = .init(repeating: 0)
    let offset = CompanionHeader.size + number * CompanionEntry.size
    return try unsafe withUnsafeMutableBytes(of: &bytes) { (bytes) throws(ImmutaError) in
      guard try unsafe read(into: bytes, at: offset) == CompanionEntry.size else { return nil }
      return unsafe CompanionEntry(decoding: UnsafeRawBufferPointer(bytes), number: number)
    }
  }

  /// The header of a log; the file has at least that many bytes.
  func logHeader(_ format: LogFormat) throws(ImmutaError) -> LogHeader {
    var bytes = [UInt8](repeating: 0, count: format.headerSize)
    _ = try unsafe bytes.withMutableBytes { (bytes) throws(ImmutaError) in try unsafe read(into: bytes, at: 0) }
    return unsafe bytes.withBytes { unsafe LogHeader(decoding: $0, format: format) }
  }

  /// Where the record at a byte offset of a log ends, or nil when no record that fits the file begins there.
  func recordEnd(at index: Int) throws(ImmutaError) -> Int? {
    let fileSize = try size
    guard index >= 0, index <= fileSize - LogFormat.recordHeaderSize else { return nil }
    var field: Int64 = 0
    let count = try unsafe withUnsafeMutableBytes(of: &field) { (bytes) throws(ImmutaError) in
      try unsafe read(into: bytes, at: index)
    }
    let size = Int(Int64(littleEndian: field))
    let room = fileSize - index - LogFormat.recordHeaderSize
    guard count == LogFormat.recordHeaderSize, size >= 0, size <= room else { return nil }
    return index + LogFormat.recordHeaderSize + size
  }
}
