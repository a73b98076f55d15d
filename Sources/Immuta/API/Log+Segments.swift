// A log's segments: when it begins the next, and which it keeps.

extension Log {
  /// Begins the next segment now, whatever the limits of ``Storage/Configuration/segments`` are; does nothing where the newest
  /// has no record. Waits for its turn as a transaction does. The previous segment is sealed in the background.
  ///
  /// - Throws: `.storageClosed`, `.readOnly`, `.io`; `CancellationError` when cancelled while it waits for its turn.
  public func roll() async throws {
    // A transaction that is dropped gives the turn back.
    let transaction = try await beginTransaction(.append, .task)
    let writer = transaction.writer
    try await onWorkThread { () throws(ImmutaError) in try writer.roll() }
    withExtendedLifetime(transaction) {}
  }

  /// The same for code that is not async. Blocks while another transaction has the writer.
  public func roll() throws {
    let writer = try openWriter()
    do {
      try writer.takeTurnBlocking(.append)
      defer { writer.endTurn() }
      try writer.prepareBlocking()
      try writer.roll()
    } catch let error as ImmutaError {
      throw error.of(namespace)
    }
  }

  /// Removes the segments whose records are all before a number: whole segments, from the first on, never the newest. Records
  /// that a caller holds stay valid; a stream that stands in a removed segment gets `.recordRemoved`.
  ///
  /// The removal is on stable storage when this returns. A crash leaves the log as it was, or without these records.
  ///
  /// - Returns: the number of the first record that is left, ``firstSequence``.
  /// - Throws: `.storageClosed`, `.readOnly`, `.positionBeyondEnd` where the log has fewer records, `.unsupportedVersion` where a
  ///   newer version wrote one of the segments, and nothing is removed; `.io`: if ``firstSequence`` has moved, the records are
  ///   gone all the same, and the next opening for appending removes the rest of their files.
  @discardableResult
  public func removeRecords(before number: Int) async throws -> Int {
    let writer = try openWriter()
    try checkRemoval(before: number)
    return try await onWorkThread { () throws(ImmutaError) in try writer.removeRecords(before: number) }
  }

  /// The same for code that is not async. Blocks for the flush.
  @discardableResult
  public func removeRecords(before number: Int) throws -> Int {
    let writer = try openWriter()
    try checkRemoval(before: number)
    do throws(ImmutaError) {
      return try writer.removeRecords(before: number)
    } catch {
      throw error.of(namespace)
    }
  }

  private func checkRemoval(before number: Int) throws(ImmutaError) {
    if number < 0 { throw .invalidPosition(number).of(namespace) }
    let count = count
    if number > count { throw .positionBeyondEnd(position: number, count: count).of(namespace) }
  }

  /// How many segments are before the newest, and how many bytes their logs have. O(segments).
  func segmentSizes() throws(ImmutaError) -> (count: Int, bytes: Int) {
    let (firsts, _) = open.sealed.list
    if firsts.isEmpty { return (0, 0) }
    let files = currentFiles
    let folder = try io(files.openFolder())
    var bytes = 0
    // A missing segment has none.
    for first in firsts { bytes += try io(files.segment(first, inFolder: folder)?.logSize() ?? 0) }
    return (firsts.count, bytes)
  }

  /// The log file of a segment, whether it exists or not.
  func path(ofSegment first: Int) throws(ImmutaError) -> String {
    if first == 0 { return files.logPath }
    let files = currentFiles
    return try io(files.segment(first, inFolder: files.openFolder())?.logPath) ?? files.home.logPath
  }

  /// Runs a blocking call on a thread for such calls.
  func onWorkThread<R: Sendable>(
    _ body: @escaping @Sendable () throws(ImmutaError) -> R
  ) async throws -> R {
    let namespace = namespace
    return try await withCheckedThrowingContinuation { continuation in
      do throws(NoThread) {
        try WorkThreads.shared.add {
          do throws(ImmutaError) {
            continuation.resume(returning: try body())
          } catch {
            continuation.resume(throwing: error.of(namespace))
          }
        }
      } catch {
        continuation.resume(throwing: ImmutaError(error).of(namespace))
      }
    }
  }
}

extension Storage {
  /// As ``Log/roll()-1vms3``, of a namespace.
  public func roll(_ namespace: String) async throws {
    try await log(namespace).roll()
  }

  /// As ``Log/removeRecords(before:)-ee8z``, of a namespace.
  @discardableResult
  public func removeRecords(before number: Int, from namespace: String) async throws -> Int {
    try await log(namespace).removeRecords(before: number)
  }
}
