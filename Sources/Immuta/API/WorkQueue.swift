import ImmutaLocking
import Logging

/// The records of a log as jobs for many workers: each job is given to one worker at a time, again and again until it is done.
///
/// ```swift
/// let jobs = try events.workQueue("resize", .init(lease: .seconds(30), maximumDeliveries: 5, deadLetters: dead))
/// for try await job in jobs {                      // in as many tasks as there are workers
///   do {
///     try await resize(job.record)
///     try await job.acknowledge()
///   } catch {
///     try await job.retry(after: .seconds(5))
///   }
/// }
/// ```
///
/// Get one with ``Log/workQueue(_:_:startingAt:creating:)``. Workers are tasks of one process, which has the queue for itself;
/// other processes get ``ImmutaError/consumerInUse(_:)``. Producers append to the log, in this process or another.
///
/// A worker has a job for as long as the lease says. A job that it has not acknowledged by then, or that it gives back, is given
/// again. So each job is done *at least once*, and your work on it must tolerate being done twice. Jobs begin in the order of
/// their records; jobs that come back go first. They may end in any order.
///
/// Which jobs were acknowledged, and how often each was given to a worker, survives the end of the process, and that of the
/// machine as the storage's durability says. See <doc:WorkQueues>.
public final class WorkQueue: Sendable {
  /// The queue's name. Consumers and work queues of a log share their names.
  public let name: String
  /// The log whose records are the jobs.
  public let log: Log
  /// How it deals with jobs.
  public let configuration: Configuration

  let keeper: PositionKeeper
  let journal: QueueJournal
  let reader: RecordReader
  let state: Lock<State>

  struct State {
    var jobs: WorkQueueState
    var line = WorkerLine<Job>()
    var isClosed = false
    /// How often it was moved: a worker that got a job before that has lost it.
    var moves = 0
    /// How many jobs were passed because their records were removed.
    var removedCount = 0
    /// Whether a task finds jobs for the workers that wait, and whether a job may have come since it looked.
    var isServing = false
    var servesAgain = false
    /// Waits for the log's next record for all workers that wait; numbered, so that an outdated watch is recognised.
    var watch: (number: Int, task: Task<Void, Never>)?
    var watches = 0
    /// When timers go off, on the steady clock.
    var timers: [Int64] = []
    /// When to look next whether more of the log is stable, and how often in a row it was not.
    var stableLook: (time: Int64, idle: Int)?
    /// When the position's file is written next, and the earliest time at which it may be.
    var positionDue: Int64?
    var positionRest: Int64 = 0
  }

  init(
    _ name: String, _ configuration: Configuration, of log: Log, _ keeper: PositionKeeper,
    _ jobs: sending WorkQueueState
  ) {
    (self.name, self.configuration, self.log) = (name, configuration, log)
    (self.keeper, journal) = (keeper, jobs.journal)
    reader = log.reader(
      from: .skipping(jobs.table.front), only: log.durability == .synced ? .durable : .committed)
    state = Lock(State(jobs: jobs))
  }

  deinit {
    close()
  }

  /// The number of the first record whose job is not done: all jobs before it are. O(1).
  public var position: Int { state.withLock { $0.jobs.table.front } }

  /// How many records exist from ``position`` on. Some of their jobs may be done. O(1).
  public var lag: Int { Swift.max(0, log.count - Swift.max(position, log.firstSequence)) }

  /// How many jobs were passed since the queue was opened because retention had removed their records before they were done. This
  /// is also logged. O(1).
  public var removedCount: Int { state.withLock { $0.removedCount } }

  // MARK: Taking jobs

  /// The next job, waiting for one if need be; never nil.
  ///
  /// The first job that may be given again, or else that of the next record. Its lease begins now.
  ///
  /// - Throws: `CancellationError`, `.consumerClosed`, `.storageClosed`, `.io`; `.corrupted`, `.undecodable` where its record
  ///   cannot be read: ``acknowledge(sequence:)`` passes such a job. Also what appending to the dead letters throws; then the job
  ///   stays. A job whose record retention has removed is passed: see ``removedCount``.
  public func next() async throws -> Job? { try await next(within: nil) }

