// The calls of a log, by the namespace's name.

extension Storage {
  /// Appends one record: text, as UTF-8. See `append` of ``Log``.
  @inlinable
  @discardableResult
  public func append(_ text: some StringProtocol, to namespace: String) async throws -> Receipt {
    try await log(namespace).append(text)
  }

  /// Appends one record: bytes. See `append` of ``Log``.
  @inlinable
  @discardableResult
  public func append(_ bytes: some Collection<UInt8>, to namespace: String) async throws -> Receipt {
    try await log(namespace).append(bytes)
  }

  /// Appends one record whose bytes come in chunks. See `append` of ``Log``.
  @discardableResult
  public func append<Chunks: AsyncSequence>(_ chunks: Chunks, to namespace: String) async throws -> Receipt
  where Chunks.Element: Collection<UInt8> {
    try await log(namespace).append(chunks)
  }

  /// Appends a record for each payload, all together or none. See `append(contentsOf:)` of ``Log``.
  @inlinable
  @discardableResult
  public func append<Payloads: Sequence>(
    contentsOf payloads: Payloads, to namespace: String, expecting count: Int? = nil
  ) async throws -> Receipts where Payloads.Element: Collection<UInt8> {
    try await log(namespace).append(contentsOf: payloads, expecting: count)
  }

  /// Appends a record for each text, all together or none. See `append(contentsOf:)` of ``Log``.
  @inlinable
  @discardableResult
  public func append<Payloads: Sequence>(
    contentsOf payloads: Payloads, to namespace: String, expecting count: Int? = nil
  ) async throws -> Receipts where Payloads.Element: StringProtocol {
    try await log(namespace).append(contentsOf: payloads, expecting: count)
  }

  /// Appends one record, text, if the namespace has exactly so many records. See `append(_:expecting:)` of ``Log``.
  @inlinable
  @discardableResult
  public func append(
    _ text: some StringProtocol, to namespace: String, expecting count: Int
  ) async throws -> Receipt {
    try await log(namespace).append(text, expecting: count)
  }

  /// Appends one record, bytes, if the namespace has exactly so many records. See `append(_:expecting:)` of ``Log``.
  @inlinable
  @discardableResult
  public func append(
    _ bytes: some Collection<UInt8>, to namespace: String, expecting count: Int
  ) async throws -> Receipt {
    try await log(namespace).append(bytes, expecting: count)
  }

  /// Appends one record whose bytes come in chunks, if the namespace has exactly so many records. See
  /// `append(_:expecting:)` of ``Log``.
  @discardableResult
  public func append<Chunks: AsyncSequence>(
    _ chunks: Chunks, to namespace: String, expecting count: Int
  ) async throws -> Receipt where Chunks.Element: Collection<UInt8> {
    try await log(namespace).append(chunks, expecting: count)
  }

  /// Appends records all together or not at all, if the namespace has exactly so many records. See
  /// `transaction(expecting:_:)` of ``Log``.
  @discardableResult
  public func transaction<Result>(
    in namespace: String, expecting count: Int, _ body: (inout Transaction) async throws -> Result
  ) async throws -> Result {
    try await log(namespace).transaction(expecting: count, body)
  }

  /// Appends records all together or not at all. See `transaction` of ``Log``.
  @discardableResult
  public func transaction<Result>(
    in namespace: String, _ body: (inout Transaction) async throws -> Result
  ) async throws -> Result {
    try await log(namespace).transaction(body)
  }

  /// What is known of a namespace without reading it. O(1).
  public func details(of namespace: String) throws(ImmutaError) -> Log.Details {
    try log(namespace).details
  }

  /// Checks every record of a namespace. See ``Log/verify()``.
  @discardableResult
  public func verify(_ namespace: String) async throws -> VerificationReport {
    try await log(namespace).verify()
  }

  /// Puts all that is committed in every namespace on stable storage.
  public func sync() async throws {
    let logs = try openLogs()
    if logs.count >= Self.many {
      try await Thread.run {
        self.flushTogether(logs)
        return nil
      }
    }
    for log in logs { try await log.sync() }
  }
}

// The same for code that is not async: these block the calling thread while they wait. See Log+Append.swift for when
// they are called.
extension Storage {
  /// Appends one record: text, as UTF-8. Blocks while a transaction has the writer, and for the flush in `.synced`.
  @inlinable
  @discardableResult
  public func append(_ text: some StringProtocol, to namespace: String) throws -> Receipt {
    try log(namespace).append(text)
  }

  /// Appends one record: bytes. Blocks while a transaction has the writer, and for the flush in `.synced`.
  @inlinable
  @discardableResult
  public func append(_ bytes: some Collection<UInt8>, to namespace: String) throws -> Receipt {
    try log(namespace).append(bytes)
  }

  /// Appends a record for each payload, all together or none. Blocks while another transaction has the writer, and for the
  /// flush in `.synced`.
  @inlinable
  @discardableResult
  public func append<Payloads: Sequence>(
    contentsOf payloads: Payloads, to namespace: String, expecting count: Int? = nil
  ) throws -> Receipts where Payloads.Element: Collection<UInt8> {
    try log(namespace).append(contentsOf: payloads, expecting: count)
  }

  /// Appends a record for each text, all together or none. Blocks while another transaction has the writer, and for the flush
  /// in `.synced`.
  @inlinable
  @discardableResult
  public func append<Payloads: Sequence>(
    contentsOf payloads: Payloads, to namespace: String, expecting count: Int? = nil
  ) throws -> Receipts where Payloads.Element: StringProtocol {
    try log(namespace).append(contentsOf: payloads, expecting: count)
  }

  /// Appends one record, text, if the namespace has exactly so many records. Blocks while a transaction has the writer, and
  /// for the flush in `.synced`.
  @inlinable
  @discardableResult
  public func append(_ text: some StringProtocol, to namespace: String, expecting count: Int) throws -> Receipt {
    try log(namespace).append(text, expecting: count)
  }

  /// Appends one record, bytes, if the namespace has exactly so many records. Blocks while a transaction has the writer, and
  /// for the flush in `.synced`.
  @inlinable
  @discardableResult
  public func append(_ bytes: some Collection<UInt8>, to namespace: String, expecting count: Int) throws -> Receipt {
    try log(namespace).append(bytes, expecting: count)
  }

  /// Appends records all together or not at all, if the namespace has exactly so many records. Blocks while another
  /// transaction has the writer.
  @discardableResult
  public func transaction<Result>(
    in namespace: String, expecting count: Int, _ body: (inout Transaction) throws -> Result
  ) throws -> Result {
    try log(namespace).transaction(expecting: count, body)
  }

  /// Appends records all together or not at all. Blocks while another transaction has the writer.
  @discardableResult
  public func transaction<Result>(
    in namespace: String, _ body: (inout Transaction) throws -> Result
  ) throws -> Result {
    try log(namespace).transaction(body)
  }

  /// Puts all that is committed in every namespace on stable storage. Blocks for the flushes.
  public func sync() throws {
    let logs = try openLogs()
    if logs.count >= Self.many { flushTogether(logs) }
    for log in logs { try log.sync() }
  }
}
