extension Payload {
  /// The bytes in pieces of at most `size` bytes, in order: an ordinary sequence, and an asynchronous one that
  /// `append` takes.
  ///
  /// This is how a payload larger than memory is read: the pages of a large record leave memory behind the iterator, so
  /// that copying a gigabyte takes the memory of two pieces.
  ///
  /// - Precondition: `size > 0`.
  public func chunks(ofSize size: Int = 256 << 10) -> Chunks {
    precondition(size > 0, "a chunk needs at least one byte")
    return Chunks(payload: self, size: size)
  }

  /// The pieces of a payload: see ``Payload/chunks(ofSize:)``.
  public struct Chunks: Sequence, AsyncSequence, Sendable {
    fileprivate let payload: Payload
    fileprivate let size: Int

    /// Starts at the first piece. O(1).
    public func makeIterator() -> ChunkIterator { ChunkIterator(payload: payload, size: size) }
    /// Starts at the first piece. O(1).
    public func makeAsyncIterator() -> ChunkIterator { makeIterator() }
  }

  /// Goes through the pieces of a payload.
  public struct ChunkIterator: IteratorProtocol, AsyncIteratorProtocol, Sendable {
    fileprivate let payload: Payload
    fileprivate let size: Int
    private var position = 0
    private var previous: Range<Int>?
    /// Where the payload is decoded on the way.
    private let session: DecodingSession?

    fileprivate init(payload: Payload, size: Int) {
      self.payload = payload
      self.size = size
      session = payload.decoded.map { DecodingSession($0) }
    }

    /// The next piece, a view that stays valid as long as it is held; nil after the last. O(1); O(`size`)
    /// where a large payload is decoded on the way.
    public mutating func next() -> Payload? {
      if let previous { payload.mapping?.forgetPayload(previous) }
      guard position < payload.count else { return nil }
      let range = position..<Swift.min(position + size, payload.count)
      previous = range
      position = range.upperBound
      if let session { return session.next(from: range.lowerBound, size: range.count) }
      return payload.slice(range)
    }
  }

  /// A view of part of the bytes, sharing their owner.
  private func slice(_ range: Range<Int>) -> Payload {
    unsafe withUnsafeBytes { bytes in
      unsafe Payload(UnsafeRawBufferPointer(rebasing: bytes[range]), owner: owner)
    }
  }
}
