public import Immuta

extension LogStore {
  /// The messages of one partition: those that exist, then those to come, in order. Never fails: the stream's first `next()`
  /// throws the error of a missing partition or a closed store.
  public func stream(
    partition: Int, from position: StreamPosition = .beginning, only visibility: StreamVisibility = .committed
  ) -> MessageStream {
    stream(partitions: [partition], from: position, only: visibility)
  }

  /// The messages of several partitions as one stream, each partition's in their order.
  ///
  /// Between partitions, existing messages are delivered in the order of their commit times; a message that comes later is
  /// delivered when it comes. Two streams may therefore interleave the same partitions differently. Where a clock was wrong, the
  /// order is that of `clockTime(of:)` of `Log`; a message whose time is unknown comes right after the one before it in its
  /// partition.
  ///
  /// - Parameters:
  ///   - partitions: their numbers, each once; nil for all.
  ///   - position: where the stream begins, in each of them.
  ///   - visibility: which messages it delivers.
  public func stream(
    partitions: [Int]? = nil, from position: StreamPosition = .beginning,
    only visibility: StreamVisibility = .committed
  ) -> MessageStream {
    let numbers = partitions ?? Array(0..<partitionCount)
    return stream(from: Dictionary(numbers.map { ($0, position) }) { first, _ in first }, only: visibility)
  }

  /// The same, from a position of its own in each partition: to go on where ``MessageStream/positions`` was.
  public func stream(
    from positions: [Int: StreamPosition], only visibility: StreamVisibility = .committed
  ) -> MessageStream {
    var sources: [MessageStream.Source] = []
    for (number, position) in positions.sorted(by: { $0.key < $1.key }) {
      do throws(ImmutaError) {
        let log = try log(number)
        sources.append(MessageStream.Source(number, log, log.stream(from: position, only: visibility)))
      } catch {
        return MessageStream(failing: error)
      }
    }
    return MessageStream(sources)
  }
}

/// Messages of one or several partitions: those that exist, then those to come.
///
/// To take messages one at a time, and to keep the place between two loops or in an actor, use a ``MessageReader``.
///
/// A stream is a value: a position in each partition, and what was read ahead. It never skips a message: when `next`
/// throws, the positions stay. It ends only by an error: `CancellationError`, `.storageClosed`, `.corrupted` at a
/// damaged message.
public struct MessageStream: AsyncSequence, AsyncIteratorProtocol, Sendable {
  /// What a stream delivers.
  public typealias Element = StoredMessage

  /// A partition, its stream, and the next message of it, if that was read already.
  struct Source: Sendable {
    let partition: Int
    var stream: RecordStream
    private(set) var head: Record?
    /// The time that orders the head among the heads of other partitions.
    private(set) var time = Timestamp(nanosecondsSince1970: .min)
    private let log: Log
    /// A timestamp that was not later than the clock, so that none before it is.
    private var latest = Timestamp(nanosecondsSince1970: .min)

    init(_ partition: Int, _ log: Log, _ stream: RecordStream) {
      self.partition = partition
      self.log = log
      self.stream = stream
    }

    /// Makes sure that there is a head, if there is a message.
    mutating func readHead() throws(ImmutaError) {
      guard head == nil, let record = try stream.nextAtOnce() else { return }
      head = record
      // Mostly nothing is asked; of many records, each once, where they are as new as the clock.
      if record.timestamp > latest {
        // A time that nobody knows: the message is delivered right after the one before it.
        guard let found = log.clockTime(of: record) else { return }
        time = found
        if found == record.timestamp { latest = found }
      } else {
        time = record.timestamp
      }
    }

    mutating func takeHead() -> Record? {
      defer { head = nil }
      return head
    }
  }

  private var sources: [Source]
  private let failure: ImmutaError?

  init(_ sources: [Source]) {
    self.sources = sources
    failure =
      sources.isEmpty ? .invalidConfiguration("a stream of no partitions delivers nothing: name at least one") : nil
  }

  init(failing error: ImmutaError) {
    sources = []
    failure = error
  }

  /// By partition, the number of the message that comes next.
  public var positions: [Int: StreamPosition] {
    Dictionary(
      uniqueKeysWithValues: sources.map { ($0.partition, .skipping($0.head?.sequence ?? $0.stream.position)) })
  }

  /// The stream itself, from its positions on. O(1).
  public func makeAsyncIterator() -> MessageStream { self }

  /// The next message, waiting for it if need be; never nil.
  ///
  /// - Throws: `CancellationError`, `.partitionNotFound`, `.storageClosed`, `.corrupted`, `.io`.
  public mutating func next() async throws -> StoredMessage? {
    try await next(isolation: #isolation)
  }

  /// The next message, on the caller's actor.
  public mutating func next(isolation actor: isolated (any Actor)?) async throws -> StoredMessage? {
    while true {
      try Task.checkCancellation()
      if let message = try nextAtOnce() { return message }
      try await waitForNext(until: nil)
    }
  }

  /// The next message, or nil when none came in time. A timeout of zero or less takes a message that exists.
  ///
  /// - Throws: as `next()`.
  public mutating func next(timeout: Duration) async throws -> StoredMessage? {
    let deadline = ContinuousClock.Instant.after(timeout)
    while true {
      try Task.checkCancellation()
      if let message = try nextAtOnce() { return message }
      if ContinuousClock.now >= deadline { return nil }
      try await waitForNext(until: deadline)
    }
  }

  /// The next message if one is committed already; nil otherwise. Does not wait. O(partitions of the stream).
  ///
  /// - Throws: as `next()`, but for cancellation.
  public mutating func nextAtOnce() throws(ImmutaError) -> StoredMessage? {
    if let failure { throw failure }
    if sources.count == 1 {
      guard let record = try sources[0].stream.nextAtOnce() else { return nil }
      return StoredMessage(record, partition: sources[0].partition)
    }
    var earliest: (position: Int, time: Timestamp)?
    for position in sources.indices {
      try sources[position].readHead()
      guard sources[position].head != nil else { continue }
      if let earliest, earliest.time <= sources[position].time { continue }
      earliest = (position, sources[position].time)
    }
    guard let earliest, let record = sources[earliest.position].takeHead() else { return nil }
    return StoredMessage(record, partition: sources[earliest.position].partition)
  }

  /// Waits until there may be a message in any of the partitions, or the deadline has passed.
  func waitForNext(until deadline: ContinuousClock.Instant?) async throws {
    if sources.count == 1 { return try await sources[0].stream.waitForRecord(until: deadline) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for source in sources {
        let stream = source.stream
        group.addTask { try await stream.waitForRecord(until: deadline) }
      }
      // The first decides; the others stop waiting.
      defer { group.cancelAll() }
      try await group.next()
    }
  }
}
