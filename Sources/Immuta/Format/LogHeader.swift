/// The header of a log file whose format has one: see ``LogFormat`` for its bytes.
package struct LogHeader: Hashable, Sendable {
  /// Committed records.
  package var count: Int
  /// Byte offset of the last committed record's size field, 0 when there is none; nil if the format doesn't have it.
  package var lastIndex: Int?

  package init(count: Int = 0, lastIndex: Int? = 0) {
    self.count = count
    self.lastIndex = lastIndex
  }

  /// The header of a log in a certain format.
  package init(_ format: LogFormat, count: Int, lastIndex: Int) {
    self.init(count: count, lastIndex: format.hasLastIndex ? lastIndex : nil)
  }

  /// Where LAST INDEX lies in the file.
  package static var lastIndexOffset: Int { 8 }

  /// Reads the header from the first `format.headerSize` bytes of a file.
  package init(decoding bytes: UnsafeRawBufferPointer, format: LogFormat) {
    precondition(bytes.count >= format.headerSize, "a log header needs \(format.headerSize) bytes")
    precondition(format.hasCount, "a log of this format has no header")
    count = unsafe bytes.loadInteger(at: 0)
    lastIndex = unsafe format.hasLastIndex ? bytes.loadInteger(at: Self.lastIndexOffset) : nil
  }

  package func encode(into bytes: UnsafeMutableRawBufferPointer, format: LogFormat) {
    precondition(bytes.count >= format.headerSize, "a log header needs \(format.headerSize) bytes")
    precondition(format.hasCount, "a log of this format has no header")
    unsafe bytes.storeInteger(count, at: 0)
    if format.hasLastIndex { unsafe bytes.storeInteger(lastIndex ?? 0, at: Self.lastIndexOffset) }
  }

  /// The `format.headerSize` bytes of the header: none, where the format has no header.
  package func encoded(format: LogFormat) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: format.headerSize)
    if format.hasCount { unsafe bytes.withMutableBytes { unsafe encode(into: $0, format: format) } }
    return bytes
  }

  /// Whether the last record's place contradicts the header; never if the header doesn't hold it.
  package func denies(lastIndex found: Int) -> Bool {
    lastIndex.map { $0 != found } ?? false
  }

  /// What is wrong with the header on its own, or nil: a COUNT and a LAST INDEX that no log can have.
  package func contradiction(format: LogFormat, fileSize: Int) -> String? {
    if count < 0 { return "COUNT is negative (\(count))" }
    if count == 0 { return denies(lastIndex: 0) ? "COUNT is 0 but LAST INDEX is \(lastIndex ?? 0)" : nil }
    let room = format.room(in: fileSize)
    if count > room { return "COUNT is \(count), but \(fileSize) bytes hold at most \(room) records" }
    guard let lastIndex else { return nil }
    if lastIndex < format.headerSize { return "LAST INDEX is \(lastIndex), inside the header" }
    if lastIndex > fileSize - format.recordHeaderSize {
      return "LAST INDEX is \(lastIndex), beyond the end of the file at \(fileSize)"
    }
    return nil
  }
}
