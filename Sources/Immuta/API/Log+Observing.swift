// Appends of a log that has an observer: the same as without, and how long they took.

extension Log {
  @inlinable
  func appendObserved(_ bytes: some Collection<UInt8>) async throws -> Receipt {
    let start = ContinuousClock.now
    guard let receipt = try unsafe withBytes(of: bytes, appendAtOnce) else {
      let receipt = try await appendInTurn(bytes)
      noteAppended(since: start)
      return receipt
    }
    if awaitsFlush { try await waitUntilStable(receipt) }
    noteAppended(since: start)
    if !awaitsFlush, receipt.isPause { await Task.yield() }
    return receipt
  }

  @inlinable
  func appendObserved(_ bytes: some Collection<UInt8>) throws -> Receipt {
    let start = ContinuousClock.now
    let receipt: Receipt
    if let appended = try unsafe withBytes(of: bytes, appendAtOnce) {
      receipt = appended
      if awaitsFlush { try waitUntilStableBlocking(receipt) }
    } else {
      receipt = try appendInTurn(bytes)
    }
    noteAppended(since: start)
    return receipt
  }

  @usableFromInline
  func noteAppended(since start: ContinuousClock.Instant) {
    open.observer?.appended(in: .now - start)
  }
}
