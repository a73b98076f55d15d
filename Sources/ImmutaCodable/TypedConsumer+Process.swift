public import Immuta

// Exactly once, on one machine, with values: see `process(into:atMost:_:)` of `Consumer`.

extension TypedConsumer {
  /// Turns the log's values into values of another log, each exactly once, until the task is cancelled or the consumer closed.
  ///
  /// ```swift
  /// try await orders.process(into: invoices) { order, transaction in
  ///   try await transaction.append(Invoice(for: order.value))
  /// }
  /// ```
  ///
  /// `process(into:atMost:_:)` of `Consumer` says what this survives and what it throws. A record that does not decode throws
  /// `ImmutaError.undecodableValue`, and comes again: handle it with `consumer`, which delivers records.
  public func process<Output: Encodable>(
    into log: TypedLog<Output>, atMost count: Int = 64,
    _ body: (TypedRecord<Value>, inout TypedTransaction<Output>) async throws -> Void
  ) async throws {
    while true { _ = try await processNext(into: log, atMost: count, body) }
  }

  /// Waits for the next value, and processes it and the values after it in one step.
  ///
  /// - Returns: how many values were processed.
  public func processNext<Output: Encodable>(
    into log: TypedLog<Output>, atMost count: Int = 64,
    _ body: (TypedRecord<Value>, inout TypedTransaction<Output>) async throws -> Void
  ) async throws -> Int {
    try await consumer.processNext(into: log.log, atMost: count) { record, transaction in
      let value: TypedRecord<Value> = try reading.value(of: record)
      try await log.run({ transaction in try await body(value, &transaction) }, &transaction)
    }
  }

  /// Processes the values that come next, if any is committed already, in one step.
  ///
  /// - Returns: how many values were processed: 0 where none was committed.
  public func processAtOnce<Output: Encodable>(
    into log: TypedLog<Output>, atMost count: Int = 64,
    _ body: (TypedRecord<Value>, inout TypedTransaction<Output>) async throws -> Void
  ) async throws -> Int {
    try await consumer.processAtOnce(into: log.log, atMost: count) { record, transaction in
      let value: TypedRecord<Value> = try reading.value(of: record)
      try await log.run({ transaction in try await body(value, &transaction) }, &transaction)
    }
  }
}

extension Storage.Step {
  /// Adds one record to one of the step's logs: a value, as that log encodes it. Otherwise as `append` of text.
  @discardableResult
  public func append<Value: Encodable>(_ value: Value, to log: TypedLog<Value>) async throws -> Receipt {
    try await append(log.coder.encode(value), to: log.log.namespace)
  }

  /// Adds one record to one of the step's logs: a value. For code that is not async.
  @discardableResult
  public func append<Value: Encodable>(_ value: Value, to log: TypedLog<Value>) throws -> Receipt {
    try append(log.coder.encode(value), to: log.log.namespace)
  }
}
