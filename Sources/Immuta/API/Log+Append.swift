extension Log {
  /// Appends one record: text, as UTF-8.
  ///
  /// When it returns, every reader can see the record, and the record survives the end of the process; with durability `.synced`
  /// also the end of the machine. Callers from any number of tasks are served in order. O(bytes); a small record takes no system
  /// call.
  ///
  /// Cancelling the task while it waits for its turn appends nothing and throws `CancellationError`. After that, cancellation has
  /// no effect: what was appended stays. A caller that could only wait for itself, such as inside of a transaction of the same
  /// log, gets `.wouldDeadlock`.
  ///
  /// - Returns: the record's number, place and size.
  /// - Throws: `.storageClosed`, `.readOnly`, `.recordTooLarge`, `.wouldDeadlock`, `.io`; `.logMoved` once a flush, or the
  ///   first append, found that a file of the log has lost its name, which is final. In `.synced`, a flush that failed
  ///   throws though the record may be committed; ``details`` then says by its ``Log/Details/stableCount`` how many records
  ///   are stable for certain, also after the failure. After `.io` from `fallocate`, which reserves space, with ENOSPC,
  ///   EDQUOT (a quota) or EFBIG (a limit on file sizes) nothing has changed, and appending can go on when there is room;
  ///   a failure to write or flush, with these too, is final for this storage.
  @inlinable
  @discardableResult
  public func append(_ text: some StringProtocol) async throws -> Receipt {
    var text = String(text)
    text.makeContiguousUTF8()
    return try await append(text.utf8)
  }

  /// Appends one record: bytes, none included. Contiguous collections are not copied on the way. Otherwise as for text.
  @inlinable
  @discardableResult
  public func append(_ bytes: some Collection<UInt8>) async throws -> Receipt {
    if isObserved { return try await appendObserved(bytes) }
    guard let receipt = try unsafe withBytes(of: bytes, appendAtOnce) else {
      return try await appendInTurn(bytes)
    }
    if awaitsFlush {
      try await waitUntilStable(receipt)
    } else if receipt.isPause {
      await Task.yield()
    }
    return receipt
  }

  /// Appends one record whose bytes come in chunks, in bounded memory, whatever its size. Otherwise as for text.
  ///
  /// No other caller waits for the source, however slow it is: the chunks are received beside the log first, as
  /// ``Storage/Configuration/uploads`` says. So the record's number is not known before all chunks have come. If the source
  /// throws, or the task is cancelled and the source ends, nothing was appended.
  ///
  /// - Throws: also what the source throws, `CancellationError`, `.uploadTooLarge` and `.uploadStalled`. After an `.io`
  ///   that names a temporary file nothing has changed, and appending goes on.
  @discardableResult
  public func append<Chunks: AsyncSequence>(_ chunks: Chunks) async throws -> Receipt
  where Chunks.Element: Collection<UInt8> {
    try await append(chunks, onlyAt: nil)
  }

  /// - Parameter count: how many records the log must have; nil for any number.
  func append<Chunks: AsyncSequence>(_ chunks: Chunks, onlyAt count: Int?) async throws -> Receipt
  where Chunks.Element: Collection<UInt8> {
    let writer = try openWriter()
    // The log never has fewer again.
    let present = self.count
    if let count, present > count { throw ImmutaError.unexpectedCount(expected: count, actual: present).of(namespace) }
    let upload: Upload
    do {
      upload = try await Upload.receive(
        chunks, for: writer, limit: uploads.maximumBytes, idleTimeout: uploads.idleTimeout)
    } catch let error as ImmutaError {
      throw error.of(namespace)
    }
    // A source that ends early because its task was cancelled has not given all of its bytes.
    try Task.checkCancellation()
    if let whole = upload.inMemory {
      return if let count { try await append(whole, expecting: count) } else { try await append(whole) }
    }
    let transaction = try await beginTransaction(.upload, .task, onlyAt: count, for: upload.count)
    let receipt = try await transaction.append(upload)
    try await transaction.commit()
    return receipt
  }

  /// Puts all that was committed before the call on stable storage. Calls that come together share one flush.
  ///
  /// - Throws: `.storageClosed`, `.readOnly`, `.io`: a flush that failed is final for this storage; `.logMoved` where a
  ///   file of the log has lost its name, which is final, too.
  public func sync() async throws {
    let writer = try openWriter()
    try checkOpen()
    let count = reader.count
    do {
      if writer.flusher.isKnownStable(count) { return try writer.flusher.checkNames() }
      try await writer.flusher.flush(through: count)
    } catch let error as ImmutaError {
      throw error.of(namespace)
    }
  }

  // The generic functions above are inlined around these. They are specialised where they are called, which saves two thirds of
  // the instructions of a small append.

  /// Appends and commits, if nobody has the writer and the bytes are few; nil otherwise.
  @usableFromInline
  func appendAtOnce(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt? {
    guard let writer = unsafe heldWriter else { throw reasonForNoWriter }
    let result: Result<Receipt?, ImmutaError> = unsafe writer._withUnsafeGuaranteedRef { writer in
      // The call passes on no typed error.
      do throws(ImmutaError) {
        return .success(try unsafe writer.appendAtOnce(bytes))
      } catch {
        return .failure(error.of(namespace))
      }
    }
    return try result.get()
  }

  @usableFromInline
  func waitUntilStable(_ receipt: Receipt) async throws {
    let writer = try openWriter()
    do {
      try await writer.waitUntilStable(receipt.sequence + 1)
    } catch let error as ImmutaError {
      throw error.of(namespace)
    }
  }

  @usableFromInline
  func waitUntilStableBlocking(_ receipt: Receipt) throws {
    let writer = try openWriter()
    do {
      try writer.waitUntilStableBlocking(receipt.sequence + 1)
    } catch let error as ImmutaError {
      throw error.of(namespace)
    }
  }
}

// The same for code that is not async.
//
// Inside async code overload resolution takes the async functions, so these are offered only outside it. They are not
// marked `noasync`: at the top level of a main.swift the compiler prefers a function that is not async even where
// `await` is written, and would then refuse it; unmarked, it is called, with a warning that `await` does nothing.
extension Log {
  /// Appends one record: text, as UTF-8. Blocks while a transaction has the writer, and for the flush in `.synced`.
  ///
  /// - Throws: as the async one. Inside of a task, on the main actor and at the top level of a main.swift that uses `await` too,
  ///   also `.wouldDeadlock` where another task has the turn or would be next: that task may need the thread that would be
  ///   blocked. So no call waits for ever. Call the async function, or use a thread of your own.
  @inlinable
  @discardableResult
  public func append(_ text: some StringProtocol) throws -> Receipt {
    var text = String(text)
    text.makeContiguousUTF8()
    return try append(text.utf8)
  }

  /// Appends one record: bytes. Blocks while a transaction has the writer, and for the flush in `.synced`.
  @inlinable
  @discardableResult
  public func append(_ bytes: some Collection<UInt8>) throws -> Receipt {
    if isObserved { return try appendObserved(bytes) }
    guard let receipt = try unsafe withBytes(of: bytes, appendAtOnce) else {
      return try appendInTurn(bytes)
    }
    if awaitsFlush { try waitUntilStableBlocking(receipt) }
    return receipt
  }

  /// Puts all that was committed before the call on stable storage. Blocks for the flush.
  public func sync() throws {
    let writer = try openWriter()
    try checkOpen()
    let count = reader.count
    do {
      if writer.flusher.isKnownStable(count) { return try writer.flusher.checkNames() }
      try writer.flusher.flushBlocking(through: count)
    } catch let error as ImmutaError {
      throw error.of(namespace)
    }
  }
}
