// One step over several logs: appends to all of them, or to none.

extension Storage {
  /// Appends to several logs that are committed together or not at all.
  ///
  /// A step has the turn of each of its logs for as long as it lives: see ``Transaction``. Get one with
  /// `transaction(in:expecting:synced:_:)` of ``Storage``.
  public struct Step: ~Copyable, Sendable {
    private var turns: Turns

    /// The turns that the step has: they end with it.
    private struct Turns: ~Copyable, Sendable {
      var writers: [LogWriter] = []

      deinit {
        for writer in writers.reversed() { writer.endTurn() }
      }
    }

    init() { turns = Turns() }

    /// The caller has taken the turn of a log; the step ends it.
    mutating func add(_ writer: LogWriter) { turns.writers.append(writer) }

    var writers: [LogWriter] { turns.writers }

    private func writer(_ namespace: String) throws(ImmutaError) -> LogWriter {
      guard let writer = turns.writers.first(where: { $0.namespace == namespace }) else {
        throw .namespaceNotFound(namespace)
      }
      return writer
    }

    /// The log's number of records, with those that the step has added: the number that the next one gets. O(logs of the
    /// step).
    ///
    /// - Throws: `.namespaceNotFound` where the log is not one of the step's, `.storageClosed`.
    public func count(of namespace: String) throws(ImmutaError) -> Int {
      let writer = try writer(namespace)
      do throws(ImmutaError) { return try writer.nextNumber } catch { throw error.of(namespace) }
    }

    /// Adds one record to one of the logs: text, as UTF-8. Nobody sees it before the step commits.
    ///
    /// - Returns: the place that the record has if the step commits.
    /// - Throws: `.namespaceNotFound` where the log is not one of the step's; `.storageClosed`, `.recordTooLarge`, `.io`. After
    ///   an error the records added before remain; an error thrown out of the step's closure takes all of them back.
    @discardableResult
    public func append(_ text: some StringProtocol, to namespace: String) async throws -> Receipt {
      try stage(text, to: namespace)
    }

    /// Adds one record to one of the logs: bytes. Otherwise as for text.
    @discardableResult
    public func append(_ bytes: some Collection<UInt8>, to namespace: String) async throws -> Receipt {
      try writer(namespace).stage(payload: bytes)
    }

    /// Adds one record whose bytes come in chunks to one of the logs, in bounded memory. If the source throws, nothing of the
    /// record stays. Otherwise as for text.
    @discardableResult
    public func append<Chunks: AsyncSequence>(_ chunks: Chunks, to namespace: String) async throws -> Receipt
    where Chunks.Element: Collection<UInt8> {
      try await writer(namespace).stage(chunks: chunks)
    }

    /// Adds one record to one of the logs: text, as UTF-8. For code that is not async.
    @discardableResult
    public func append(_ text: some StringProtocol, to namespace: String) throws -> Receipt {
      try stage(text, to: namespace)
    }

    /// Adds one record to one of the logs: bytes. For code that is not async.
    @discardableResult
    public func append(_ bytes: some Collection<UInt8>, to namespace: String) throws -> Receipt {
      try writer(namespace).stage(payload: bytes)
    }

    private func stage(_ text: some StringProtocol, to namespace: String) throws(ImmutaError) -> Receipt {
      var text = String(text)
      text.makeContiguousUTF8()
      return try writer(namespace).stage(payload: text.utf8)
    }

    /// A closure could replace its step with another one.
    func checkIsFor(_ writers: [LogWriter]) {
      precondition(
        self.writers.elementsEqual(writers, by: ===), "a step's closure ended with another step in the place of its own"
      )
    }
  }

