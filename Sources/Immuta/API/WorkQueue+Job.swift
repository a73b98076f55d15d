import ImmutaLocking

extension WorkQueue {
  /// A record that a worker has for a while. See ``WorkQueue``.
  ///
  /// A worker whose lease has run out may go on, and its calls count, until another worker gets the job. From that moment on it
  /// gets ``ImmutaError/leaseLost(sequence:queue:in:)``.
  public struct Job: Sendable {
    /// The record: what is to be done.
    public let record: Record
    /// How often the job was given to a worker, this time included: 1 for the first time.
    public let deliveries: Int
    let queue: WorkQueue
    /// How often the queue had been moved when it was given.
    let moves: Int

    /// Says that the job is done; does nothing where it is done already. Rarely makes a system call; with `.synced` a flush,
    /// which all workers share that acknowledge meanwhile.
    ///
    /// - Throws: `.leaseLost` where another worker has the job by now: then that worker's result counts; `.consumerClosed`,
    ///   `.logMoved`, `.io`.
    public func acknowledge() async throws {
      try queue.acknowledge(self)
      try await queue.waitUntilStable()
    }

    /// Gives the job back: some worker gets it after a while, by default at once. If it was given as often as it may be, it goes
    /// to the dead letters.
    ///
    /// Jobs that come back go before others, so a worker that gives one back at once is likely to get the same job next.
    ///
    /// - Parameters:
    ///   - pause: how long nobody gets it.
    ///   - reason: why, for the dead letters.
    /// - Throws: `.leaseLost` where somebody else has the job by now, or it is done; `.consumerClosed`, `.io`, and what appending to
    ///   the dead letters throws.
    public func retry(after pause: Duration = .zero, because reason: String? = nil) async throws {
      if let most = queue.configuration.maximumDeliveries, deliveries >= most {
        return try await reject(
          reason ?? "it was given \(Quantity.of(deliveries, "time")), and given back the last time")
      }
      try queue.retry(self, after: pause)
      try await queue.waitUntilStable()
    }

    /// Appends the job to the dead letters at once, with the reason; then it is done.
    ///
    /// - Throws: `.invalidConfiguration` where the queue's configuration has no dead letters: then nothing changes. Otherwise as
    ///   ``retry(after:because:)``.
    public func reject(_ reason: String) async throws {
      if queue.configuration.deadLetters == nil {
        throw ImmutaError.invalidConfiguration(
          "the work queue \(queue.name.quoted) has no dead letters, so it cannot reject a job: set `deadLetters` in its "
            + "configuration, or acknowledge the job")
      }
      try queue.takeBack(self)
      try await queue.bury(self, reason)
    }

    /// Starts the lease again, with another duration if one is given: for work that takes longer. O(log jobs in work), no system
    /// call.
    ///
    /// - Throws: `.leaseLost` where somebody else has the job by now, or it is done; `.consumerClosed`.
    public func extend(_ lease: Duration? = nil) throws(ImmutaError) {
      try queue.extend(self, by: lease ?? queue.configuration.lease)
    }
  }

  /// Says that a job is done, whichever worker has it: for a job whose record is damaged, or that an operator skips.
  ///
  /// - Throws: `.recordNotFound` where the log has no such record; `.consumerClosed`, `.logMoved`, `.io`.
  public func acknowledge(sequence: Int) async throws {
    try inLog { () throws(ImmutaError) in
      if sequence < 0 { throw .recordNotFound(sequence) }
      do throws(ImmutaError) { try log.checkExists(sequence) } catch { throw .recordNotFound(sequence) }
      let place = try log.open.place(sequence + 1)
      try state.withLock { (state) throws(ImmutaError) in
        try checkOpen(state)
        if !state.jobs.table.isDone(sequence) { try finish(place, &state) }
        // Under the lock, so that nobody moves the queue.
        reader.skip(over: sequence)
      }
    }
    try await waitUntilStable()
  }

  // MARK: What becomes of a job

