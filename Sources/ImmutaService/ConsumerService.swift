#if Service
  public import Immuta
  public import ServiceLifecycle
  import Tracing

  /// Follows a log by a durable consumer in a `ServiceGroup`: batches of records, each acknowledged once your code is done with it.
  ///
  /// ```swift
  /// let billing = ConsumerService(try events.consumer("billing")) { batch in
  ///   for record in batch { try await charge(record) }
  /// }
  /// ```
  ///
  /// When the group shuts down, it finishes the batch that it has, acknowledges it, and ends. If your code throws, `run()` throws the
  /// same, and the batch is not acknowledged: it comes again when the consumer is opened next. So your code must tolerate to be
  /// called twice with the same record, as for any consumer.
  ///
  /// Each batch is a span, `immuta.process`, so what your code does for it is found under one trace. Its attributes are
  /// `immuta.namespace`, `immuta.consumer`, `immuta.first` (the number of its first record) and `immuta.records` (how many).
  public struct ConsumerService: Service {
    private let consumer: Consumer
    private let body: @Sendable (RecordBatch) async throws -> Void

    /// - Parameters:
    ///   - consumer: nobody else takes records from it meanwhile. It is open until its log is closed.
    ///   - body: called with one batch after the other.
    public init(_ consumer: Consumer, _ body: @escaping @Sendable (_ batch: RecordBatch) async throws -> Void) {
      self.consumer = consumer
      self.body = body
    }

    /// Processes batches until a graceful shutdown begins.
    ///
    /// - Throws: what your code throws; as `nextBatch()` and `acknowledge(_:)` of the consumer; `CancellationError` if the task is
    ///   cancelled.
    public func run() async throws {
      while let batch = try await nextBatch() {
        try await withSpan("immuta.process", ofKind: .consumer) { span in
          span.attributes["immuta.namespace"] = consumer.log.namespace
          span.attributes["immuta.consumer"] = consumer.name
          span.attributes["immuta.first"] = batch[0].sequence
          span.attributes["immuta.records"] = batch.count
          try await body(batch)
          try await consumer.acknowledge(batch)
        }
      }
    }

    /// Nil once a graceful shutdown has begun.
    private func nextBatch() async throws -> RecordBatch? {
      if Task.isShuttingDownGracefully { return nil }
      try Task.checkCancellation()
      // Mostly there is one, and the rest takes some microseconds.
      if let batch = try consumer.nextBatchAtOnce() { return batch }
      do {
        return try await cancelWhenGracefulShutdown { [consumer] in try await consumer.nextBatch() }
      } catch is CancellationError where !Task.isCancelled {
        return nil
      }
    }
  }
#endif
