import Logging

/// A work queue's jobs, and the state log with the same information: each change is appended to it before anybody learns of it.
struct WorkQueueState {
  var table: JobTable
  /// Records that are about to be appended, and when they are due.
  var planned: [Int: QueueReplay.Planned] = [:]
  /// The number after the highest record that an event names.
  private(set) var end: Int
  /// How many of the log's records are known to be stable, as the state log says.
  private(set) var toldStable = 0

  let journal: QueueJournal
  private let open: OpenLog
  /// Of the position's file.
  private var queue: UInt64
  /// How many events were appended to the state log since its last summary.
  private var events = 0

  init(_ table: JobTable, _ journal: QueueJournal, queue: UInt64, of open: OpenLog) {
    (self.table, self.journal, self.queue, self.open) = (table, journal, queue, open)
    end = table.front
  }

  /// Makes all jobs from a number on new again, and leaves none before it. This is not written yet.
  ///
  /// - Parameter queue: what the position's file says from here on.
  mutating func restart(at front: Int, _ queue: UInt64) {
    self.queue = queue
    table = JobTable(front: front)
    (end, toldStable, events) = (front, 0, 0)
    // Callers are about to append these, and want them to wait.
    let (steady, wall) = (Clocks.steadyClock(), Clocks.wallClock())
    for (number, planned) in planned where number >= front {
      let wait = min(max(0, planned.due.subtractingHeld(wall)), planned.delay)
      table.set(number, JobEntry(.waiting, deliveries: 0, deadline: steady.addingHeld(wait)))
    }
  }

  /// If it throws, nothing has changed.
  mutating func append(_ event: QueueEvent) throws(ImmutaError) {
    var event = event
    event.stable = open.knownStableCount
    try journal.append(event)
    toldStable = max(toldStable, event.stable)
    if event.kind != .stable { end = max(end, event.number + 1) }
    events += 1
  }

  /// Records that a job is done.
  ///
  /// - Parameter place: after its record.
  mutating func finish(_ place: ConsumerMark.Place) throws(ImmutaError) {
    try append(QueueEvent(kind: .done, number: place.number - 1, index: place.index, time: place.time))
    table.markDone(place.number - 1)
  }

  /// After a restart of the machine, done jobs count only for records that were known to be stable. So that number is written
  /// also while no job is done.
  mutating func tellStable(_ stable: Int) throws(ImmutaError) {
    if stable > toldStable, toldStable < end { try append(QueueEvent(kind: .stable)) }
  }

  // MARK: Summaries

  /// Begins a segment of the state log with a summary, and has the events before it removed, if there are many.
  mutating func compact(ifMoreThan most: Int, _ name: String) {
    guard events >= max(most, 2 * table.entryCount) else { return }
    do throws(ImmutaError) {
      removeRecords(before: try summarize(rolls: true), name)
    } catch {
      // Tries again a while later. If nothing can be written any more, the next job shows it.
      events /= 2
    }
  }

  func removeRecords(before first: Int, _ name: String) {
    let (journal, open) = (journal, open)
    // If no thread is free, the next summary removes them.
    try? WorkThreads.shared.add {
      do throws(ImmutaError) { try journal.removeRecords(before: first) } catch {
        if case .storageClosed = error { return }
        open.logger?.tell(
          .queueRemovalFailed, .warning,
          "what the work queue “\(name)” need not keep could not be removed: \(error)",
          ["namespace": "\(open.namespace)", "queue": "\(name)"])
      }
    }
  }

  /// Writes all that is known.
  ///
  /// - Returns: the number of the summary's first record.
  mutating func summarize(rolls: Bool) throws(ImmutaError) -> Int {
    let stable = open.knownStableCount
    var blocks: [QueueBlock] = []
    for (first, block) in table.touched {
      if let block = try summary(of: block, first) { blocks.append(block) }
    }
    let header = QueueHeader(
      identity: open.identity, queue: queue, front: try open.place(table.front), stable: stable, blocks: blocks.count)
    let planned = planned.map { QueueEvent(planning: $0.key, $0.value) }
    let first = try journal.write(header, blocks, planned, rolls: rolls)
    events = 0
    toldStable = max(toldStable, stable)
    end = max(end, blocks.last?.end ?? 0)
    return first
  }

  /// Nil where nothing needs to be written.
  private func summary(of block: JobBlock, _ first: Int) throws(ImmutaError) -> QueueBlock? {
    let (steady, wall) = (Clocks.steadyClock(), Clocks.wallClock())
    var entries: [QueueBlock.Entry] = []
    for entry in block.entries where planned.isEmpty || planned[first + Int(entry.offset)] == nil {
      let (offset, deliveries) = (Int(entry.offset), Int(entry.deliveries))
      switch entry.status {
      // Reading the record finds that out.
      case .dated: continue
      case .waiting:
        let wait = max(1, entry.deadline.subtractingHeld(steady))
        entries.append(.init(offset: offset, deliveries: deliveries, due: wall.addingHeld(wait), delay: wait))
      case .ready, .taken, .leased:
        if deliveries > 0 { entries.append(.init(offset: offset, deliveries: deliveries, due: 0, delay: 0)) }
      }
    }
    guard let last = [block.lastDone, entries.last?.offset].compactMap(\.self).max() else { return nil }
    let place = try open.place(first + last + 1)
    let done =
      block.isAllDone ? [] : block.done.isEmpty ? [UInt64](repeating: 0, count: JobBlock.size / 64) : block.done
    return QueueBlock(
      first: first, end: place.number, index: place.index, time: place.time, done: done, entries: entries)
  }
}
