/// Where a transformer puts its bytes: memory that grows as needed and is used again.
@safe public final class TransformOutput {
  private var memory: UnsafeMutableRawPointer
  private var capacity: Int
  /// Bytes appended and not yet taken away.
  public private(set) var count = 0
  /// From this size on it is full.
  var mark = TransformOutput.pieceSize

  /// Bytes that are taken away at a time.
  static let pieceSize = 64 << 10
  /// Memory kept for the next record at most.
  private static let largestKept = 1 << 20

  /// An empty output.
  public init() {
    capacity = 4096
    unsafe memory = .allocate(byteCount: 4096, alignment: 16)
  }

  deinit {
    unsafe memory.deallocate()
  }

  /// Whether it is time to let the bytes be taken away. Appending more is possible, but costs memory.
  public var isFull: Bool { count >= mark }

  /// Appends a byte. O(1) on average.
  public func append(_ byte: UInt8) {
    reserve(1)
    unsafe memory.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
    count += 1
  }

  /// Appends bytes. O(bytes).
  public func append(_ bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes { unsafe append(copying: $0) }
  }

  /// Appends bytes. O(bytes).
  public func append(_ bytes: some Collection<UInt8>) {
    if bytes.withContiguousStorageIfAvailable({ unsafe append(copying: UnsafeRawBufferPointer($0)) }) == nil {
      for byte in bytes { append(byte) }
    }
  }

  private func append(copying bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress, bytes.count > 0 else { return }
    reserve(bytes.count)
    unsafe (memory + count).copyMemory(from: source, byteCount: bytes.count)
    count += bytes.count
  }

  /// Appends what `body` puts at the start of the memory it is given, `room` bytes, valid only until it returns; for C
  /// functions.
  ///
  /// - Parameters:
  ///   - room: bytes of memory; by default about as much as is left before the output is full.
  ///   - body: returns how many bytes it made.
  public func append<E: Error>(
    room: Int? = nil, _ body: (UnsafeMutableRawBufferPointer) throws(E) -> Int
  ) throws(E) {
    let room = room ?? min(max(mark - count, 4096), Self.pieceSize)
    reserve(room)
    let made = try unsafe body(UnsafeMutableRawBufferPointer(start: memory + count, count: room))
    precondition(made >= 0 && made <= room, "\(made) bytes were made in \(room) bytes of memory")
    count += made
  }

  /// Calls `body` with the bytes, which are valid only until it returns. O(1), no copy.
  package func withBytes<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
    try unsafe body(RawSpan(_unsafeBytes: bytes))
  }

  /// The bytes, valid until the next change.
  var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: memory, count: count) }

  /// Removes the bytes; the memory stays. Not for transformers: the code that runs them counts their output.
  package func removeAll() {
    count = 0
  }

  /// Takes the bytes away, and memory of an unusual size with them.
  func reset() {
    count = 0
    if capacity > Self.largestKept + Self.pieceSize { replaceMemory(Self.pieceSize) }
  }

  private func reserve(_ more: Int) {
    let (needed, overflow) = count.addingReportingOverflow(more)
    precondition(!overflow, "an output of more than \(Int.max) bytes")
    if needed > capacity { replaceMemory(max(needed, capacity.multipliedReportingOverflow(by: 2).partialValue)) }
  }

  private func replaceMemory(_ capacity: Int) {
    let new = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    unsafe new.copyMemory(from: memory, byteCount: count)
    unsafe memory.deallocate()
    unsafe memory = new
    self.capacity = capacity
  }
}
