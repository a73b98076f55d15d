// A log in this process, seen as any log. It has most of what the protocol asks for already; this file has the rest.

extension Log: AppendOnlyLog {
  /// A record: ``Record``.
  public typealias Entry = Record
  /// Its records, as they come: ``RecordStream``.
  public typealias Entries = RecordStream
  /// A reader of it whose position is kept: ``Consumer``.
  public typealias EntryConsumer = Consumer
  /// What appending one record returns: ``Receipt``.
  public typealias AppendReceipt = Receipt
  /// What appending several records returns: ``Receipts``.
  public typealias BatchReceipt = Receipts

  /// Records and batches of any size, which survive what the storage's durability says. O(1).
  public var limits: LogLimits {
    LogLimits(maximumRecordBytes: nil, maximumBatchRecords: nil, survives: durability == .synced ? .machine : .process)
  }

  /// The committed records from a position on: those that exist, then those to come; as ``stream(from:only:)``. O(1), from
  /// `.time` O(log n).
  @inlinable
  public func stream(from position: StreamPosition) -> RecordStream { stream(from: position, only: .committed) }

  /// Whether an append of another log was appended here: never. The outcome of each append to a log in this process is known:
  /// it never throws ``ImmutaError/outcomeUnknown(_:reason:)``. O(1).
  ///
  /// - Throws: `.storageClosed`.
  public func outcome(of append: UnknownAppend) async throws -> AppendOutcome {
    try checkOpen()
    return .notAppended
  }

  /// Closes the namespace, as `shutdown(_:)` of ``Storage`` does, and throws what went wrong. Its storage does not know it any
  /// more; the storage's other namespaces go on. It waits without blocking a thread that runs tasks.
  ///
  /// - Throws: `.io` when something could not be written or flushed, now or before; `.logMoved`.
  public func shutdown() async throws {
    try await Thread.run {
      do throws(ImmutaError) {
        // An owner that was released knows no log.
        if let owner = self.owner {
          try owner.close(self)
        } else if let failure = self.close() {
          throw failure
        }
      } catch {
        return error
      }
      return nil
    }
  }
}

extension RecordStream: LogStream {}

extension Consumer: LogConsumer {
  /// Closes the consumer as ``close()`` does, and throws what went wrong. It waits without blocking a thread that runs tasks.
  ///
  /// - Throws: `.io` when the position could not be put on stable storage; `.logMoved`. The consumer is closed all the same.
  public func shutdown() async throws {
    try await Thread.run { self.closeReporting() }
  }
}
