public import Immuta

extension TypedLog where Value: Encodable {
  /// Appends one record: a value. When it returns, every reader can see it. Otherwise as `append` of `Log`.
  ///
  /// - Throws: what the coder throws, and then nothing was appended; as `append` of `Log`.
  @discardableResult
  public func append(_ value: Value) async throws -> Receipt {
    try await log.append(try coder.encode(value))
  }

  /// Appends one record, if the log has exactly so many records; otherwise nothing, and throws `.unexpectedCount`.
  @discardableResult
  public func append(_ value: Value, expecting count: Int) async throws -> Receipt {
    try await log.append(try coder.encode(value), expecting: count)
  }

  /// Appends a record for each value, all together or none. All of them are encoded first, in memory; other callers that append
  /// wait only while the bytes are written. For more values than memory holds, use ``transaction(_:)-8homn``.
  ///
  /// - Parameters:
  ///   - values: gone through once. If there are none, nothing is appended.
  ///   - count: how many records the log must have; nil for any number.
  /// - Throws: what the coder throws, and then nothing was appended; `.unexpectedCount`; as `append` of `Log`.
  @discardableResult
  public func append(contentsOf values: some Sequence<Value>, expecting count: Int? = nil) async throws -> Receipts {
    try await log.append(contentsOf: try values.map { try coder.encode($0) }, expecting: count)
  }
}

// The same for code that is not async. Inside async code overload resolution takes the async functions.
extension TypedLog where Value: Encodable {
  /// Appends one record: a value. Blocks while a transaction has the writer, and for the flush in `.synced`.
  ///
  /// - Throws: what the coder throws, and then nothing was appended; as `append` of `Log`.
  @discardableResult
  public func append(_ value: Value) throws -> Receipt {
    try log.append(try coder.encode(value))
  }

  /// Appends one record, if the log has exactly so many records. Blocks as the one without a count.
  @discardableResult
  public func append(_ value: Value, expecting count: Int) throws -> Receipt {
    try log.append(try coder.encode(value), expecting: count)
  }

  /// Appends a record for each value, all together or none. Blocks while another transaction has the writer, and for the flush
  /// in `.synced`.
  @discardableResult
  public func append(contentsOf values: some Sequence<Value>, expecting count: Int? = nil) throws -> Receipts {
    try log.append(contentsOf: try values.map { try coder.encode($0) }, expecting: count)
  }
}
