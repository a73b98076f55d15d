/// Where a ``RecordInput`` gets its bytes from.
protocol ByteSource {
  /// Waits for bytes and takes the ones that have come, as many as fit; 0 at the end.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int
}

/// A record that has more bytes than it may.
struct RecordTooLong: Error {
  let most: Int
}

/// Cuts a stream of bytes into records at a delimiter.
///
/// Records that fit the buffer are handed out as views of it. One that doesn't is handed out in pieces, as an
/// `AsyncSequence` that reads on as it is iterated; so the size of a record costs no memory. Without a delimiter the
/// whole input is one such record.
///
/// ```
/// buffer  | handed out | complete? records | unfinished | free |
///         0            start                            end    capacity
/// ```
///
/// Bytes before `scanned` and from `start` on hold no delimiter. Not `Sendable`: used by one task.
final class RecordInput {
  private let source: any ByteSource
  private let delimiter: UInt8?
  private let longest: Int
  private let most: Int
  private let readSize: Int
  private var buffer: [UInt8]
  private var start = 0
  private var scanned = 0
  private var end = 0
  private var isOver = false
  /// Whether a byte order mark at the start of the input would not belong to it, and has not been looked for.
  private var looksForMark: Bool

  /// What one of its records is called.
  var unit: String { delimiter == UInt8(ascii: "\n") ? "line" : "record" }

  /// Bytes taken from the source.
  private(set) var bytesRead = 0

  /// Is called with ``bytesRead`` whenever some were taken, also within a record.
  var whenRead: ((Int) -> Void)?

  /// - Parameters:
  ///   - ignoresMark: whether U+FEFF at the start of the input is no part of the first record: JSON allows that (RFC 8259, 8.1).
  ///   - longest: bytes of the largest record that is held whole.
  ///   - most: bytes that a record may have.
  ///   - readSize: bytes read at a time.
  init(
    _ source: any ByteSource, delimiter: UInt8?, ignoresMark: Bool = false, longest: Int = 1 << 20,
    most: Int = .max, readSize: Int = 256 << 10
  ) {
    self.source = source
    self.delimiter = delimiter
    looksForMark = ignoresMark
    self.longest = longest
    self.most = most
    self.readSize = readSize
    buffer = [UInt8](repeating: 0, count: longest + readSize)
  }

  /// A record, or what there is of it.
  enum Next {
    /// The whole record.
    ///
    /// Let go of it before calling anything else: a view that is held makes the buffer copy itself.
    case whole(ArraySlice<UInt8>)
    /// A record too large to wait for. To be iterated once, to its end, before anything else is called.
    case large(Pieces)
  }

  /// The next record; nil when more must be read first, with ``fill()``.
  ///
  /// - Throws: ``RecordTooLong``; so do the pieces of a large one.
  func next() throws(RecordTooLong) -> Next? {
    if let record = takeRecord() {
      try check(record.count)
      return .whole(record)
    }
    let isLarge = start < end && (delimiter == nil || end - start >= longest)
    return isLarge ? .large(Pieces(input: self)) : nil
  }

  /// What comes next, read but not taken: a whole record, or the beginning of a large one; nil where there is none.
  func peek() throws -> (bytes: ArraySlice<UInt8>, isLarge: Bool)? {
    while true {
      if let found = findDelimiter() { return (buffer[start..<found], false) }
      if start < end, delimiter == nil || end - start >= longest { return (buffer[start..<end], true) }
      if try !fill() { return start < end ? (buffer[start..<end], false) : nil }
    }
  }

  fileprivate func check(_ count: Int) throws(RecordTooLong) {
    if count > most { throw RecordTooLong(most: most) }
  }

  /// What is left when the input ended without a delimiter; nil when nothing is.
  func takeLast() throws(RecordTooLong) -> ArraySlice<UInt8>? {
    guard start < end else { return nil }
    try check(end - start)
    defer { start = end }
    return buffer[start..<end]
  }

  /// Reads more; false at the end of the input.
  func fill() throws -> Bool {
    // A terminal would be asked for another Ctrl-D.
    if isOver { return false }
    if start > 0 { looksForMark = false }
    if start == end { (start, scanned, end) = (0, 0, 0) }
    if start > 0, end + readSize > buffer.count {
      buffer.withUnsafeMutableBytes { bytes in
        bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
      }
      (scanned, end, start) = (scanned - start, end - start, 0)
    }
    let limit = min(end + readSize, buffer.count)
    let count = try buffer.withUnsafeMutableBytes { bytes in
      try source.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[end..<limit]))
    }
    end += count
    bytesRead += count
    whenRead?(bytesRead)
    isOver = count == 0
    passOverMark()
    return count > 0
  }

  private func passOverMark() {
    guard looksForMark, end >= Self.mark.count else { return }
    looksForMark = false
    if buffer[..<Self.mark.count] == Self.mark[...] { (start, scanned) = (Self.mark.count, Self.mark.count) }
  }

  /// U+FEFF in UTF-8.
  private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

  /// The next piece of a large record; nil after its last.
  ///
  /// `isOver` says that its delimiter, or the end, was seen.
  fileprivate func takePiece(_ isOver: inout Bool) throws -> ArraySlice<UInt8>? {
    if isOver { return nil }
    if start == end, try !fill() {
      isOver = true
      return nil
    }
    if let record = takeRecord() {
      isOver = true
      return record
    }
    defer { (start, scanned, end) = (0, 0, 0) }
    return buffer[start..<end]
  }

  /// The record that begins at `start`, if its delimiter was read.
  private func takeRecord() -> ArraySlice<UInt8>? {
    guard let found = findDelimiter() else { return nil }
    let record = buffer[start..<found]
    start = found + 1
    scanned = start
    return record
  }

  private func findDelimiter() -> Int? {
    guard let delimiter else { return nil }
    let found = buffer.withUnsafeBytes { bytes in
      System.position(of: delimiter, in: UnsafeRawBufferPointer(rebasing: bytes[scanned..<end]))
    }
    guard let found else {
      scanned = end
      return nil
    }
    return scanned + found
  }

  /// The pieces of a record: see ``RecordInput/Next/large(_:)``.
  struct Pieces: AsyncSequence, AsyncIteratorProtocol {
    fileprivate let input: RecordInput
    private var isOver = false
    private var count = 0

    fileprivate init(input: RecordInput) {
      self.input = input
    }

    func makeAsyncIterator() -> Pieces { self }

    mutating func next() async throws -> ArraySlice<UInt8>? { try takePiece() }

    mutating func next(isolation actor: isolated (any Actor)?) async throws -> ArraySlice<UInt8>? { try takePiece() }

    private mutating func takePiece() throws -> ArraySlice<UInt8>? {
      let piece = try input.takePiece(&isOver)
      count += piece?.count ?? 0
      try input.check(count)
      return piece
    }
  }
}
