public import Immuta
import ImmutaLocking
import Solid

/// A reader of a store whose position in each partition survives the process and the machine, and which shares the partitions
/// with others of its name: each message is delivered at least once, to one of them.
///
/// ```swift
/// let billing = try store.consumer("billing")
/// while let message = try await billing.next() {
///   try await charge(message)
///   try await billing.acknowledge(message)      // and all before it in its partition
/// }
/// ```
///
/// Get one with ``LogStore/consumer(_:startingAt:creating:)``: a member of the group of that name. The members, in one process or
/// in several, share the partitions evenly, and each partition has one member at a time. When a member joins, the others give up
/// the partitions beyond their share, each one once all its delivered messages are acknowledged. When a member leaves, or its
/// process dies, the others get its partitions. Or name the partitions, with
/// ``LogStore/consumer(_:partitions:startingAt:creating:)``: then it has just those, for as long as it is open.
///
/// Within a partition, messages come in their order. Between partitions there is no order: they take turns. A message that was
/// delivered but not acknowledged when a member closes or dies is delivered again, to another one. <doc:ConsumingTogether> says
/// what is promised, and what is not.
///
/// Several tasks may use one consumer: each message goes to one of them. But acknowledging one acknowledges all before it in its
/// partition, so tasks that work on several at once must acknowledge each partition's messages in order.
public final class MessageConsumer: Sendable {
  /// The consumer's name, and its group's.
  public let name: String
  /// What it reads.
  public let store: LogStore
  let holdings = Lock(Holdings())
  /// Counts the changes that waiters for a message must notice.
  let changes = Broadcaster()
  /// What it takes to be a member; nil where the partitions were named.
  let membership: Membership?
  let group: GroupFolder

  init(_ name: String, of store: LogStore, _ group: GroupFolder, sharing: Bool) {
    self.name = name
    self.store = store
    self.group = group
    membership = sharing ? Membership() : nil
  }

  deinit { close() }

  // MARK: Taking messages

  /// The next message of any partition that it has, waiting for it if need be; never nil.
  ///
  /// A partition that is about to move to another member gives no more messages. It moves when its delivered messages are
  /// acknowledged, or given back: so do not wait here for more messages before you acknowledge the ones that you have; use
  /// ``next(timeout:)``.
  ///
  /// - Throws: `CancellationError`; `.consumerClosed`, `.storageClosed`; `.recordRemoved` if retention removed the next message:
  ///   call `seek(to:in:)` to go on; `.corrupted`, `.io` of a message or of a partition's position, which names the partition.
  ///   The places stay, and the next call goes on with another partition.
  public func next() async throws -> StoredMessage? {
    try await take(until: nil, nextAtOnce)
  }

  /// The next message, or nil when none came in time. A timeout of zero or less takes a message that exists.
  ///
  /// - Throws: as ``next()``.
  public func next(timeout: Duration) async throws -> StoredMessage? {
    try await take(until: .after(timeout), nextAtOnce)
  }

  /// The next message if it is committed already; nil otherwise. Does not wait. O(partitions that it has).
  ///
  /// - Throws: as ``next()``, but for cancellation.
  public func nextAtOnce() throws(ImmutaError) -> StoredMessage? {
    try holdings.withLock { (holdings) throws(ImmutaError) in
      let next = try holdings.take { (consumer) throws(ImmutaError) in try consumer.nextAtOnce() }
      return next.map { StoredMessage($0.taken, partition: $0.partition) }
    }
  }

  /// The messages that come next in a partition, up to some 256 KiB. Waits for one if need be; never nil. Acknowledge them
  /// together, by `acknowledge(_:)`.
  ///
  /// - Throws: as ``next()``.
  public func nextBatch() async throws -> MessageBatch? {
    try await take(until: nil, nextBatchAtOnce)
  }

  /// The messages that come next in a partition, or nil when none came in time.
  ///
  /// - Throws: as ``next()``.
  public func nextBatch(timeout: Duration) async throws -> MessageBatch? {
    try await take(until: .after(timeout), nextBatchAtOnce)
  }

  /// The messages that come next in a partition, if one is committed already; nil otherwise. Does not wait.
  ///
  /// - Throws: as ``next()``, but for cancellation.
  public func nextBatchAtOnce() throws(ImmutaError) -> MessageBatch? {
    try holdings.withLock { (holdings) throws(ImmutaError) in
      let next = try holdings.take(most: 1) { (consumer) throws(ImmutaError) in try consumer.nextBatchAtOnce() }
      return next.map { MessageBatch($0.taken, partition: $0.partition) }
    }
  }

  /// What `next` gives, waiting while that is nothing; nil when the deadline passed first.
  private func take<Taken>(
    until deadline: ContinuousClock.Instant?, _ next: () throws(ImmutaError) -> Taken?
  ) async throws -> Taken? {
    var isInTime = true
    while true {
      try Task.checkCancellation()
      // Before it looks: what changes later ends the wait.
      let seen = changes.generation
      if let taken = try next() { return taken }
      if !isInTime { return nil }
      isInTime = try await wait(past: seen, until: deadline)
    }
  }

  /// Waits until there may be a message, or another partition. False when the deadline passed first.
  private func wait(past seen: Int, until deadline: ContinuousClock.Instant?) async throws -> Bool {
    if let deadline, deadline <= .now { return false }
    let changes = changes
    let streams = holdings.withLock { $0.waiting }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        if let deadline {
          _ = try await changes.wait(past: seen, until: deadline)
        } else {
          _ = try await changes.wait(past: seen)
        }
      }
      for stream in streams { group.addTask { try await stream.waitForRecord(until: deadline) } }
      // The first decides; the others stop waiting.
      defer { group.cancelAll() }
      try await group.next()
    }
    return deadline.map { .now < $0 } ?? true
  }
}
