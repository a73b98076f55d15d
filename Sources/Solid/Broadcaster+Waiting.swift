import ImmutaLocking
import Synchronization

extension Broadcaster {
  /// Waits until the generation is above the given number, and returns it.
  ///
  /// Returns at once, without suspending, if it already is, whether or not the task is cancelled or the broadcaster
  /// closed. Runs on the caller's executor. O(log w) among w waiters, no task or thread of its own.
  ///
  /// - Throws: `CancellationError` when the task is cancelled; ``BroadcasterClosed`` when the broadcaster is closed.
  public func wait(past generation: Int) async throws -> Int {
    guard let raised = try await waitIfNeeded(past: generation, deadline: nil) else {
      preconditionFailure("a wait without a deadline ran out of time")
    }
    return raised
  }

  /// Waits until the generation is above the given number, and returns it, or nil if the deadline came first.
  ///
  /// A deadline in the past asks without waiting. Up to the granularity of the runtime's timers it is never early, and
  /// an event that came before the deadline is never reported as nil. One timer task serves all the waits that have
  /// deadlines; it ends soon after the last of them.
  ///
  /// - Throws: `CancellationError` when the task is cancelled; ``BroadcasterClosed`` when the broadcaster is closed.
  public func wait(past generation: Int, until deadline: ContinuousClock.Instant) async throws -> Int? {
    try await waitIfNeeded(past: generation, deadline: deadline)
  }

  /// Waits until the generation is above the given number, and returns it, or nil if the time passed first.
  ///
  /// As ``wait(past:until:)``; a timeout of zero or less asks without waiting.
  ///
  /// - Throws: `CancellationError` when the task is cancelled; ``BroadcasterClosed`` when the broadcaster is closed.
  public func wait(past generation: Int, timeout: Duration) async throws -> Int? {
    // Checked here, so that a caller that need not wait does not pay for the clock.
    let current = self.generation
    if current > generation { return current }
    return try await waitIfNeeded(past: generation, deadline: .now + timeout)
  }

  // Inlined, as is `suspend`: each async call has a frame of its own in the memory of its task, for as long as it
  // waits.
  @inline(__always)
  private func waitIfNeeded(past: Int, deadline: ContinuousClock.Instant?) async throws -> Int? {
    let reading = Reading(word.load(ordering: .acquiring))
    if reading.generation > past { return reading.generation }
    if reading.isClosed { throw BroadcasterClosed() }
    try Task.checkCancellation()
    if let deadline, deadline <= .now { return nil }

    switch await suspend(past: past, deadline: deadline) {
    case .passed(let generation): return generation
    case .timedOut: return nil
    case .cancelled: throw CancellationError()
    case .closed: throw BroadcasterClosed()
    }
  }

  @inline(__always)
  private func suspend(past: Int, deadline: ContinuousClock.Instant?) async -> Waiter.Outcome {
    let ticket = TicketCell()
    return await withTaskCancellationHandler {
      await unsafe withUnsafeContinuation { continuation in
        unsafe register(Waiter(continuation), past: past, deadline: deadline, ticket: ticket)
      }
    } onCancel: {
      cancel(ticket)
    }
  }

  private func register(
    _ waiter: Waiter, past: Int, deadline: ContinuousClock.Instant?, ticket cell: borrowing TicketCell
  ) {
    let (outcome, alarm) = state.withLock { state -> (Waiter.Outcome?, WaitQueue<Waiter>.Alarm?) in
      // The runtime marks a task as cancelled before it calls the handler. So if the handler came before this and found
      // no ticket, its lock makes the mark visible here; if it comes after, it finds the ticket.
      if Task.isCancelled { return (.cancelled, nil) }
      let ticket = state.queue.register(waiter, past: past, deadline: deadline)
      publishLowest(of: state.queue)
      // W2 of the argument at `lowest`. Closing needs no such argument: it always takes the lock after it has changed
      // the word, so it either finds the waiter or is seen here.
      let reading = Reading(word.load(ordering: .sequentiallyConsistent))
      if reading.generation > past || reading.isClosed {
        _ = state.queue.cancel(ticket)
        publishLowest(of: state.queue)
        return (reading.generation > past ? .passed(reading.generation) : .closed, nil)
      }
      cell.ticket = ticket
      return (nil, deadline == nil ? nil : state.queue.armAlarm(at: .now))
    }
    if let outcome { waiter.resume(outcome) }
    if let alarm { start(alarm) }
  }

