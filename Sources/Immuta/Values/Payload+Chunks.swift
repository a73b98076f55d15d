extension Payload {
  /// The bytes in pieces of at most `size` bytes, in order: an ordinary sequence, and an asynchronous one that
  /// `append` takes.
  ///
  /// Use it to read a payload that is larger than memory: the pages of a large record leave memory after the iterator
  /// has passed them, so copying a gigabyte takes the memory of two pieces.
  ///
  /// Where a codec is in use, or the log is open for reading only, a payload of more than 1 MiB is decoded or read on
  /// the way. That this works was checked when its record was delivered. If it fails all the same, because the file or
  /// the codec has changed since, the asynchronous sequence throws `.undecodable`, `.corrupted` or `.io`. The ordinary
  /// one cannot throw, and traps. ``forEachChunk(ofSize:_:)`` throws, too.
  ///
  /// - Precondition: `size > 0`.
  public func chunks(ofSize size: Int = 256 << 10) -> Chunks {
    precondition(size > 0, "a chunk needs at least one byte")
    return Chunks(payload: self, size: size)
  }

  /// Calls `body` with each piece of at most `size` bytes, in order, as ``chunks(ofSize:)`` gives them, and throws
  /// where that traps.
  ///
  /// ```swift
  /// try record.payload.forEachChunk { chunk in try file.write(chunk) }
  /// ```
  ///
  /// - Precondition: `size > 0`.
  /// - Throws: what `body` throws; `.undecodable` when a large payload that is stored transformed cannot be decoded any
  ///   more. The pieces before it were good.
  public func forEachChunk(ofSize size: Int = 256 << 10, _ body: (Payload) throws -> Void) throws {
    var iterator = chunks(ofSize: size).makeIterator()
    while let chunk = try iterator.nextOrThrow() { try body(chunk) }
  }

  /// The same bytes in memory. This is the payload itself, unless it is a large one that is stored transformed. Then it
  /// is decoded whole, once, and no use of the result can fail.
  ///
  /// O(`count`) then, O(1) otherwise.
  ///
  /// - Throws: `.undecodable` when it cannot be decoded any more, though it could when its record was delivered.
  public func inMemory() throws(ImmutaError) -> Payload {
    guard let deferred else { return self }
    return try deferred.inMemory()
  }

  /// The pieces of a payload: see ``Payload/chunks(ofSize:)``.
  public struct Chunks: Sequence, AsyncSequence, Sendable {
    fileprivate let payload: Payload
    fileprivate let size: Int

    /// Starts at the first piece. O(1).
    public func makeIterator() -> ChunkIterator { ChunkIterator(payload: payload, size: size) }
    /// Starts at the first piece. O(1).
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(chunks: makeIterator()) }

    /// Goes through the pieces of a payload, and throws `.undecodable` if it cannot go on.
    public struct AsyncIterator: AsyncIteratorProtocol, Sendable {
      fileprivate var chunks: ChunkIterator

      /// The next piece, a view that stays valid as long as it is held; nil after the last. Never waits.
      public mutating func next() async throws(ImmutaError) -> Payload? { try chunks.nextOrThrow() }

      /// The same, without leaving the caller's executor.
      public mutating func next(
        isolation actor: isolated (any Actor)?
      ) async throws(ImmutaError) -> Payload? {
        try chunks.nextOrThrow()
      }
    }
  }

  /// Goes through the pieces of a payload.
  public struct ChunkIterator: IteratorProtocol, Sendable {
    fileprivate let payload: Payload
    fileprivate let size: Int
    private var position = 0
    private var previous: Range<Int>?
    /// Where the payload is read or decoded on the way.
    private var session: (any PayloadSession)?

    fileprivate init(payload: Payload, size: Int) {
      self.payload = payload
      self.size = size
      session = payload.deferred?.begin()
    }

    /// The next piece, a view that stays valid as long as it is held; nil after the last. O(1); O(`size`) where a large payload
    /// is decoded on the way. A copy of an iterator that is under way decodes it again from its start.
    ///
    /// Traps when such a payload cannot be decoded any more: see ``Payload/forEachChunk(ofSize:_:)``.
    public mutating func next() -> Payload? {
      Payload.orTrap { () throws(ImmutaError) in try nextOrThrow() }
    }

    /// The same, but throws `.undecodable` where that traps.
    package mutating func nextOrThrow() throws(ImmutaError) -> Payload? {
      if let previous { payload.mapping?.forgetPayload(previous) }
      guard position < payload.count else { return nil }
      let range = position..<Swift.min(position + size, payload.count)
      let piece = try fetch(range) ?? payload.slice(range)
      previous = range
      position = range.upperBound
      return piece
    }

    /// Nil where the bytes are in memory.
    private mutating func fetch(_ range: Range<Int>) throws(ImmutaError) -> Payload? {
      guard let deferred = payload.deferred, let session else { return nil }
      if let piece = try session.next(from: range.lowerBound, size: range.count) { return piece }
      // A copy of this iterator moved the shared session on: from here on each has its own.
      let own = deferred.begin()
      self.session = own
      return try own.next(from: range.lowerBound, size: range.count)
    }
  }

  /// A view of part of the bytes, sharing their owner.
  private func slice(_ range: Range<Int>) -> Payload {
    unsafe withUnsafeBytes { bytes in
      unsafe Payload(UnsafeRawBufferPointer(rebasing: bytes[range]), owner: owner)
    }
  }
}
