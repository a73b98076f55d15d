/// A log that is appended to at its end and read from anywhere, wherever it is kept. A ``Log`` in this process and a log on a
/// cluster can both do this, so code that uses the protocol runs on either.
///
/// ```swift
/// func record(_ order: Order, in log: some AppendOnlyLog) async throws {
///   try await log.append(order.line)
/// }
/// ```
///
/// The protocol leaves out what only one of them can do: byte offsets, payloads in chunks, transactions that read what they
/// append, and calls for code that is not async. Where the two differ, each requirement and ``limits`` say how.
///
/// A handle may be used from any number of tasks at once. Each handle has an order of its own: an append that begins after
/// another one has returned gets a higher number, and a handle finds everything that it appended. See <doc:OneMachineOrMany>.
public protocol AppendOnlyLog: Sendable {
  /// A record of it.
  associatedtype Entry: LogRecord
  /// Its records, as they come.
  associatedtype Entries: LogStream where Entries.Element == Entry
  /// A reader of it whose position is kept.
  associatedtype EntryConsumer: LogConsumer where EntryConsumer.Entry == Entry
  /// What appending one record returns.
  associatedtype AppendReceipt: LogReceipt
  /// What appending several records returns.
  associatedtype BatchReceipt: LogReceipts

  /// The namespace's name.
  var namespace: String { get }

  /// The largest record, the largest batch, and what a record survives once its append has returned. Never changes.
  var limits: LogLimits { get }

  /// How many records were ever committed: the number that the next one gets. The log has at least so many: others may append,
  /// and a cluster may answer with a count that is a little older. The count always includes what this handle appended.
  ///
  /// - Throws: `.storageClosed`, `.unavailable`.
  var count: Int { get async throws }

  /// The number of the first record that was not removed.
  ///
  /// - Throws: `.storageClosed`, `.unavailable`.
  var firstSequence: Int { get async throws }

  /// Appends one record: bytes, none included. When it returns, every reader can see the record, and the record survives what
  /// ``limits`` say.
  ///
  /// Cancelling the task ends the call at once. If it had not begun to append, it throws `CancellationError`, and nothing was
  /// appended. If it had, a log in this process finishes the append, and a log on a cluster throws `.outcomeUnknown`.
  ///
  /// - Throws: `.recordTooLarge`, `.storageClosed`, `.readOnly`; `.unavailable`: nothing was appended; `.outcomeUnknown`: ask
  ///   ``outcome(of:)`` whether it was; what the log's files throw.
  @discardableResult
  func append(_ bytes: some Collection<UInt8>) async throws -> AppendReceipt

  /// Appends one record if the log has exactly so many records; otherwise appends nothing, and throws `.unexpectedCount`. Of
  /// several appends that expect the same count, at most one succeeds, whichever callers make them and wherever these run.
  ///
  /// - Parameters:
  ///   - bytes: the payload.
  ///   - count: the number that this record gets.
  /// - Throws: `.unexpectedCount`, with the count that was found; as `append` without a count.
  @discardableResult
  func append(_ bytes: some Collection<UInt8>, expecting count: Int) async throws -> AppendReceipt

  /// Appends a record for each payload, all together or none: nobody else's record lies between them.
  ///
  /// - Parameters:
  ///   - payloads: bytes. If there are none, nothing is appended.
  ///   - count: how many records the log must have; nil for any number.
  /// - Throws: `.batchTooLarge`, `.unexpectedCount`; as `append` of one record. Nothing is appended then, but for
  ///   `.outcomeUnknown`.
  @discardableResult
  func append<Payloads: Sequence>(contentsOf payloads: Payloads, expecting count: Int?) async throws -> BatchReceipt
  where Payloads.Element: Collection<UInt8>

  /// What became of an append that threw `.outcomeUnknown`. A cluster's leader decides that, and is asked.
  ///
  /// - Throws: `.storageClosed`; `.unavailable`: ask again later.
  func outcome(of append: UnknownAppend) async throws -> AppendOutcome

  /// One committed record, by number. It never misses a record that this handle appended, read or got the number of.
  ///
  /// - Throws: `.recordNotFound` when there is no such record (yet), `.recordRemoved`, `.storageClosed`, `.unavailable`; what
  ///   the log's files throw.
  func record(at sequence: Int) async throws -> Entry

  /// The records from a position on: those that exist, then those to come. Never fails: the stream's first `next()` throws what
  /// stands in the way.
  ///
  /// What ``StreamPosition/latest`` and ``StreamPosition/last(_:)`` mean is settled between this call and the end of the first
  /// `next()`: a log in this process does it at once.
  func stream(from position: StreamPosition) -> Entries

  /// Opens a consumer of the log; makes it if the log has none with that name.
  ///
  /// - Parameters:
  ///   - name: as a namespace's: 1 to 200 letters, digits, “.”, “_” or “-”, not starting with “.”.
  ///   - start: where it begins if it is made now; otherwise it goes on where it was.
  ///   - creating: whether it is made where there is none.
  /// - Throws: `.consumerInUse` when somebody has it; `.consumerNotFound`, `.invalidConsumer`; `.positionBeyondEnd`,
  ///   `.foreignPosition` where its position is not one in this log; `.storageClosed`, `.unavailable`; what keeping the position
  ///   throws.
  func consumer(_ name: String, startingAt start: StreamPosition, creating: Bool) async throws -> EntryConsumer

  /// Closes the log. What this handle appended is then as safe as closing makes it, streams and consumers end with an error, and
  /// every later call throws `.storageClosed`. Records that are held stay valid. Idempotent.
  ///
  /// - Throws: what went wrong. The log is closed all the same.
  func shutdown() async throws
}

// Text, for any log.
extension AppendOnlyLog {
  /// Appends one record: text, as UTF-8. Otherwise as for bytes.
  @inlinable
  @discardableResult
  public func append(_ text: some StringProtocol) async throws -> AppendReceipt {
    try await append(Array(text.utf8))
  }

  /// Appends one record, text, if the log has exactly so many records. Otherwise as for bytes.
  @inlinable
  @discardableResult
  public func append(_ text: some StringProtocol, expecting count: Int) async throws -> AppendReceipt {
    try await append(Array(text.utf8), expecting: count)
  }

  /// Appends a record for each text, as UTF-8, all together or none. Otherwise as for bytes.
  @inlinable
  @discardableResult
  public func append<Payloads: Sequence>(
    contentsOf payloads: Payloads, expecting count: Int?
  ) async throws -> BatchReceipt where Payloads.Element: StringProtocol {
    try await append(contentsOf: payloads.map { Array($0.utf8) }, expecting: count)
  }
}