  /// The next job, or nil when none came in time. A timeout of zero or less takes a job that exists.
  ///
  /// - Throws: as ``next()``.
  public func next(timeout: Duration) async throws -> Job? { try await next(within: timeout) }

  private func next(within timeout: Duration?) async throws -> Job? {
    try Task.checkCancellation()
    var job = try await takeAtOnce()
    if job == nil {
      if let timeout, timeout <= .zero { return nil }
      job = try await wait(until: timeout.map { Clocks.steadyClock().addingHeld($0.nanoseconds) })
    }
    guard let job else { return nil }
    // A job that makes the machine crash must count as given, too.
    try await waitUntilStable()
    // A worker that never waits would keep its thread from others.
    if job.record.sequence & 1023 == 1023 { await Task.yield() }
    return job
  }

  /// A job that can be given now; nil if there is none.
  func takeAtOnce() async throws -> Job? {
    while true {
      if let ready = try takeReady() {
        if let job = try await give(ready) { return job }
        continue
      }
      guard let record = try nextRecord() else { return nil }
      if let job = try takeFresh(record) { return job }
    }
  }

  /// The next record that was not read yet.
  private func nextRecord() throws(ImmutaError) -> Record? {
    while true {
      do throws(ImmutaError) {
        return try reader.nextAtOnce()
      } catch .recordRemoved(_, let first, _) {
        try passRemoved(before: first)
      }
    }
  }

  /// A job that is about to be given again.
  private struct Ready {
    let number: Int
    let deliveries: Int
    /// See ``State/moves``.
    let moves: Int
  }

  private func takeReady() throws(ImmutaError) -> Ready? {
    try state.withLock { (state) throws(ImmutaError) in
      try checkOpen(state)
      state.jobs.table.release(by: Clocks.steadyClock())
      guard let number = state.jobs.table.firstReady(), let entry = state.jobs.table.entry(number) else { return nil }
      state.jobs.table.set(number, JobEntry(.taken, deliveries: Int(entry.deliveries)))
      return Ready(number: number, deliveries: Int(entry.deliveries), moves: state.moves)
    }
  }

  /// Gives a job again, or for the first time after it waited; nil where it went to the dead letters, or is done by now.
  private func give(_ ready: Ready) async throws -> Job? {
    let (number, deliveries) = (ready.number, ready.deliveries)
    guard let record = try readAgain(ready) else { return nil }
    if let most = configuration.maximumDeliveries, deliveries >= most {
      let times = Quantity.of(deliveries, "time")
      let job = Job(record: record, deliveries: deliveries, queue: self, moves: ready.moves)
      try await bury(job, "it was given \(times), and was neither acknowledged nor given back in time")
      return nil
    }
    return try inLog { () throws(ImmutaError) in
      try state.withLock { (state) throws(ImmutaError) in
        do throws(ImmutaError) {
          try checkOpen(state)
          // The worker that had it before may have acknowledged it meanwhile.
          guard state.moves == ready.moves, state.jobs.table.entry(number)?.status == .taken else { return nil }
          return try lease(record, deliveries, &state)
        } catch {
          giveBack(number, deliveries, after: .zero, ready.moves, &state)
          throw error
        }
      }
    }
  }

  /// The record of a job that is given again; nil where it was removed, and the job is passed.
  private func readAgain(_ ready: Ready) throws(ImmutaError) -> Record? {
    do throws(ImmutaError) {
      return try log.readRecord(ready.number)
    } catch {
      giveBack(ready.number, ready.deliveries, after: .zero, ready.moves)
      guard case .recordRemoved(_, let first, _) = error else { throw error }
      try passRemoved(before: first)
      return nil
    }
  }

  /// Gives a record that is read for the first time; nil where it must wait, or is done.
  private func takeFresh(_ record: Record) throws(ImmutaError) -> Job? {
    let number = record.sequence
    let due = configuration.due?(record)
    return try inLog { () throws(ImmutaError) in
      try state.withLock { (state) throws(ImmutaError) -> Job? in
        try checkOpen(state)
        if state.jobs.table.isDone(number) || state.jobs.table.entry(number) != nil {
          // Under the lock, so that nobody moves the queue.
          reader.skip(to: state.jobs.table.firstUntouched(from: number))
          return nil
        }
        if let due {
          let wait = due.nanosecondsSince1970.subtractingHeld(Clocks.wallClock())
          if wait > 0 {
            let deadline = Clocks.steadyClock().addingHeld(wait)
            state.jobs.table.set(number, JobEntry(.dated, deliveries: 0, deadline: deadline))
            arrange(&state)
            return nil
          }
        }
        do throws(ImmutaError) {
          return try lease(record, 0, &state)
        } catch {
          // The record will not be read for the first time again.
          giveBack(number, 0, after: .zero, state.moves, &state)
          throw error
        }
      }
    }
  }

