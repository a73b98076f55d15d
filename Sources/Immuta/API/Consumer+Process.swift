// Exactly once, on one machine: one step commits the records that come of what a consumer read, and its new position.

extension Consumer {
  /// Turns the log's records into records of another log, each exactly once, until the task is cancelled or the consumer
  /// closed.
  ///
  /// ```swift
  /// try await orders.process(into: invoices) { record, transaction in
  ///   try await transaction.append(invoice(for: record))
  /// }
  /// ```
  ///
  /// It takes the records that come next, as many as exist and `count` at most, takes the turn of the other log, and calls `body`
  /// with each record. One step commits what `body` appends together with the consumer's new position: see
  /// `transaction(in:expecting:synced:_:)` of ``Storage`` for what that survives. In short: exactly once where the process dies;
  /// with `.synced` also where the machine does; otherwise a power cut may repeat steps, and never skips one.
  ///
  /// That holds for what `body` appends through its transaction. Whatever else it does may be done again, when the process dies
  /// before the step is committed.
  ///
  /// Other callers that append to the other log wait while `body` works on a batch. The two logs may be the same one.
  ///
  /// - Parameters:
  ///   - log: an open log in the same directory, open for appending.
  ///   - count: how many records make a step, at most. Larger steps are faster; their records take longer to become visible.
  ///   - body: called with each record, and the transaction that appends.
  /// - Throws: what `body` throws: then nothing of the step is committed, and the records come again; `.readOnly`,
  ///   `.invalidConfiguration` where the logs are in different directories; as ``next()``, and as a transaction;
  ///   `CancellationError`.
  public func process(
    into log: Log, atMost count: Int = 64, _ body: (Record, inout Transaction) async throws -> Void
  ) async throws {
    while true { _ = try await processNext(into: log, atMost: count, body) }
  }

  /// The same, into several logs of one directory: the step that the closure gets appends to them by their names.
  public func process(
    into logs: [Log], atMost count: Int = 64, _ body: (Record, inout Storage.Step) async throws -> Void
  ) async throws {
    while true { _ = try await processNext(into: logs, atMost: count, body) }
  }

  /// Waits for the next record, and processes it and the records after it in one step. Otherwise as `process(into:atMost:_:)`.
  ///
  /// - Returns: how many records were processed.
  public func processNext(
    into log: Log, atMost count: Int = 64, _ body: (Record, inout Transaction) async throws -> Void
  ) async throws -> Int {
    while true {
      let processed = try await processAtOnce(into: log, atMost: count, body)
      if processed > 0 { return processed }
      try await waitToProcess()
    }
  }

  /// The same, into several logs of one directory.
  public func processNext(
    into logs: [Log], atMost count: Int = 64, _ body: (Record, inout Storage.Step) async throws -> Void
  ) async throws -> Int {
    while true {
      let processed = try await processAtOnce(into: logs, atMost: count, body)
      if processed > 0 { return processed }
      try await waitToProcess()
    }
  }

  /// Processes the records that come next in one step, if any is committed already. Otherwise as `process(into:atMost:_:)`.
  ///
  /// - Returns: how many records were processed: 0 where none was committed.
  public func processAtOnce(
    into log: Log, atMost count: Int = 64, _ body: (Record, inout Transaction) async throws -> Void
  ) async throws -> Int {
    try await processBatch(into: [log], atMost: count) { (records, step) in
      // The transaction has the turn together with the step.
      var transaction = Transaction(within: step.writers[0])
      let writer = transaction.writer
      for record in records {
        try await body(record, &transaction)
        transaction.checkIsFor(writer)
      }
    }
  }

  /// The same, into several logs of one directory.
  public func processAtOnce(
    into logs: [Log], atMost count: Int = 64, _ body: (Record, inout Storage.Step) async throws -> Void
  ) async throws -> Int {
    try await processBatch(into: logs, atMost: count) { (records, step) in
      for record in records { try await body(record, &step) }
    }
  }

  private func processBatch(
    into logs: [Log], atMost count: Int, _ body: ([Record], inout Storage.Step) async throws -> Void
  ) async throws -> Int {
    precondition(count > 0, "a step has at least one record")
    try Task.checkCancellation()
    let logs = try targets(logs)
    return try await withBatch(atMost: count) { (from, records) in
      guard let last = records.last else { return 0 }
      let processed: Int? = try await Storage.step(in: logs) { (step) in
        let writers = step.writers
        try await body(records, &step)
        return (records.count, self.commit(into: writers, of: logs, from: from, through: last))
      }
      guard let processed else { return 0 }
      // In a step that is not stable as a whole, each log still keeps its own promise.
      if log.durability != .synced {
        for log in logs where log.awaitsFlush { try await log.sync() }
      }
      return processed
    }
  }

  private func commit(into writers: [LogWriter], of logs: [Log], from: Int, through last: Record) -> StepCommit {
    StepCommit(
      of: writers,
      moving: (keeper, log.namespace, PositionKeeper.Move(from: from, to: log.place(after: last))),
      isStable: log.durability == .synced && logs.allSatisfy(\.awaitsFlush),
      acceptsFilesOfOthers: log.acceptsFilesOfOthers)
  }

  /// The logs, each once, in the order of their names.
  private func targets(_ logs: [Log]) throws(ImmutaError) -> [Log] {
    if logs.isEmpty { throw .namespaceRequired }
    let own = try directory(of: log)
    var byName: [String: Log] = [:]
    for log in logs {
      if try directory(of: log) != own {
        throw .invalidConfiguration(
          "\(log.namespace.quoted) is in another directory than \(self.log.namespace.quoted), whose records are "
            + "processed: one step is made in one directory")
      }
      if let other = byName.updateValue(log, forKey: log.namespace), other !== log {
        throw .duplicateNamespace(log.namespace)
      }
    }
    return byName.sorted { $0.key < $1.key }.map(\.value)
  }

  private func directory(of log: Log) throws(ImmutaError) -> FileIdentity {
    try io(log.currentFiles.home.directory.status().identity)
  }
}
