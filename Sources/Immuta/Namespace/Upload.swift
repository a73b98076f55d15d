import ImmutaLocking

/// A payload that comes in chunks, received before it has a place in the log: its source may be slow, and holds up
/// nobody.
///
/// `@unchecked Sendable`: used by one task at a time. The task that receives comes first, and the task that appends waits for it.
final class Upload: @unchecked Sendable {
  /// How many bytes are held in memory; when more come, these are written to the file first.
  static let mostInMemory = 1 << 20

  private let writer: LogWriter
  private let limit: Int?
  private var memory: [UInt8] = []
  private var spill: SpillFile?
  private(set) var count = 0
  /// Also read by the task that waits for the next chunk.
  private let lastChunk = Lock(ContinuousClock.now)

  private init(_ writer: LogWriter, limit: Int?) {
    self.writer = writer
    self.limit = limit
  }

  /// The payload, if all of it is in memory.
  var inMemory: [UInt8]? { spill == nil ? memory : nil }

  // MARK: Receiving

  /// Returns when the source has ended.
  ///
  /// - Parameters:
  ///   - limit: bytes that the payload may have; nil for any number.
  ///   - idleTimeout: how long the source may give nothing; nil for ever.
  static func receive<Chunks: AsyncSequence>(
    _ chunks: Chunks, for writer: LogWriter, limit: Int?, idleTimeout: Duration?
  ) async throws -> Upload where Chunks.Element: Collection<UInt8> {
    try writer.reader.checkOpen()
    let upload = Upload(writer, limit: limit)
    if let idleTimeout {
      try await upload.receive(chunks, within: idleTimeout)
    } else {
      for try await chunk in chunks { try upload.add(chunk) }
    }
    return upload
  }

  private func receive<Chunks: AsyncSequence>(_ chunks: Chunks, within idleTimeout: Duration) async throws
  where Chunks.Element: Collection<UInt8> {
    let source = Source {
      for try await chunk in chunks {
        self.lastChunk.withLock { $0 = .now }
        try self.add(chunk)
      }
    }
    try await withThrowingTaskGroup(of: Bool.self) { group in
      group.addTask {
        try await source.read()
        return true
      }
      group.addTask {
        var end = ContinuousClock.now + idleTimeout
        while end > .now {
          try await Task.sleep(until: end, clock: .continuous)
          end = self.lastChunk.withLock { $0 } + idleTimeout
        }
        return false
      }
      // The first task to end decides; the other is cancelled and awaited.
      defer { group.cancelAll() }
      let isComplete = try await group.next() ?? false
      if !isComplete { throw ImmutaError.uploadStalled(idleTimeout) }
    }
  }

  /// `@unchecked Sendable`: the caller waits for the task that has the source, and does not touch it meanwhile.
  private struct Source: @unchecked Sendable {
    let read: () async throws -> Void
  }

  private func add(_ chunk: some Collection<UInt8>) throws {
    // A sender need not send the whole payload to a log that is closed.
    try writer.reader.checkOpen()
    try unsafe withBytes(of: chunk) { (bytes) throws(ImmutaError) in try unsafe add(bytes) }
  }

  private func add(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) {
    let (sum, overflow) = count.addingReportingOverflow(bytes.count)
    if overflow { throw .recordTooLarge }
    if let limit, sum > limit { throw .uploadTooLarge(limit: limit) }
    try writer.checkPayload(size: sum)
    count = sum
    var position = 0
    while position < bytes.count {
      if memory.count == Self.mostInMemory { try spillMemory() }
      let more = min(bytes.count - position, Self.mostInMemory - memory.count)
      unsafe memory.append(contentsOf: bytes[position..<position + more])
      position += more
    }
  }

  private func spillMemory() throws(ImmutaError) {
    if spill == nil { spill = try io(SpillFile(beside: writer.files, masked: writer.isTransforming)) }
    try io(spill?.append(&memory))
    memory.removeAll(keepingCapacity: true)
  }

  // MARK: Appending

  /// Calls `body` with the payload, a piece at a time.
  func forEachPiece(_ body: (UnsafeRawBufferPointer) throws(ImmutaError) -> Void) async throws {
    if let spill {
      var piece = [UInt8](repeating: 0, count: Self.mostInMemory)
      for position in stride(from: 0, to: spill.count, by: piece.count) {
        try io(spill.read(into: &piece, at: position))
        try unsafe piece.withBytes { (bytes) throws(ImmutaError) in try unsafe body(bytes) }
        // Copying a large payload takes long; lets other tasks use the thread.
        await Task.yield()
      }
    }
    try unsafe memory.withBytes { (bytes) throws(ImmutaError) in try unsafe body(bytes) }
  }
}