  private func cancel(_ cell: borrowing TicketCell) {
    let waiter = state.withLock { state -> Waiter? in
      guard let ticket = cell.ticket, let waiter = state.queue.cancel(ticket) else { return nil }
      publishLowest(of: state.queue)
      return waiter
    }
    waiter?.resume(.cancelled)
  }
}

// MARK: - Deadlines

extension Broadcaster {
  /// Starts the task that rings an alarm, in place of the one before.
  private func start(_ alarm: WaitQueue<Waiter>.Alarm) {
    // It holds the broadcaster only while it rings, so it keeps none alive that nobody else uses.
    let timer = Task.detached { [weak self] in
      var next: ContinuousClock.Instant? = alarm.instant
      while let instant = next {
        guard (try? await Task.sleep(until: instant, clock: .continuous)) != nil else { return }
        next = self?.ring(alarm.id)
      }
    }
    let replaced = state.withLock { state -> Task<Void, Never>? in
      // Meanwhile it may have rung for the last time, or another caller may have set a later one.
      guard state.queue.alarm?.id == alarm.id else { return timer }
      let replaced = state.timer
      state.timer = timer
      return replaced
    }
    replaced?.cancel()
  }

  /// Wakes waiters whose deadline has come; returns when to ring again, if at all.
  private func ring(_ id: UInt64) -> ContinuousClock.Instant? {
    let (generation, woken) = state.withLock { state in
      let generation = Reading(word.load(ordering: .sequentiallyConsistent)).generation
      let woken = state.queue.ring(id, at: .now, generation: generation)
      if state.queue.alarm == nil { state.timer = nil }
      publishLowest(of: state.queue)
      return (generation, woken)
    }
    for waiter in woken.passed { waiter.resume(.passed(generation)) }
    for waiter in woken.expired { waiter.resume(.timedOut) }
    return woken.again
  }

  /// Whether the timer task exists; for tests.
  package var hasTimer: Bool { state.withLock { $0.timer != nil } }
}

/// A suspended caller.
///
/// Safe although the continuation is not: `WaitQueue` hands out each waiter exactly once, and a waiter that never got
/// in is resumed by `register`. Nothing else resumes one.
///
/// A waiter may be resumed before its task has suspended. The runtime orders the two, but on that path does not inform the thread
/// sanitizer, which may report a race with `withUnsafeContinuation` as its top frame: `race_top:` suppresses it.
@safe struct Waiter: Sendable {
  enum Outcome: Sendable {
    case passed(Int)
    case timedOut
    case cancelled
    case closed
  }

  private let continuation: UnsafeContinuation<Outcome, Never>

  init(_ continuation: UnsafeContinuation<Outcome, Never>) {
    unsafe self.continuation = continuation
  }

  /// Never to be called under a lock: it may run the caller's code.
  func resume(_ outcome: Outcome) {
    unsafe continuation.resume(returning: outcome)
  }
}

/// Where a waiting call leaves its ticket for its cancellation handler.
///
/// Read and written under the broadcaster's lock only, which orders the two relaxed halves; they are atomic because the
/// compiler cannot know that, and a cell in the caller's frame costs no allocation.
private struct TicketCell: ~Copyable, Sendable {
  private let slot = Atomic<Int>(0)
  private let serial = Atomic<UInt64>(0)  // 0: no ticket yet; the queue counts from 1

  var ticket: WaitQueue<Waiter>.Ticket? {
    get {
      let serial = serial.load(ordering: .relaxed)
      return serial == 0 ? nil : .init(slot: slot.load(ordering: .relaxed), serial: serial)
    }
    nonmutating set {
      slot.store(newValue?.slot ?? 0, ordering: .relaxed)
      serial.store(newValue?.serial ?? 0, ordering: .relaxed)
    }
  }
}
