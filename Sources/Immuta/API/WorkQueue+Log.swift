import ImmutaLocking
import Logging

// A log's work queues: opening and making them. Consumer+Log.swift lists, moves and removes them.

extension Log {
  /// Opens a work queue of the log; makes it if the log has none with that name. See ``WorkQueue``.
  ///
  /// Its position is kept as a consumer's. Beside that it has a log of its own, `<namespace>.consumers/<name>.log`, which records
  /// the jobs done beyond the position, and how often jobs were given. Where one of these files is damaged, missing, or another
  /// log's, opening the queue throws: a queue never starts over by itself. Call ``seekConsumer(_:to:)`` to say where it goes on.
  ///
  /// - Parameters:
  ///   - name: as a consumer's; not the name of an existing consumer.
  ///   - configuration: how it deals with jobs.
  ///   - start: where it begins if it is made now; otherwise it goes on where it was.
  ///   - creating: whether it is made where there is none.
  /// - Throws: as ``consumer(_:startingAt:creating:)``; `.otherKindOfConsumer` where the name is a consumer's; `.invalidConfiguration`.
  public func workQueue(
    _ name: String, _ configuration: WorkQueue.Configuration = .init(),
    startingAt start: StreamPosition = .beginning, creating: Bool = true
  ) throws(ImmutaError) -> WorkQueue {
    guard FileName.isValid(name) else { throw .invalidConsumer(name) }
    do throws(ImmutaError) {
      try checkOpen()
      try configuration.check(for: self)
      var (file, mark) = try positionFile(of: name, startingAt: start, creating: creating, isWorkQueue: true)
      do throws(ImmutaError) {
        if mark.queue == 0 { throw .otherKindOfConsumer(name, isWorkQueue: false) }
        return try workQueue(name, configuration, &file, mark)
      } catch {
        file.unlock()
        throw error
      }
    } catch {
      throw error.of(namespace)
    }
  }

  /// How many events opening a queue reads before it begins another segment.
  private static var mostEventsBefore: Int { 4096 }

  private func workQueue(
    _ name: String, _ configuration: WorkQueue.Configuration, _ file: inout PositionFile, _ mark: ConsumerMark
  ) throws(ImmutaError) -> WorkQueue {
    guard let folder = try consumerFolder.stateFolder() else { throw .consumerNotFound(name) }
    var mark = mark
    let isNew = mark.queue & 1 == 0
    mark.queue |= 1
    let journal = try QueueJournal(
      of: name, in: folder, isNew: isNew, durability: durability, acceptsFilesOfOthers: acceptsFilesOfOthers,
      logger: open.logger)
    do throws(ImmutaError) {
      var table = isNew ? JobTable(front: mark.last.number) : try jobs(journal, mark, of: name)
      let removed = table.pass(before: firstSequence)
      if removed > 0 { mark.last = try open.place(table.front) }
      var state = WorkQueueState(table, journal, queue: mark.queue, of: open)
      let rolls = journal.length > Self.mostEventsBefore
      let first = try state.summarize(rolls: rolls)
      // The position relies on this state, so it must be on stable storage.
      if isNew { try journal.syncBlocking() }
      mark.bootIdentity = BootIdentity.current
      mark.identity = mark.identity ?? identity
      try file.write(mark)
      if isNew { try file.flush() }
      let keeper = PositionKeeper(name, file, mark, of: open, durability)
      let queue = WorkQueue(name, configuration, of: self, keeper, state)
      if removed > 0 {
        queue.state.withLock { $0.removedCount = removed }
        noteRemovedJobs(removed, before: firstSequence, of: name)
      }
      if rolls { state.removeRecords(before: first, name) }
      open.consumers.add(queue)
      // A queue that was released may be closing on another thread: closing the log waits for that.
      open.consumers.add(journal)
      open.consumers.add(keeper)
      // The log may have been closed meanwhile, with its queues.
      try checkOpen()
      return queue
    } catch {
      _ = journal.close()
      throw error
    }
  }

  /// The jobs, by the queue's state and its position.
  private func jobs(
    _ journal: QueueJournal, _ mark: ConsumerMark, of name: String
  ) throws(ImmutaError) -> JobTable {
    let boot = BootIdentity.current
    let replay = try journal.replay(mark, wasRestarted: boot == 0 || mark.bootIdentity != boot, of: open)
    if !replay.isMine {
      open.logger?.tell(
        .queueMoved, .warning,
        "the state of the work queue “\(name)” is of before it was moved, and counts no more",
        ["namespace": "\(namespace)", "queue": "\(name)"])
      return JobTable(front: mark.last.number)
    }
    var table = replay.table
    table.moveFront(to: mark.last.number)
    let (steady, wall, count) = (Clocks.steadyClock(), Clocks.wallClock(), count)
    func wait(_ number: Int, _ due: Int64, _ delay: Int64, deliveries: Int) {
      let wait = min(max(0, due.subtractingHeld(wall)), delay)
      table.set(number, JobEntry(.waiting, deliveries: deliveries, deadline: steady.addingHeld(wait)))
    }
    for (number, due) in replay.dues {
      if let entry = table.entry(number) { wait(number, due.due, due.delay, deliveries: Int(entry.deliveries)) }
    }
    // Jobs that may not have been appended: another record may have the number.
    for (number, planned) in replay.planned where number < count && !table.isDone(number) {
      guard table.entry(number) == nil, let record = try? readRecord(number),
        WorkQueue.checksum(of: record.payload) == planned.checksum
      else { continue }
      wait(number, planned.due, planned.delay, deliveries: 0)
    }
    return table
  }
}
