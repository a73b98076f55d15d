/// Reads a work queue's state log, record by record, up to what the queue's jobs are now. Pure.
///
/// What is said of a record counts as long as the log has that record still. A log that has lost records, in a power cut or
/// because an older copy was put back, has kept a run of them from the first on. So whoever knows one record that is still the
/// same, by its place and its time, may believe all that is said of the records before it: ``limit`` is that bound.
struct QueueReplay {
  /// What a record that is about to be appended is told by.
  struct Planned: Hashable, Sendable {
    var checksum: UInt32
    var due: Int64
    var delay: Int64
  }

  /// A moment, and how long before it was named.
  struct Due: Hashable, Sendable {
    var due: Int64
    var delay: Int64
  }

  /// Of the position's file: state of another one does not count.
  let queue: UInt64
  /// What is said of records from this number on does not count.
  let limit: Int

  /// The last summary's, whosever it is.
  private(set) var header: QueueHeader?
  private(set) var table = JobTable(front: 0)
  /// Of the jobs that wait, until when.
  private(set) var dues: [Int: Due] = [:]
  private(set) var planned: [Int: Planned] = [:]
  /// The highest that was said.
  private(set) var stable = 0
  /// How many blocks are still to come.
  private var blocksLeft = 0

  init(queue: UInt64, limit: Int) {
    (self.queue, self.limit) = (queue, limit)
  }

  /// Whether the summary is the queue's.
  var isMine: Bool { header.map { $0.queue | 1 == queue | 1 } ?? false }

  /// Whether nothing is missing of the last summary.
  var isWhole: Bool { header != nil && blocksLeft == 0 }

  /// Takes the next record. False for one that no version has written, or in no such place.
  mutating func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if unsafe QueueHeader.version(of: bytes) != nil {
      guard blocksLeft == 0, let header = unsafe QueueHeader(decoding: bytes) else { return false }
      begin(header)
      return true
    }
    // What comes before the first summary that is kept is of a segment that was about to be removed.
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

  /// Who had a job when this was written has it no more: leases end with the process.
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

/// Finds out how far a log is still what a queue's state log says: the last record of which that is known.
struct SameRecords {
  /// The record after the last one that is the same, as far as was asked.
  private(set) var known = 0
  /// The first one that is another one now, as far as was asked.
  private var other = Int.max

  /// Looks at a place that something is said of, if it tells more than is known.
  ///
  /// - Parameter isSame: whether the record before the place is what it was.
  mutating func look<E: Error>(
    at place: ConsumerMark.Place, _ isSame: (ConsumerMark.Place) throws(E) -> Bool
  ) throws(E) {
    guard place.index > 0, place.number > known, place.number < other else { return }
    if try isSame(place) { known = place.number } else { other = place.number }
  }

  /// The places that a record of the state log is about.
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
