import CImmutaCRC32C
import ImmutaLocking

// Jobs that workers get only after a while.

extension WorkQueue {
  /// Appends a record to the log, text as UTF-8, as a job that no worker gets before a while has passed.
  ///
  /// The pause is written to the queue's state before anybody can see the record. So it survives the end of the process, and that
  /// of the machine as the storage's durability says. It holds for this queue only: other consumers of the log get the record at
  /// once. Setting the machine's clock meanwhile does not change how long the pause lasts; if the process ended meanwhile, the
  /// machine's clock counts.
  ///
  /// - Throws: as appending to the log; `.consumerClosed`.
  @discardableResult
  public func append(_ text: some StringProtocol, after pause: Duration) async throws -> Receipt {
    try await append(Array(text.utf8), after: pause)
  }

  /// Appends a record, bytes, as a job that no worker gets before a while has passed. Otherwise as for text.
  @discardableResult
  public func append(_ bytes: some Collection<UInt8>, after pause: Duration) async throws -> Receipt {
    if pause <= .zero { return try await log.append(bytes) }
    let bytes = Array(bytes)
    let wait = pause.nanoseconds
    let planned = QueueReplay.Planned(
      checksum: Self.checksum(of: bytes), due: Clocks.wallClock().addingHeld(wait), delay: wait)
    var number: Int?
    do {
      let receipt = try await log.transaction { transaction in
        let receipt = try await transaction.append(bytes)
        try inLog { () throws(ImmutaError) in try plan(receipt.sequence, planned) }
        number = receipt.sequence
        try await waitUntilStable()
        return receipt
      }
      state.withLock { $0.jobs.planned[receipt.sequence] = nil }
      return receipt
    } catch {
      if let number { withdraw(number) }
      throw error
    }
  }

  static func checksum(of bytes: some Collection<UInt8>) -> UInt32 {
    unsafe withBytes(of: bytes) { unsafe crc32c_extend(0, $0.baseAddress, $0.count) }
  }

  private func plan(_ number: Int, _ planned: QueueReplay.Planned) throws(ImmutaError) {
    try state.withLock { (state) throws(ImmutaError) in
      try checkOpen(state)
      try state.jobs.append(QueueEvent(planning: number, planned))
      state.jobs.planned[number] = planned
      state.jobs.table.set(
        number, JobEntry(.waiting, deliveries: 0, deadline: Clocks.steadyClock().addingHeld(planned.delay)))
      arrange(&state)
    }
  }

  /// The record may have been committed all the same, or another one may have its number: either way that job is given at once.
  private func withdraw(_ number: Int) {
    let isThere = state.withLock { state in
      state.jobs.planned[number] = nil
      let isThere = log.count > number
      if isThere {
        if state.jobs.table.entry(number)?.status == .waiting {
          state.jobs.table.set(number, JobEntry(.ready, deliveries: 0))
        }
      } else {
        state.jobs.table.forget(number)
      }
      // Where this cannot be written, the record's checksum shows it.
      try? state.jobs.append(QueueEvent(kind: .withdrawn, number: number))
      return isThere
    }
    if isThere { kick() }
  }
}