  private func lease(_ record: Record, _ deliveries: Int, _ state: inout State) throws(ImmutaError) -> Job {
    try note(.delivered, record, deliveries: deliveries + 1, &state)
    let deadline = Clocks.steadyClock().addingHeld(configuration.lease.nanoseconds)
    state.jobs.table.set(record.sequence, JobEntry(.leased, deliveries: deliveries + 1, deadline: deadline))
    return Job(record: record, deliveries: deliveries + 1, queue: self, moves: state.moves)
  }

  /// Lets another worker have a job, after a while.
  ///
  /// - Parameter moves: see ``State/moves``. If the queue was moved since, the job comes as any other does.
  func giveBack(_ number: Int, _ deliveries: Int, after pause: Duration, _ moves: Int) {
    state.withLock { giveBack(number, deliveries, after: pause, moves, &$0) }
    kick()
  }

  private func giveBack(_ number: Int, _ deliveries: Int, after pause: Duration, _ moves: Int, _ state: inout State) {
    if state.moves != moves || state.jobs.table.isDone(number) { return }
    let deadline = Clocks.steadyClock().addingHeld(pause.nanoseconds)
    state.jobs.table.set(
      number, JobEntry(pause > .zero ? .waiting : .ready, deliveries: deliveries, deadline: deadline))
    arrange(&state)
  }

  // MARK: Closing

  func checkOpen(_ state: borrowing State) throws(ImmutaError) {
    if state.isClosed { throw .consumerClosed(name).of(log.namespace) }
  }

  /// The same, with the log's name in what is thrown.
  func inLog<R>(_ body: () throws(ImmutaError) -> R) throws(ImmutaError) -> R {
    do throws(ImmutaError) { return try body() } catch { throw error.of(log.namespace) }
  }

  func inLog(_ body: () async throws -> Void) async throws {
    do { try await body() } catch let error as ImmutaError { throw error.of(log.namespace) }
  }

  /// Lets others have the queue. Workers that wait for a job get `.consumerClosed`, and so does a worker that acknowledges a job
  /// that it still has: that job is given again when the queue is opened next. Closing the log closes its queues, too.
  /// Idempotent; blocks for flushes.
  public func close() {
    let (workers, isFirst) = state.withLock { state in
      defer { state.isClosed = true }
      state.watch?.task.cancel()
      state.watch = nil
      return (state.line.popAll(), !state.isClosed)
    }
    for worker in workers { worker.resume(throwing: ImmutaError.consumerClosed(name).of(log.namespace)) }
    guard isFirst else { return }
    state.withLock { state in
      // If this fails, jobs are given again, or the failure was reported before.
      try? state.jobs.tellStable(log.open.knownStableCount)
      try? writePosition(&state)
    }
    if let failure = journal.close() {
      log.open.logger?.tell(
        .queueCloseFailed, .error,
        "closing the work queue “\(name)” failed: some jobs that are done may be given again: \(failure)",
        ["namespace": "\(log.namespace)", "queue": "\(name)"])
    }
    keeper.close()
  }
}

extension WorkQueue: ClosesWithLog {
  func closeWithLog() { close() }
}

extension WorkQueue: AsyncSequence {
  /// Takes jobs, as ``WorkQueue/next()`` does, and never ends by itself.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let queue: WorkQueue

    /// The next job; see ``WorkQueue/next()``.
    public func next() async throws -> Job? { try await queue.next() }

    /// The next job; see ``WorkQueue/next()``.
    public func next(isolation actor: isolated (any Actor)?) async throws -> Job? { try await queue.next() }
  }

  /// Takes jobs. Any number of iterators may be at work at once; they share the jobs.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(queue: self) }
}
