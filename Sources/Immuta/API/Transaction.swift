/// Several appends that are committed together or not at all.
///
/// A transaction has the log's writer for as long as it lives. Other callers that append wait for it, in order; readers don't,
/// and see nothing of it until it commits. Its records go straight to the log's tail. The commit needs 16 bytes for each record:
/// these are in memory for up to some ten thousand records, and beyond that in a file without a name beside the log.
///
/// ```swift
/// try await log.transaction { transaction in
///   try await transaction.append("order placed")
///   try await transaction.append("invoice sent")
/// }
/// ```
///
/// Code in a transaction's closure that appends to the same log other than through the transaction would wait for itself, and
/// gets `.wouldDeadlock`.
///
/// Dropping a transaction takes it back, as throwing from the closure does. Closing the storage does, too: every later call on
/// the transaction throws `.storageClosed`.
public struct Transaction: ~Copyable, Sendable {
  @usableFromInline let writer: LogWriter
  private let endsTurn: Bool

  /// The caller has taken the turn; the transaction ends it.
  init(_ writer: LogWriter) {
    self.writer = writer
    endsTurn = true
  }

  /// The caller has taken the turn, and ends it.
  init(within writer: LogWriter) {
    self.writer = writer
    endsTurn = false
  }

  deinit {
    if endsTurn { writer.endTurn() }
  }

  /// Adds one record: text, as UTF-8. Nobody sees it before the transaction commits.
  ///
  /// - Returns: the place that the record has if the transaction commits.
  /// - Throws: `.storageClosed`, `.recordTooLarge`, `.io`. After an error the records added before remain, and the transaction
  ///   may go on; an error thrown out of its closure takes all of it back.
  @inlinable
  @discardableResult
  public func append(_ text: some StringProtocol) async throws -> Receipt {
    try stage(text)
  }

  /// Adds one record: bytes. Otherwise as for text.
  @inlinable
  @discardableResult
  public func append(_ bytes: some Collection<UInt8>) async throws -> Receipt {
    try stage(bytes)
  }

  /// Adds one record whose bytes come in chunks, in bounded memory. If the source throws, nothing of the record stays.
  ///
  /// Other callers that append wait until the whole payload has come, as the transaction has the turn; `append` of ``Log``
  /// instead receives it beside the log. A source that appends to the same log itself gets `.wouldDeadlock`.
  @discardableResult
  public func append<Chunks: AsyncSequence>(_ chunks: Chunks) async throws -> Receipt
  where Chunks.Element: Collection<UInt8> {
    try await writer.stage(chunks: chunks)
  }

  /// Adds a payload that was received.
  func append(_ upload: Upload) async throws -> Receipt {
    try writer.beginRecord()
    do {
      try await unsafe upload.forEachPiece { (bytes) throws(ImmutaError) in try unsafe writer.extendRecord(bytes) }
      return try writer.endRecord()
    } catch {
      writer.abandonRecord()
      throw (error as? ImmutaError)?.of(writer.namespace) ?? error
    }
  }

  /// Commits: when it returns, every reader can see the records, and with durability `.synced` they are on stable
  /// storage. All of them become visible at once, and survive a crash together or not at all.
  public consuming func commit() async throws {
    let writer = writer
    do {
      let count = try writer.commit()
      // The next caller in turn goes on while this one waits for the flush, and shares the flush.
      rollBack()
      try await writer.waitUntilStable(count)
    } catch let error as ImmutaError {
      throw error.of(writer.namespace)
    }
  }

  /// Takes the records back. Dropping the transaction does the same.
  public consuming func rollBack() {}

  /// A closure could replace its transaction with another one.
  func checkIsFor(_ writer: LogWriter) {
    precondition(
      self.writer === writer, "a transaction's closure ended with another transaction in the place of its own")
  }

