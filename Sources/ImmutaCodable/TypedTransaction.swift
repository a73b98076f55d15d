public import Immuta

/// Several values that are appended together or not at all: see ``TypedLog/transaction(_:)-8homn``.
///
/// Dropping it takes it back, as throwing from the closure does.
public struct TypedTransaction<Value>: ~Copyable, Sendable {
  private var transaction: Transaction
  private let coder: any ValueCoder

  init(_ transaction: consuming Transaction, _ coder: any ValueCoder) {
    self.transaction = transaction
    self.coder = coder
  }

  consuming func end() -> Transaction { transaction }

  /// Commits: when it returns, every reader can see the values. See `Transaction.commit()`.
  public consuming func commit() async throws { try await transaction.commit() }

  /// Commits; blocks for the flush in `.synced`.
  public consuming func commit() throws { try transaction.commit() }

  /// Takes the values back. Dropping the transaction does the same.
  public consuming func rollBack() {}
}

extension TypedTransaction where Value: Encodable {
  /// Adds one record: a value. Nobody sees it before the transaction commits.
  ///
  /// - Returns: the place that the record has if the transaction commits.
  /// - Throws: what the coder throws, and as `append` of `Transaction`. Values added before remain.
  @discardableResult
  public func append(_ value: Value) async throws -> Receipt { try await transaction.append(try coder.encode(value)) }

  /// Adds one record: a value, for code that is not async.
  @discardableResult
  public func append(_ value: Value) throws -> Receipt { try transaction.append(try coder.encode(value)) }
}

extension TypedLog {
  /// Appends values all together or not at all: committed when `body` returns, gone when it throws. The transaction is the
  /// closure's own; see `transaction` of `Log`.
  ///
  /// ```swift
  /// try await orders.transaction { transaction in
  ///   try await transaction.append(.placed(id: 7))
  ///   try await transaction.append(.paid(id: 7))
  /// }
  /// ```
  ///
  /// - Returns: what `body` returns.
  /// - Throws: what `body` throws; as `transaction` of `Log`.
  @discardableResult
  public func transaction<Result>(
    _ body: (inout TypedTransaction<Value>) async throws -> Result
  ) async throws -> Result {
    try await log.transaction { transaction in try await run(body, &transaction) }
  }

  /// Appends values all together or not at all, if the log has exactly so many records; otherwise `body` is not called, and it
  /// throws `.unexpectedCount`.
  @discardableResult
  public func transaction<Result>(
    expecting count: Int, _ body: (inout TypedTransaction<Value>) async throws -> Result
  ) async throws -> Result {
    try await log.transaction(expecting: count) { transaction in try await run(body, &transaction) }
  }

  /// Begins a transaction that is ended by hand: see `beginTransaction` of `Log`.
  public func beginTransaction() async throws -> TypedTransaction<Value> {
    TypedTransaction(try await log.beginTransaction(), coder)
  }

  func run<Result>(
    _ body: (inout TypedTransaction<Value>) async throws -> Result, _ transaction: inout Transaction
  ) async throws -> Result {
    var typed = TypedTransaction<Value>(transaction, coder)
    do {
      let result = try await body(&typed)
      transaction = typed.end()
      return result
    } catch {
      transaction = typed.end()
      throw error
    }
  }
}

// The same for code that is not async.
extension TypedLog {
  /// Appends values all together or not at all. Blocks while another transaction has the writer.
  @discardableResult
  public func transaction<Result>(_ body: (inout TypedTransaction<Value>) throws -> Result) throws -> Result {
    try log.transaction { transaction in try run(body, &transaction) }
  }

  /// Appends values all together or not at all, if the log has exactly so many records. Blocks while another transaction has
  /// the writer.
  @discardableResult
  public func transaction<Result>(
    expecting count: Int, _ body: (inout TypedTransaction<Value>) throws -> Result
  ) throws -> Result {
    try log.transaction(expecting: count) { transaction in try run(body, &transaction) }
  }

  func run<Result>(
    _ body: (inout TypedTransaction<Value>) throws -> Result, _ transaction: inout Transaction
  ) throws -> Result {
    var typed = TypedTransaction<Value>(transaction, coder)
    do {
      let result = try body(&typed)
      transaction = typed.end()
      return result
    } catch {
      transaction = typed.end()
      throw error
    }
  }
}