  fileprivate func acknowledge(_ job: Job) throws(ImmutaError) {
    try inLog { () throws(ImmutaError) in
      try state.withLock { (state) throws(ImmutaError) in
        try checkOpen(state)
        let number = job.record.sequence
        if state.moves != job.moves { throw lost(job) }
        if state.jobs.table.isDone(number) { return }
        guard state.jobs.table.entry(number)?.deliveries == UInt32(clamping: job.deliveries) else { throw lost(job) }
        try finish(log.place(after: job.record), &state)
      }
    }
  }

  fileprivate func retry(_ job: Job, after pause: Duration) throws(ImmutaError) {
    let (record, deliveries) = (job.record, job.deliveries)
    try inLog { () throws(ImmutaError) in
      try state.withLock { (state) throws(ImmutaError) in
        try checkHolds(job, state)
        let wait = Swift.max(0, pause.nanoseconds)
        let due = wait == 0 ? 0 : Clocks.wallClock().addingHeld(wait)
        try note(.due, record, deliveries: deliveries, due: due, delay: wait, &state)
        let deadline = Clocks.steadyClock().addingHeld(wait)
        state.jobs.table.set(
          record.sequence, JobEntry(wait > 0 ? .waiting : .ready, deliveries: deliveries, deadline: deadline))
        arrange(&state)
      }
    }
    if pause <= .zero { kick() }
  }

  fileprivate func extend(_ job: Job, by lease: Duration) throws(ImmutaError) {
    try inLog { () throws(ImmutaError) in
      try state.withLock { (state) throws(ImmutaError) in
        try checkHolds(job, state)
        let deadline = Clocks.steadyClock().addingHeld(lease.nanoseconds)
        state.jobs.table.set(job.record.sequence, JobEntry(.leased, deliveries: job.deliveries, deadline: deadline))
        arrange(&state)
      }
    }
  }

  /// Takes the job from its worker; no other worker gets it.
  fileprivate func takeBack(_ job: Job) throws(ImmutaError) {
    try inLog { () throws(ImmutaError) in
      try state.withLock { (state) throws(ImmutaError) in
        try checkHolds(job, state)
        state.jobs.table.set(job.record.sequence, JobEntry(.taken, deliveries: job.deliveries))
      }
    }
  }

  private func checkHolds(_ job: Job, _ state: borrowing State) throws(ImmutaError) {
    try checkOpen(state)
    guard state.moves == job.moves, let entry = state.jobs.table.entry(job.record.sequence),
      entry.deliveries == UInt32(clamping: job.deliveries), entry.status == .leased || entry.status == .ready
    else { throw lost(job) }
  }

  private func lost(_ job: Job) -> ImmutaError { .leaseLost(sequence: job.record.sequence, queue: name) }

  // MARK: Dead letters

  private static var pauseAfterFailure: Duration { .seconds(1) }

  /// Appends a job to the dead letters, and then says that it is done. So a crash in between appends it again, and loses no job.
  /// The caller has taken the job.
  func bury(_ job: Job, _ reason: String) async throws {
    let (record, deliveries) = (job.record, job.deliveries)
    guard let deadLetters = configuration.deadLetters else {
      preconditionFailure("a job is given too often only where there are dead letters")
    }
    do {
      try await DeadLetter.append(
        record, deliveries: deliveries, reason: reason, queue: name, of: log, to: deadLetters)
      try inLog { () throws(ImmutaError) in
        try state.withLock { (state) throws(ImmutaError) in
          try checkOpen(state)
          // If the queue was moved, the job is given again.
          guard state.moves == job.moves, !state.jobs.table.isDone(record.sequence) else { return }
          try finish(log.place(after: record), &state)
        }
      }
    } catch {
      giveBack(record.sequence, deliveries, after: Self.pauseAfterFailure, job.moves)
      throw error
    }
    try await waitUntilStable()
  }
}

extension RecordReader {
  /// Goes on at a record, unless it has come further by now.
  func skip(to number: Int) {
    try? withCursor { (cursor) throws(ImmutaError) in if cursor.place < number { cursor.move(to: number) } }
  }

  /// Passes a record, if the reader stands at it.
  func skip(over number: Int) {
    try? withCursor { (cursor) throws(ImmutaError) in if cursor.place == number { cursor.move(to: number + 1) } }
  }
}