  /// Appends to several logs of the storage, all together or not at all: committed when `body` returns, gone when it throws.
  ///
  /// ```swift
  /// try await storage.transaction(in: ["orders", "outbox"]) { step in
  ///   try await step.append("order 7 placed", to: "orders")
  ///   try await step.append("mail the customer of order 7", to: "outbox")
  /// }
  /// ```
  ///
  /// What it survives, once it has returned and before:
  ///
  /// - *The process dies:* the step is whole in all of its logs, or in none, with every durability. If the crash came in between,
  ///   the next opening of one of its logs for appending finishes the step. Until then, a reader may see the part in one log and
  ///   not yet the part in another.
  /// - *The machine dies:* the same with `.synced`, or where `synced` is true. Otherwise each log keeps what its durability
  ///   gives, as after any append: one log may have its part and another not.
  ///
  /// The logs' turns are taken in the order of their names, so two steps never wait for each other. Transactions and appends of
  /// other callers wait meanwhile. Within `body`, appending to one of the logs other than through the step would wait for itself,
  /// and throws `.wouldDeadlock`.
  ///
  /// It costs what a transaction in each of the logs does, and one small write more; with `.synced` a flush of each log that was
  /// appended to, and one more. A step that appends to one log only is a transaction, and costs no more.
  ///
  /// - Parameters:
  ///   - namespaces: open logs of this storage; some 200 at most.
  ///   - counts: for logs of the step, how many records each must have.
  ///   - synced: whether the step must be on stable storage, whole, before it returns, also where the storage's durability does not
  ///     ask for that.
  ///   - body: appends the records.
  /// - Returns: what `body` returns.
  /// - Throws: what `body` throws; `.unexpectedCount`, `.namespaceRequired`, `.namespaceNotFound`, `.readOnly`, `.storageClosed`,
  ///   `.wouldDeadlock`, `.io`. An error in one log after the step was decided on names that log; opening the log again finishes
  ///   the step.
  @discardableResult
  public func transaction<Result>(
    in namespaces: [String], expecting counts: [String: Int] = [:], synced: Bool = false,
    _ body: (inout Step) async throws -> Result
  ) async throws -> Result {
    let logs = try logs(ofStep: namespaces, expecting: counts)
    let result = try await Self.step(in: logs, expecting: counts) { step in
      let result = try await body(&step)
      return (result, commit(of: step.writers, synced: synced))
    }
    guard let result else { preconditionFailure("a step without a consumer is decided on, or throws") }
    return result
  }

  /// Takes the turns, calls `body`, and commits; nil where the consumer of the step has moved meanwhile.
  static func step<Result>(
    in logs: [Log], expecting counts: [String: Int] = [:],
    _ body: (inout Step) async throws -> (Result, StepCommit)
  ) async throws -> Result? {
    let note = TransactionNote(inside: TransactionNote.innermost)
    return try await TransactionNote.$innermost.withValue(note) {
      var step = Step()
      for log in logs {
        let writer = try log.openWriter()
        do {
          try await writer.takeTurn(.transaction, .closure(note))
          step.add(writer)
          if let count = counts[log.namespace] { try writer.expect(count) }
          try await writer.prepare()
        } catch let error as ImmutaError {
          throw error.of(log.namespace)
        }
      }
      let writers = step.writers
      let (result, commit) = try await body(&step)
      step.checkIsFor(writers)
      return try await commit.run(logs) ? result : nil
    }
  }

  /// The logs of a step, each once, in the order of their names.
  private func logs(ofStep namespaces: [String], expecting counts: [String: Int]) throws(ImmutaError) -> [Log] {
    if namespaces.isEmpty { throw .namespaceRequired }
    var logs: [Log] = []
    for namespace in Set(namespaces).sorted() { logs.append(try log(namespace)) }
    for namespace in counts.keys.sorted() where !namespaces.contains(namespace) {
      throw .namespaceNotFound(namespace)
    }
    return logs
  }

  private func commit(of writers: [LogWriter], synced: Bool) -> StepCommit {
    StepCommit(
      of: writers, isStable: synced || configuration.durability == .synced,
      acceptsFilesOfOthers: configuration.acceptsFilesOfOthers)
  }

  /// Appends to several logs of the storage, all together or not at all, for code that is not async. Blocks while others have
  /// the logs' writers.
  @discardableResult
  public func transaction<Result>(
    in namespaces: [String], expecting counts: [String: Int] = [:], synced: Bool = false,
    _ body: (inout Step) throws -> Result
  ) throws -> Result {
    var step = Step()
    for log in try logs(ofStep: namespaces, expecting: counts) {
      let writer = try log.openWriter()
      do {
        try writer.takeTurnBlocking(.transaction)
        step.add(writer)
        if let count = counts[log.namespace] { try writer.expect(count) }
        try writer.prepareBlocking()
      } catch let error as ImmutaError {
        throw error.of(log.namespace)
      }
    }
    let writers = step.writers
    let result = try body(&step)
    step.checkIsFor(writers)
    _ = try commit(of: writers, synced: synced).run()
    return result
  }
}

extension StepCommit {
  /// Commits without blocking a thread that runs tasks. False where the consumer of the step has moved meanwhile.
  func run(_ logs: [Log]) async throws -> Bool {
    // The first step makes the intent's file, and flushes the file's name.
    if isStable || !hasIntents { return try await logs[0].onWorkThread { () throws(ImmutaError) in try run() } }
    return try run()
  }
}
