import ImmutaLocking
import Logging

// How a queue goes on elsewhere, because somebody moves it or because records were removed.

extension WorkQueue {
  /// Moves the queue: all jobs from there on are given again, also those that were done or had to wait. No job before that is
  /// given.
  ///
  /// Workers lose the jobs that they have at that moment: acknowledging one throws `.leaseLost`. With `.synced` the move is on
  /// stable storage when this returns. ``Log/seekConsumer(_:to:)`` moves a queue that nobody has open.
  ///
  /// - Throws: `.positionBeyondEnd`, `.foreignPosition`, `.invalidPosition`, `.recordRemoved`; the queue stays where it is then.
  ///   `.consumerClosed`, `.logMoved`, `.io`.
  public func seek(to position: StreamPosition) async throws {
    let writes = try inLog { () throws(ImmutaError) in
      let place = try log.place(of: position)
      return try state.withLock { (state) throws(ImmutaError) in
        try checkOpen(state)
        return try move(to: place, &state)
      }
    }
    kick()
    guard journal.isSynced else { return }
    let keeper = keeper
    try await waitUntilStable()
    try await log.onWorkThread { () throws(ImmutaError) in try keeper.flush(through: writes) }
  }

  private func move(to place: ConsumerMark.Place, _ state: inout State) throws(ImmutaError) -> Int {
    let queue = ConsumerMark.newQueue(hasStateLog: true)
    let writes = try keeper.seek(to: place, queue: queue)
    state.moves += 1
    state.positionDue = nil
    state.jobs.restart(at: place.number, queue)
    reader.position = place.number
    // The watch waits for the record that came next where the queue was.
    state.watch?.task.cancel()
    state.watch = nil
    // If that fails, all jobs from there on are given again when the queue is opened next.
    state.jobs.removeRecords(before: try state.jobs.summarize(rolls: true), name)
    return writes
  }

  /// Retention has removed the records before a number: their jobs cannot be given any more.
  func passRemoved(before first: Int) throws(ImmutaError) {
    try inLog { () throws(ImmutaError) in
      let passed = try state.withLock { (state) throws(ImmutaError) in
        try checkOpen(state)
        let passed = state.jobs.table.pass(before: first)
        reader.skip(to: first)
        state.removedCount += passed
        return passed
      }
      if passed == 0 { return }
      log.noteRemovedJobs(passed, before: first, of: name)
      // The next opening need not log it again. The log's first record says the same.
      try state.withLock { (state) throws(ImmutaError) in try writePosition(&state) }
    }
  }
}

extension Log {
  /// Logs how many jobs were passed.
  func noteRemovedJobs(_ count: Int, before first: Int, of queue: String) {
    open.logger?.tell(
      .queueJobsRemoved, .warning,
      """
      retention has removed the records before \(first), and with them \(Quantity.of(count, "job")) of the work queue “\(queue)” \
      that nobody has done: they are passed. Name the queue in retention.waitingFor to have retention wait for it
      """, ["namespace": "\(namespace)", "queue": "\(queue)"])
  }
}