  @inlinable
  func stage(_ text: some StringProtocol) throws(ImmutaError) -> Receipt {
    var text = String(text)
    text.makeContiguousUTF8()
    return try stage(text.utf8)
  }

  @inlinable
  func stage(_ bytes: some Collection<UInt8>) throws(ImmutaError) -> Receipt {
    try writer.stage(payload: bytes)
  }

  /// The number that the next record gets.
  @usableFromInline
  var nextSequence: Int {
    get throws(ImmutaError) {
      do throws(ImmutaError) { return try writer.nextNumber } catch { throw error.of(writer.namespace) }
    }
  }
}

// The same for code that is not async; see Log+Append.swift for when these are called.
extension Transaction {
  /// Adds one record: text, as UTF-8. Nobody sees it before the transaction commits.
  @inlinable
  @discardableResult
  public func append(_ text: some StringProtocol) throws -> Receipt {
    try stage(text)
  }

  /// Adds one record: bytes. Nobody sees it before the transaction commits.
  @inlinable
  @discardableResult
  public func append(_ bytes: some Collection<UInt8>) throws -> Receipt {
    try stage(bytes)
  }

  /// Commits; blocks for the flush in `.synced`.
  public consuming func commit() throws {
    let writer = writer
    do {
      let count = try writer.commit()
      rollBack()
      try writer.waitUntilStableBlocking(count)
    } catch let error as ImmutaError {
      throw error.of(writer.namespace)
    }
  }
}

extension Log {
  /// Appends records all together or not at all: committed when `body` returns, gone when it throws.
  ///
  /// The transaction belongs to the closure: it is passed `inout`, so the compiler refuses a task, an `async let` or an escaping
  /// closure that captures it. To pass a transaction on, use ``beginTransaction()``.
  ///
  /// Transactions and appends of other tasks wait in order until this one is over, so `body` must not append to the same log
  /// other than through its transaction. Such an append would wait for itself, and throws `.wouldDeadlock`, in any task that
  /// `body` makes, except detached ones. An append to another log throws it, too, if that log's transaction waits, in turn, for
  /// this one's. Cancelling the task while it waits for its turn throws `CancellationError`.
  ///
  /// - Returns: what `body` returns.
  /// - Throws: what `body` throws; `.storageClosed`, `.readOnly`, `.wouldDeadlock`, `.io`.
  @discardableResult
  public func transaction<Result>(
    _ body: (inout Transaction) async throws -> Result
  ) async throws -> Result {
    try await transaction(onlyAt: nil, body)
  }

  /// - Parameter count: how many records the log must have; nil for any number.
  @usableFromInline
  func transaction<Result>(
    onlyAt count: Int?, _ body: (inout Transaction) async throws -> Result
  ) async throws -> Result {
    let note = TransactionNote(inside: TransactionNote.innermost)
    var transaction = try await beginTransaction(.transaction, .closure(note), onlyAt: count)
    let writer = transaction.writer
    let result = try await TransactionNote.$innermost.withValue(note) { try await body(&transaction) }
    transaction.checkIsFor(writer)
    try await transaction.commit()
    return result
  }

  /// Appends where that was not possible at once: waits until the caller that has the turn appends it, or appends it with its own
  /// turn. With the turn, it runs no code of others, or none that could ask for the turn.
  @usableFromInline
  func appendInTurn(_ bytes: some Collection<UInt8>) async throws -> Receipt {
    let writer = try openWriter()
    do {
      let queued = unsafe withBytes(of: bytes, writer.queuedAppend)
      try await writer.takeTurn(.append, .task, orAppend: queued)
      if let outcome = queued?.outcome {
        let receipt = try outcome.get()
        try await writer.waitUntilStable(receipt.sequence + 1)
        return receipt
      }
      let transaction = Transaction(writer)
      try await writer.prepare(for: bytes.count)
      let receipt: Receipt
      do throws(ImmutaError) {
        receipt = try transaction.stage(bytes)
      } catch {
        guard writer.rolls(insteadOf: error) else { throw error }
        try await writer.prepare(for: bytes.count)
        receipt = try transaction.stage(bytes)
      }
      try await transaction.commit()
      return receipt
    } catch let error as ImmutaError {
      throw error.of(namespace)
    }
  }

