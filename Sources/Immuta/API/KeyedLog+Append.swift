// Only if nothing came between, for one key: appends by callers that have read the key's records and decided by what they found.

extension KeyedLog {
  /// Appends one record, text, if its key has exactly so many records; otherwise appends nothing, and throws.
  ///
  /// The number is compared when it is the caller's turn. It includes what others have appended by then, and nobody else appends
  /// until the record is committed. Records of other keys do not matter.
  ///
  /// - Parameters:
  ///   - text: the payload, as UTF-8. Its key is the one that the index's closure finds in it.
  ///   - count: how many records the key must have: what `count(of:)` returned before.
  /// - Throws: `.unexpectedCount` with the key's numbers when it has more or fewer; `.invalidConfiguration` when the payload has
  ///   no key; otherwise as `count(of:)`, and as `append` of ``Log``.
  @discardableResult
  public func append(_ text: some StringProtocol, expecting count: Int) async throws -> Receipt {
    try await append(Array(text.utf8), expecting: count)
  }

  /// Appends one record, bytes, if its key has exactly so many records. Otherwise as for text.
  @discardableResult
  public func append(_ bytes: some Collection<UInt8>, expecting count: Int) async throws -> Receipt {
    let bytes = Array(bytes)
    return try await transaction(of: try key(of: bytes), expecting: count) { transaction in
      try await transaction.append(bytes)
    }
  }

  /// Appends records all together or not at all, if a key has exactly so many records; otherwise `body` is not called.
  ///
  /// - Parameters:
  ///   - key: whose records are counted. The records that `body` appends may have others.
  ///   - count: how many records it must have.
  ///   - body: appends the records. See ``Log/transaction(_:)-8scrn``. It has the log's turn.
  /// - Returns: what `body` returns.
  /// - Throws: as `append`, and what `body` throws.
  @discardableResult
  public func transaction<Result>(
    of key: Key, expecting count: Int, _ body: (inout Transaction) async throws -> Result
  ) async throws -> Result {
    try await transaction(of: key.keyBytes, expecting: count, body)
  }

  private func transaction<Result>(
    of key: [UInt8], expecting count: Int, _ body: (inout Transaction) async throws -> Result
  ) async throws -> Result {
    _ = try log.openWriter()
    try await index.prepareBeside()
    let known = try known(key)
    return try await log.transaction { transaction in
      try expect(count, of: key, known)
      return try await body(&transaction)
    }
  }

  /// Throws unless the key has so many records. With the log's turn.
  private func expect(_ count: Int, of key: [UInt8], _ known: KeyIndex.OlderCount) throws(ImmutaError) {
    let actual: Int
    do throws(ImmutaError) { actual = try index.count(of: key, after: known) } catch { throw error.of(log.namespace) }
    if actual == count { return }
    let place = ImmutaError.Place(namespace: log.namespace, key: String(decoding: key, as: UTF8.self))
    throw .unexpectedCount(expected: count, actual: actual, in: place)
  }

  /// Records whose count takes reading files are counted before the caller has the turn, as others wait for the turn.
  private func known(_ key: [UInt8]) throws(ImmutaError) -> KeyIndex.OlderCount {
    do throws(ImmutaError) {
      try index.update()
      return try index.olderCount(of: key)
    } catch {
      throw error.of(log.namespace)
    }
  }

  private func key(of bytes: [UInt8]) throws(ImmutaError) -> [UInt8] {
    let payload = unsafe bytes.withBytes { bytes in unsafe PayloadMemory.payload(copying: bytes) }
    if let key = keyOf(payload) { return key.keyBytes }
    throw .invalidConfiguration(
      "the payload has no key of the index \(name.quoted), and nothing was appended: append it to the log itself"
    )
  }
}

// The same for code that is not async; see Log+Append.swift for when these are called.
extension KeyedLog {
  /// Appends one record, text, if its key has exactly so many records. Blocks while a transaction has the writer, for reads of the
  /// index, and for the flush in `.synced`.
  @discardableResult
  public func append(_ text: some StringProtocol, expecting count: Int) throws -> Receipt {
    try append(Array(text.utf8), expecting: count)
  }

  /// Appends one record, bytes, if its key has exactly so many records. Blocks as for text.
  @discardableResult
  public func append(_ bytes: some Collection<UInt8>, expecting count: Int) throws -> Receipt {
    let bytes = Array(bytes)
    return try transactionBlocking(of: try key(of: bytes), expecting: count) { transaction in
      try transaction.append(bytes)
    }
  }

  /// Appends records all together or not at all, if a key has exactly so many records. Blocks as `append`.
  @discardableResult
  public func transaction<Result>(
    of key: Key, expecting count: Int, _ body: (inout Transaction) throws -> Result
  ) throws -> Result {
    try transactionBlocking(of: key.keyBytes, expecting: count, body)
  }

  private func transactionBlocking<Result>(
    of key: [UInt8], expecting count: Int, _ body: (inout Transaction) throws -> Result
  ) throws -> Result {
    _ = try log.openWriter()
    let known = try known(key)
    return try log.transactionBlocking(onlyAt: nil) { transaction in
      try expect(count, of: key, known)
      return try body(&transaction)
    }
  }
}
