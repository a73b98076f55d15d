/// The header of a log file: see ``LogFormat`` for its bytes.
package struct LogHeader: Hashable, Sendable {
  /// Committed records.
  package var count: Int
  /// Byte offset of the last committed record's size field; 0 when there is none.
  package var lastIndex: Int

  package init(count: Int = 0, lastIndex: Int = 0) {
    self.count = count
    self.lastIndex = lastIndex
  }

  /// Where LAST INDEX lies in the file.
  package static var lastIndexOffset: Int { 8 }

  /// Reads the header from the first `format.headerSize` bytes of a file.
  package init(decoding bytes: UnsafeRawBufferPointer, format: LogFormat) {
    precondition(bytes.count >= format.headerSize, "a log header needs \(format.headerSize) bytes")
    count = unsafe bytes.loadInteger(at: 0)
    lastIndex = unsafe bytes.loadInteger(at: Self.lastIndexOffset)
  }

  package func encode(into bytes: UnsafeMutableRawBufferPointer, format: LogFormat) {
    precondition(bytes.count >= format.headerSize, "a log header needs \(format.headerSize) bytes")
    unsafe bytes.storeInteger(count, at: 0)
    unsafe bytes.storeInteger(lastIndex, at: Self.lastIndexOffset)
  }

  package func encoded(format: LogFormat) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: format.headerSize)
    unsafe bytes.withMutableBytes { unsafe encode(into: $0, format: format) }
    return bytes
  }

  /// What is wrong with the header on its own, or nil: a COUNT and a LAST INDEX that no log can have.
  package func contradiction(format: LogFormat, fileSize: Int) -> String? {
    if count < 0 { return "COUNT is negative (\(count))" }
    if count == 0 { return lastIndex == 0 ? nil : "COUNT is 0 but LAST INDEX is \(lastIndex)" }
    let room = (fileSize - format.headerSize) / LogFormat.recordHeaderSize
    if count > room { return "COUNT is \(count), but \(fileSize) bytes hold at most \(max(0, room)) records" }
    if lastIndex < format.headerSize { return "LAST INDEX is \(lastIndex), inside the header" }
    if lastIndex > fileSize - LogFormat.recordHeaderSize {
      return "LAST INDEX is \(lastIndex), beyond the end of the file at \(fileSize)"
    }
    return nil
  }
}