  /// Begins a transaction that is ended by hand: by its `commit()`, its `rollBack()`, or by being dropped.
  ///
  /// It may be passed to another task, so the log cannot know whether a task waits for itself: an append to the log before the
  /// transaction is over waits, and is logged if it waits long. Prefer ``transaction(_:)-8scrn``.
  ///
  /// - Throws: `.storageClosed`, `.readOnly`, `.io`; `CancellationError` when cancelled while it waits for its turn.
  public func beginTransaction() async throws -> Transaction {
    try await beginTransaction(.openTransaction, .task)
  }

  /// - Parameters:
  ///   - count: how many records the log must have; nil for any number.
  ///   - size: how many bytes are to be appended, at least.
  func beginTransaction(
    _ work: TakenTurn.Work, _ party: TurnHolder.Party, onlyAt count: Int? = nil, for size: Int = 0
  ) async throws -> Transaction {
    let writer = try openWriter()
    do {
      try await writer.takeTurn(work, party)
      let transaction = Transaction(writer)
      if let count { try writer.expect(count) }
      try await writer.prepare(for: size)
      return transaction
    } catch let error as ImmutaError {
      throw error.of(namespace)
    }
  }

  /// Appends records all together or not at all, for code that is not async. Blocks while another transaction has the
  /// writer.
  @discardableResult
  public func transaction<Result>(_ body: (inout Transaction) throws -> Result) throws -> Result {
    try transactionBlocking(onlyAt: nil, body)
  }

  /// It has a name of its own: otherwise a closure that need not be async would select this one, with `await` or without.
  ///
  /// - Parameters:
  ///   - count: how many records the log must have; nil for any number.
  ///   - size: how many bytes are to be appended, at least.
  @usableFromInline
  func transactionBlocking<Result>(
    onlyAt count: Int?, for size: Int = 0, _ body: (inout Transaction) throws -> Result
  ) throws -> Result {
    let writer = try openWriter()
    do {
      try writer.takeTurnBlocking(.transaction)
    } catch let error as ImmutaError {
      throw error.of(namespace)
    }
    return try transaction(writer, onlyAt: count, for: size, body)
  }

  @usableFromInline
  func appendInTurn(_ bytes: some Collection<UInt8>) throws -> Receipt {
    let writer = try openWriter()
    do {
      let queued = unsafe withBytes(of: bytes, writer.queuedAppend)
      try writer.takeTurnBlocking(.append, orAppend: queued)
      guard let outcome = queued?.outcome else {
        return try transaction(writer, for: bytes.count) { transaction in
          do throws(ImmutaError) {
            return try transaction.stage(bytes)
          } catch {
            guard writer.rolls(insteadOf: error) else { throw error }
            try writer.prepareBlocking(for: bytes.count)
            return try transaction.stage(bytes)
          }
        }
      }
      let receipt = try outcome.get()
      try writer.waitUntilStableBlocking(receipt.sequence + 1)
      return receipt
    } catch let error as ImmutaError {
      throw error.of(namespace)
    }
  }

  /// The caller has taken the turn.
  private func transaction<Result>(
    _ writer: LogWriter, onlyAt count: Int? = nil, for size: Int = 0,
    _ body: (inout Transaction) throws -> Result
  ) throws -> Result {
    var transaction = Transaction(writer)
    do {
      if let count { try writer.expect(count) }
      try writer.prepareBlocking(for: size)
    } catch let error as ImmutaError {
      throw error.of(namespace)
    }
    let result = try body(&transaction)
    transaction.checkIsFor(writer)
    try transaction.commit()
    return result
  }
}
