public import Immuta
import ImmutaLocking

/// A place in the messages of one or several partitions that moves on with each message taken: for taking messages one at
/// a time.
///
/// ```swift
/// let reader = store.reader(partition: 0, from: .beginning)
/// while let message = try await reader.next(timeout: .seconds(1)) {
///   print(message.offset, message.text)
/// }
/// ```
///
/// It is to a ``MessageStream`` what `RecordReader` is to `RecordStream`: an object that keeps its place, which can be a
/// `let` of an actor, or at the top level of a main.swift. It may be called from several tasks at once; each message then
/// goes to one of them.
public final class MessageReader: Sendable {
  private let stream: Lock<MessageStream>

  init(_ stream: MessageStream) {
    self.stream = Lock(stream)
  }

  /// By partition, the number of the message that comes next.
  public var positions: [Int: StreamPosition] { stream.withLock { $0.positions } }

  /// The next message, waiting for it if need be; never nil.
  ///
  /// - Throws: `CancellationError`, `.partitionNotFound`, `.storageClosed`, `.corrupted`, `.io`. The positions stay,
  ///   whatever is thrown.
  public func next() async throws -> StoredMessage? {
    while true {
      try Task.checkCancellation()
      if let message = try nextAtOnce() { return message }
      try await stream.withLock { $0 }.waitForNext(until: nil)
    }
  }

  /// The next message, or nil when none came in time. A timeout of zero or less takes a message that exists.
  ///
  /// - Throws: as `next()`.
  public func next(timeout: Duration) async throws -> StoredMessage? {
    let deadline = ContinuousClock.Instant.after(timeout)
    while true {
      try Task.checkCancellation()
      if let message = try nextAtOnce() { return message }
      if ContinuousClock.now >= deadline { return nil }
      try await stream.withLock { $0 }.waitForNext(until: deadline)
    }
  }

  /// The next message if one is committed already; nil otherwise. Does not wait. O(partitions of the reader).
  ///
  /// - Throws: as `next()`, but for cancellation.
  public func nextAtOnce() throws(ImmutaError) -> StoredMessage? {
    try stream.withLock { (stream) throws(ImmutaError) in try stream.nextAtOnce() }
  }
}

extension LogStore {
  /// A reader of the messages of one partition: those that exist, then those to come, in order. Never fails: the reader's first
  /// `next()` throws the error of a missing partition or a closed store.
  public func reader(
    partition: Int, from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> MessageReader {
    MessageReader(stream(partition: partition, from: position, only: visibility))
  }

  /// A reader of the messages of several partitions, each partition's in their order: see
  /// ``stream(partitions:from:only:)``.
  public func reader(
    partitions: [Int]? = nil, from position: StreamPosition = .beginning,
    only visibility: StreamVisibility = .committed
  ) -> MessageReader {
    MessageReader(stream(partitions: partitions, from: position, only: visibility))
  }

  /// The same, from a position of its own in each partition: to go on where ``MessageReader/positions`` was.
  public func reader(
    from positions: [Int: StreamPosition], only visibility: StreamVisibility = .committed
  ) -> MessageReader {
    MessageReader(stream(from: positions, only: visibility))
  }
}
