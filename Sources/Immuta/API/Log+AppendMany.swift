// Many records at once.

extension Log {
  /// Appends a record for each payload, all together or none: in one transaction, with one flush in `.synced`.
  ///
  /// ```swift
  /// let receipts = try await log.append(contentsOf: lines)
  /// print(receipts.sequences)                                   // 17..<42
  /// ```
  ///
  /// Other callers that append wait until it is done; readers see either none of the records or all. The sequence is iterated
  /// once, while others wait, so it should not wait for anything. A sequence that appends to the same log itself gets
  /// `.wouldDeadlock`.
  ///
  /// - Parameters:
  ///   - payloads: bytes. If the sequence is empty, nothing is appended. The payloads need not be in memory together: what the
  ///     commit needs of many records is kept in a file beside the log.
  ///   - count: how many records the log must have, as for `append(_:expecting:)`; nil for any number.
  /// - Returns: the records' numbers and their size altogether.
  /// - Throws: as `append` of one record, and then nothing is appended; `.unexpectedCount`.
  @inlinable
  @discardableResult
  public func append<Payloads: Sequence>(
    contentsOf payloads: Payloads, expecting count: Int? = nil
  ) async throws -> Receipts where Payloads.Element: Collection<UInt8> {
    try await transaction(onlyAt: count) { transaction in try transaction.stage(contentsOf: payloads) }
  }

  /// Appends a record for each text, as UTF-8, all together or none. Otherwise as for bytes.
  @inlinable
  @discardableResult
  public func append<Payloads: Sequence>(
    contentsOf payloads: Payloads, expecting count: Int? = nil
  ) async throws -> Receipts where Payloads.Element: StringProtocol {
    try await transaction(onlyAt: count) { transaction in try transaction.stage(contentsOf: payloads) }
  }
}

// The same for code that is not async; see Log+Append.swift for when these are called.
extension Log {
  /// Appends a record for each payload, all together or none. Blocks while another transaction has the writer, and for the
  /// flush in `.synced`.
  @inlinable
  @discardableResult
  public func append<Payloads: Sequence>(
    contentsOf payloads: Payloads, expecting count: Int? = nil
  ) throws -> Receipts where Payloads.Element: Collection<UInt8> {
    try transactionBlocking(onlyAt: count) { transaction in try transaction.stage(contentsOf: payloads) }
  }

  /// Appends a record for each text, as UTF-8, all together or none. Blocks while another transaction has the writer, and for
  /// the flush in `.synced`.
  @inlinable
  @discardableResult
  public func append<Payloads: Sequence>(
    contentsOf payloads: Payloads, expecting count: Int? = nil
  ) throws -> Receipts where Payloads.Element: StringProtocol {
    try transactionBlocking(onlyAt: count) { transaction in try transaction.stage(contentsOf: payloads) }
  }
}

extension Transaction {
  // What is generic is inlined where it is called, as `append` of one record is.

  @inlinable
  func stage<Payloads: Sequence>(contentsOf payloads: Payloads) throws(ImmutaError) -> Receipts
  where Payloads.Element: Collection<UInt8> {
    try stage(each: payloads) { (payload) throws(ImmutaError) in try stage(payload) }
  }

  @inlinable
  func stage<Payloads: Sequence>(contentsOf payloads: Payloads) throws(ImmutaError) -> Receipts
  where Payloads.Element: StringProtocol {
    try stage(each: payloads) { (payload) throws(ImmutaError) in try stage(payload) }
  }

  @inlinable
  func stage<Payloads: Sequence>(
    each payloads: Payloads, _ stage: (Payloads.Element) throws(ImmutaError) -> Receipt
  ) throws(ImmutaError) -> Receipts {
    let first = try nextSequence
    var (end, size) = (first, 0)
    for payload in payloads {
      let receipt = try stage(payload)
      (end, size) = (receipt.sequence + 1, size + receipt.size)
    }
    return Receipts(sequences: first..<end, size: size)
  }
}
