public import Immuta
import ImmutaLocking
import Solid

// How far a consumer has come in each partition.

extension MessageConsumer {
  /// The partitions that it has now, in order. O(partitions that it has).
  public var partitions: [Int] { holdings.withLock { $0.partitions } }

  /// The number of the first message of a partition that was not acknowledged, whichever member has the partition. O(1) if this
  /// consumer has it; otherwise a few small reads.
  ///
  /// - Throws: `.partitionNotFound`; `.consumerNotFound` where the consumer has no position in the partition, `.corrupted` and
  ///   what else may be wrong with that; `.storageClosed`, `.io`.
  public func position(of partition: Int) throws(ImmutaError) -> Int {
    if let held = held(partition) { return held.position }
    return try details(of: partition).position ?? 0
  }

  /// How many messages of a partition exist that were not acknowledged, whichever member has the partition.
  ///
  /// - Throws: as ``position(of:)``.
  public func lag(of partition: Int) throws(ImmutaError) -> Int {
    if let held = held(partition) { return held.lag }
    return try details(of: partition).lag ?? 0
  }

  /// How many messages exist, in the partitions that it has now, that were not acknowledged. O(partitions that it has). Of the
  /// whole group: ``LogStore/consumers``.
  public var lag: Int {
    holdings.withLock { $0.consumers }.reduce(0) { $0 + $1.lag }
  }

  private func held(_ partition: Int) -> Consumer? {
    let name = name
    return holdings.withLock { try? $0.consumer(of: partition, for: name) }
  }

  private func details(of partition: Int) throws(ImmutaError) -> ConsumerDetails {
    guard let details = try store.log(partition).details(ofConsumer: name) else {
      throw .consumerNotFound(name).of("\(partition)")
    }
    if let fault = details.fault { throw fault }
    return details
  }

  /// Acknowledges a message and all before it in its partition; does nothing where that was done already. One small write; with
  /// `.synced` also a flush, which all callers share that acknowledge meanwhile.
  ///
  /// - Throws: `.partitionNotHeld` where the message was not acknowledged while this consumer had its partition: it is delivered
  ///   again; `.consumerClosed`, `.storageClosed`, `.positionBeyondEnd`, `.logMoved`, `.io`. The position stays, but for a flush
  ///   that failed.
  public func acknowledge(_ message: StoredMessage) async throws {
    try await acknowledge(message.record, in: message.partition)
  }

  /// Acknowledges all messages of a batch and those before it: one small write.
  ///
  /// - Throws: as of a message.
  public func acknowledge(_ batch: MessageBatch) async throws {
    try await acknowledge(batch.records[batch.count - 1], in: batch.partition)
  }

  private func acknowledge(_ record: Record, in partition: Int) async throws {
    guard let held = try holder(of: partition, through: record.sequence) else { return }
    do {
      try await held.acknowledge(record)
    } catch {
      if try isGivenUp(error, partition, record.sequence) { return }
      throw error
    }
    noteIdle(partition)
  }

  /// Gives back a message and all after it in its partition. They are delivered again, as if they had not been: by this consumer,
  /// or by the member that gets the partition. Does nothing if the message was acknowledged, or if this consumer does not have
  /// the partition any more.
  public func giveBack(_ message: StoredMessage) {
    let name = name
    holdings.withLock { holdings in
      try? holdings.consumer(of: message.partition, for: name)?.deliverAgain(from: message.sequence)
    }
    changes.notify()
    noteIdle(message.partition)
  }

  /// Moves the consumer in a partition that it has, forward or back: it goes on there, also after a crash.
  ///
  /// - Throws: `.partitionNotHeld`, `.recordRemoved`, `.positionBeyondEnd`, `.foreignPosition`, `.invalidPosition`, `.consumerClosed`,
  ///   `.storageClosed`, `.io`; the position stays.
  public func seek(to position: StreamPosition, in partition: Int) async throws {
    try await holder(of: partition)?.seek(to: position)
    noteMove(partition)
  }

  private func holder(of partition: Int, through sequence: Int? = nil) throws(ImmutaError) -> Consumer? {
    let name = name
    return try holdings.withLock { (holdings) throws(ImmutaError) in
      try holdings.consumer(of: partition, through: sequence, for: name)
    }
  }

  /// Whether the partition was given up meanwhile, with the message acknowledged: another task has acknowledged one after it.
  private func isGivenUp(_ error: any Error, _ partition: Int, _ sequence: Int) throws(ImmutaError) -> Bool {
    guard let error = error as? ImmutaError, case .consumerClosed = error else { return false }
    return try holder(of: partition, through: sequence) == nil
  }

  /// A partition that waited to be given up can move now.
  private func noteIdle(_ partition: Int) {
    guard let membership else { return }
    if holdings.withLock({ $0.isDue(partition) }) { membership.lookSoon() }
  }

  private func noteMove(_ partition: Int) {
    changes.notify()
    noteIdle(partition)
  }
}

// The same for code that is not async.
extension MessageConsumer {
  /// Acknowledges a message and all before it in its partition. Blocks for the flush in `.synced`.
  public func acknowledge(_ message: StoredMessage) throws(ImmutaError) {
    try acknowledge(message.record, in: message.partition)
  }

  /// Acknowledges all messages of a batch and those before it. Blocks for the flush in `.synced`.
  public func acknowledge(_ batch: MessageBatch) throws(ImmutaError) {
    try acknowledge(batch.records[batch.count - 1], in: batch.partition)
  }

  /// Moves the consumer in a partition that it has. Blocks for the flush in `.synced`.
  public func seek(to position: StreamPosition, in partition: Int) throws(ImmutaError) {
    try holder(of: partition)?.seek(to: position)
    noteMove(partition)
  }

  private func acknowledge(_ record: Record, in partition: Int) throws(ImmutaError) {
    guard let held = try holder(of: partition, through: record.sequence) else { return }
    do throws(ImmutaError) {
      try held.acknowledge(record)
    } catch {
      if try isGivenUp(error, partition, record.sequence) { return }
      throw error
    }
    noteIdle(partition)
  }
}
