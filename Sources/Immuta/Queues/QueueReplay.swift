/// Reads a work queue's state log, record by record, to find the present state of the queue's jobs. Pure.
///
/// The state of a record's job counts as long as the log still has that record. A log that has lost records, in a power cut or
/// because an older copy was put back, has kept a run of records from the first on. So if one record is known to be still the
/// same, by its place and its time, the state of all jobs before it counts: ``limit`` is that bound.
struct QueueReplay {
  /// Identifies a record that is about to be appended.
  struct Planned: Hashable, Sendable {
    var checksum: UInt32
    var due: Int64
    var delay: Int64
  }

  /// A moment, and how long before it the event was written.
  struct Due: Hashable, Sendable {
    var due: Int64
    var delay: Int64
  }

  /// The QUEUE of the position's file: state with another one does not count.
  let queue: UInt64
  /// The state of jobs from this number on does not count.
  let limit: Int

  /// The header of the last summary, whichever queue it belongs to.
  private(set) var header: QueueHeader?
  private(set) var table = JobTable(front: 0)
  /// Until when the waiting jobs wait.
  private(set) var dues: [Int: Due] = [:]
  private(set) var planned: [Int: Planned] = [:]
  /// The highest STABLE of all events.
  private(set) var stable = 0
  /// How many blocks are still to come.
  private var blocksLeft = 0

  init(queue: UInt64, limit: Int) {
    (self.queue, self.limit) = (queue, limit)
  }

  /// Whether the summary belongs to this queue.
  var isMine: Bool { header.map { $0.queue | 1 == queue | 1 } ?? false }

  /// Whether the last summary is complete.
  var isWhole: Bool { header != nil && blocksLeft == 0 }

  /// Takes the next record. False for a record that no version has written, or not in this place.
  mutating func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if unsafe QueueHeader.version(of: bytes) != nil {
      guard blocksLeft == 0, let header = unsafe QueueHeader(decoding: bytes) else { return false }
      begin(header)
      return true
    }
    // Records before the first summary belong to a segment that was about to be removed.
    if header == nil { return true }
    if blocksLeft > 0 {
      guard let block = unsafe QueueBlock(decoding: bytes) else { return false }
      blocksLeft -= 1
      if isMine { take(block) }
      return true
    }
    guard let event = unsafe QueueEvent(decoding: bytes) else { return false }
    if isMine { take(event) }
    return true
  }

  private mutating func begin(_ header: QueueHeader) {
    self.header = header
    blocksLeft = header.blocks
    table = JobTable(front: min(header.front.number, limit))
    (dues, planned, stable) = ([:], [:], header.stable)
  }

  private mutating func take(_ block: QueueBlock) {
    let end = min(block.end, limit)
    if block.done.isEmpty { return table.markDone(block.first..<max(block.first, end)) }
    for (word, bits) in block.done.enumerated() {
      var bits = bits
      while bits != 0 {
        let number = block.first + word << 6 + bits.trailingZeroBitCount
        if number < end { table.markDone(number) }
        bits &= bits - 1
      }
    }
    for entry in block.entries {
      let number = block.first + entry.offset
      if number < end, !table.isDone(number) { note(number, entry.deliveries, entry.due, entry.delay) }
    }
  }

  private mutating func take(_ event: QueueEvent) {
    stable = max(stable, event.stable)
    switch event.kind {
    case .stable: return
    case .planned:
      planned[event.number] = Planned(
        checksum: UInt32(truncatingIfNeeded: event.time), due: event.due, delay: event.delay)
      return
    case .withdrawn:
      planned[event.number] = nil
      return
    case .delivered, .done, .due: break
    }
    guard event.number < limit else { return }
    planned[event.number] = nil
    if event.kind == .done {
      dues[event.number] = nil
      table.markDone(event.number)
    } else if !table.isDone(event.number) {
      note(event.number, event.deliveries, event.due, event.delay)
    }
  }

  /// A worker that had a job when this was written has lost it: leases end with the process.
  private mutating func note(_ number: Int, _ deliveries: Int, _ due: Int64, _ delay: Int64) {
    dues[number] = due == 0 ? nil : Due(due: due, delay: delay)
    table.set(number, JobEntry(due == 0 ? .ready : .waiting, deliveries: deliveries))
  }
}

extension QueueEvent {
  /// A record of that number is about to be appended, for later.
  init(planning number: Int, _ planned: QueueReplay.Planned) {
    self.init(kind: .planned, number: number, time: Int64(planned.checksum))
    (due, delay) = (planned.due, planned.delay)
  }
}

/// Finds out up to which record a log still agrees with a queue's state log.
struct SameRecords {
  /// The record after the last one that is known to be the same.
  private(set) var known = 0
  /// The first record that is known to be another one now.
  private var other = Int.max

  /// Looks at a place that the state log mentions, if that can show more than is known.
  ///
  /// - Parameter isSame: whether the record before the place is what it was.
  mutating func look<E: Error>(
    at place: ConsumerMark.Place, _ isSame: (ConsumerMark.Place) throws(E) -> Bool
  ) throws(E) {
    guard place.index > 0, place.number > known, place.number < other else { return }
    if try isSame(place) { known = place.number } else { other = place.number }
  }

  /// The place that a record of the state log mentions.
  static func place(in bytes: UnsafeRawBufferPointer) -> ConsumerMark.Place? {
    if let event = unsafe QueueEvent(decoding: bytes) {
      switch event.kind {
      case .delivered, .done, .due: return event.place
      case .planned, .withdrawn, .stable: return nil
      }
    }
    if let header = unsafe QueueHeader(decoding: bytes) { return header.front }
    return unsafe QueueBlock(decoding: bytes)?.place
  }
}
