// Only if nothing came between: appends by callers that have read the log and decided by what they found.

extension Log {
  /// Appends one record, text, if the log has exactly so many records; otherwise appends nothing, and throws.
  ///
  /// So no other record comes between what the caller has read and what it appends because of that. The number of records is
  /// compared when it is the caller's turn, and nobody else appends until the record is committed.
  ///
  /// ```swift
  /// while true {
  ///   let count = log.count
  ///   let decision = try decide(log.history(from: .beginning), upTo: count)
  ///   do {
  ///     try await log.append(decision, expecting: count)
  ///     break
  ///   } catch ImmutaError.unexpectedCount {}    // somebody else was faster: look again
  /// }
  /// ```
  ///
  /// - Parameters:
  ///   - text: the payload, as UTF-8.
  ///   - count: how many records the log must have: the number that this one gets.
  /// - Throws: `.unexpectedCount` when the log has more or fewer records; otherwise as `append` without it. With `.synced`
  ///   durability the records that were counted need not be stable yet; they become stable before this one.
  @inlinable
  @discardableResult
  public func append(_ text: some StringProtocol, expecting count: Int) async throws -> Receipt {
    var text = String(text)
    text.makeContiguousUTF8()
    return try await append(text.utf8, expecting: count)
  }

  /// Appends one record, bytes, if the log has exactly so many records. Otherwise as for text.
  @discardableResult
  public func append(_ bytes: some Collection<UInt8>, expecting count: Int) async throws -> Receipt {
    let transaction = try await beginTransaction(.append, .task, onlyAt: count, for: bytes.count)
    let receipt = try transaction.stage(bytes)
    try await transaction.commit()
    if receipt.isPause, !awaitsFlush { await Task.yield() }
    return receipt
  }

  /// Appends one record whose bytes come in chunks, if the log has exactly so many records once they have come. Otherwise as
  /// for text, and as `append` of chunks. If the log has more records to begin with, the source is not asked for any.
  @discardableResult
  public func append<Chunks: AsyncSequence>(_ chunks: Chunks, expecting count: Int) async throws -> Receipt
  where Chunks.Element: Collection<UInt8> {
    try await append(chunks, onlyAt: count)
  }

  /// Appends records all together or not at all, if the log has exactly so many records; otherwise `body` is not called.
  ///
  /// - Parameters:
  ///   - count: how many records the log must have: the number that the transaction's first record gets.
  ///   - body: appends the records. See ``transaction(_:)-8scrn``.
  /// - Returns: what `body` returns.
  /// - Throws: `.unexpectedCount` when the log has more or fewer records, and as ``transaction(_:)-8scrn``.
  @discardableResult
  public func transaction<Result>(
    expecting count: Int, _ body: (inout Transaction) async throws -> Result
  ) async throws -> Result {
    try await transaction(onlyAt: count, body)
  }
}

// The same for code that is not async; see Log+Append.swift for when these are called.
extension Log {
  /// Appends one record, text, if the log has exactly so many records. Blocks while a transaction has the writer, and for the
  /// flush in `.synced`.
  @inlinable
  @discardableResult
  public func append(_ text: some StringProtocol, expecting count: Int) throws -> Receipt {
    var text = String(text)
    text.makeContiguousUTF8()
    return try append(text.utf8, expecting: count)
  }

  /// Appends one record, bytes, if the log has exactly so many records. Blocks while a transaction has the writer, and for the
  /// flush in `.synced`.
  @inlinable
  @discardableResult
  public func append(_ bytes: some Collection<UInt8>, expecting count: Int) throws -> Receipt {
    try transactionBlocking(onlyAt: count, for: bytes.count) { transaction in try transaction.append(bytes) }
  }

  /// Appends records all together or not at all, if the log has exactly so many records. Blocks while another transaction
  /// has the writer.
  @discardableResult
  public func transaction<Result>(
    expecting count: Int, _ body: (inout Transaction) throws -> Result
  ) throws -> Result {
    try transactionBlocking(onlyAt: count, body)
  }
}
