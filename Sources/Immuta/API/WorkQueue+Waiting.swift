import ImmutaLocking

// Workers that wait for a job. One task finds jobs for all of them; it runs while any job is left. After that, another task waits
// for the log's next record, and a timer waits for the next moment at which a job may be given again. So a queue without jobs in
// work wakes nothing.

extension WorkQueue {
  /// Waits for a job; nil where the deadline passed first.
  func wait(until deadline: Int64?) async throws -> Job? {
    let ticket = state.withLock { $0.line.ticket() }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        join(ticket, continuation, until: deadline)
      }
    } onCancel: {
      let continuation = state.withLock { state in
        let continuation = state.line.leave(ticket)
        stopWatchingIfNobodyWaits(&state)
        return continuation
      }
      continuation?.resume(throwing: CancellationError())
    }
  }

  private func join(_ ticket: Int, _ continuation: WorkerLine<Job>.Continuation, until deadline: Int64?) {
    let (refusal, mayBegin) = state.withLock { state -> ((any Error)?, Bool) in
      do throws(ImmutaError) { try checkOpen(state) } catch { return (error, false) }
      // A cancellation from here on finds the ticket.
      if Task.isCancelled { return (CancellationError(), false) }
      state.line.join(ticket, continuation, until: deadline)
      // A job may have come since the caller looked.
      state.jobs.table.release(by: Clocks.steadyClock())
      if state.jobs.table.readyCount > 0 { return (nil, begin(&state)) }
      watch(&state)
      return (nil, false)
    }
    if let refusal { return continuation.resume(throwing: refusal) }
    if mayBegin { Task { await serve() } }
  }

  // MARK: Serving

  /// Looks for a job for the workers that wait, where there may be one.
  func kick() {
    if state.withLock({ begin(&$0) }) { Task { await serve() } }
  }

  /// Whether the caller is the one that serves.
  private func begin(_ state: inout State) -> Bool {
    if state.line.isEmpty { return false }
    if state.isServing {
      state.servesAgain = true
      return false
    }
    state.isServing = true
    return true
  }

  /// Gives jobs to the workers that wait, until no job is left.
  private func serve() async {
    while state.withLock({ goesOn(&$0) }) {
      do {
        if let job = try await takeAtOnce() {
          hand(job)
          continue
        }
      } catch {
        // One of them gets the error; the others look again and find it themselves.
        state.withLock { $0.line.popFirst() }?.resume(throwing: error)
        continue
      }
      let isOver = state.withLock { state in
        if state.servesAgain { return false }
        state.isServing = false
        watch(&state)
        return true
      }
      if isOver { return }
    }
  }

  private func goesOn(_ state: inout State) -> Bool {
    state.servesAgain = false
    state.isServing = !state.line.isEmpty
    return state.isServing
  }

  private func hand(_ job: Job) {
    guard let worker = state.withLock({ $0.line.popFirst() }) else {
      // All of them have stopped waiting. No worker got the job.
      return giveBack(job.record.sequence, job.deliveries - 1, after: .zero, job.moves)
    }
    worker.resume(returning: job)
  }

  // MARK: Watching

  /// Watches the log and the time for the workers that wait.
  private func watch(_ state: inout State) {
    if state.line.isEmpty { return stopWatchingIfNobodyWaits(&state) }
    arrange(&state)
    if state.watch != nil { return }
    state.watches += 1
    let (cursor, number) = (reader.waiting, state.watches)
    let task = Task { [weak self] in
      var failure: (any Error)?
      do { try await cursor.waitForNext() } catch { failure = error }
      self?.watchEnded(number, failure)
    }
    state.watch = (number, task)
  }

  private func watchEnded(_ number: Int, _ failure: (any Error)?) {
    let (isMine, workers) = state.withLock { state in
      guard state.watch?.number == number else { return (false, [WorkerLine<Job>.Continuation]()) }
      state.watch = nil
      return (true, failure == nil ? [] : state.line.popAll())
    }
    if let failure { for worker in workers { worker.resume(throwing: failure) } }
    if isMine { kick() }
  }

  private func stopWatchingIfNobodyWaits(_ state: inout State) {
    guard state.line.isEmpty else { return }
    state.watch?.task.cancel()
    state.watch = nil
  }

  // MARK: Time

  /// Sets a timer for work that nobody else does. A timer that goes off a little later is good enough.
  func arrange(_ state: inout State) {
    var next = [state.positionDue, state.stableLook?.time].compactMap(\.self).min()
    if !state.line.isEmpty {
      next = [next, state.jobs.table.earliest, state.line.earliestDeadline].compactMap(\.self).min()
    }
    guard let next, !state.isClosed else { return }
    let wait = Swift.max(0, next.subtractingHeld(Clocks.steadyClock()))
    let slack = Swift.min(100_000_000, Swift.max(1_000_000, wait / 64))
    if let first = state.timers.min(), first <= next.addingHeld(slack) { return }
    // If no thread is free for the timer, the next call that takes a job sees what is due.
    let time = ContinuousClock.Instant.after(.nanoseconds(wait))
    guard (try? WorkThreads.shared.add(at: time, { [weak self] in self?.timerWentOff(next) })) != nil else { return }
    state.timers.append(next)
  }

  private func timerWentOff(_ time: Int64) {
    let expired = state.withLock { state -> [WorkerLine<Job>.Continuation] in
      if let place = state.timers.firstIndex(of: time) { state.timers.remove(at: place) }
      if state.isClosed { return [] }
      let now = Clocks.steadyClock()
      state.jobs.table.release(by: now)
      let expired = state.line.popExpired(by: now)
      stopWatchingIfNobodyWaits(&state)
      // A failure to write shows when the next job is acknowledged.
      if let due = state.positionDue, due <= now { try? writePosition(&state) }
      if let look = state.stableLook, look.time <= now { lookForStable(&state, idle: look.idle) }
      arrange(&state)
      return expired
    }
    for worker in expired { worker.resume(returning: nil) }
    if state.withLock({ $0.jobs.table.readyCount > 0 }) { kick() }
  }
}
