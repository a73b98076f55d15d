/// The bytes of a large payload that are not in memory yet: they are fetched when they are asked for, in pieces, or whole.
///
/// That they can be fetched was checked when the record was delivered. If it fails all the same, because the file or the codec
/// changed since, these throw.
protocol DeferredPayload: AnyObject, Sendable {
  /// How many bytes there are.
  var count: Int { get }
  /// All of them, in memory from now on.
  func inMemory() throws(ImmutaError) -> Payload
  /// Reads them from the start.
  func begin() -> any PayloadSession
}

extension DeferredPayload {
  /// All of them, for callers that cannot receive an error.
  func inMemoryOrTrap() -> Payload {
    Payload.orTrap(inMemory)
  }
}

/// Reads a payload from its start to its end, for one iterator. A copy of that iterator shares the session, until one of the two
/// finds that the other moved it on, and begins a session of its own.
protocol PayloadSession: AnyObject, Sendable {
  /// Up to `size` bytes of the payload from a position on; nil when the session is at another position. A new session can go to
  /// any position.
  func next(from position: Int, size: Int) throws(ImmutaError) -> Payload?
}

/// Holds the bytes of a large payload as a mapping of its file, whose memory can be given back.
protocol MappedPayload: AnyObject, Sendable {
  /// Gives back the memory of some of the payload's bytes, which stay readable.
  func forgetPayload(_ range: Range<Int>)
}

extension Payload {
  static func orTrap<R>(_ body: () throws(ImmutaError) -> R) -> R {
    do throws(ImmutaError) {
      return try body()
    } catch {
      preconditionFailure(
        "a payload that could be read when its record was delivered cannot be now; to have this as an error, "
          + "read it with `try payload.inMemory()` or `try payload.forEachChunk { … }`. \(error)")
    }
  }
}
