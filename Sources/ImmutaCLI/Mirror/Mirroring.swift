import Immuta

/// Keeps a copy of a log: each of its records, once, with the number that it has.
///
/// It has no state but the two logs. How many records the copy has says what comes next, and the id of the last says whose they
/// are. Each record is appended on the condition that the copy has as many records as come before it. So it does not matter when
/// this is killed, how often it is started, nor whether several do it at once.
///
/// The position of a consumer says up to where the copy is known to be the same. Records go from the front of the log only after
/// it, where the log waits for it; and what a power cut may have taken from the log, after it was copied, lies after it.
@MainActor struct Mirroring<Target: MirrorTarget> {
  let source: Log
  let target: Target
  let consumer: Consumer
  let report: MirrorReport
  let follows: Bool
  private let identity: LogIdentity

  /// Records that are appended at once, at most.
  static var largestBatch: Int { 1000 }

  /// - Parameter consumer: one of the source.
  init(
    _ source: Log, to target: Target, _ consumer: Consumer, report: MirrorReport, follows: Bool
  ) throws(ToolError) {
    guard let identity = source.identity else {
      throw ToolError(
        "“\(source.namespace)” has no companion that says whose log it is: open it once for appending, as with `immuta append "
          + "\(source.namespace) /dev/null`")
    }
    (self.source, self.target, self.consumer, self.report) = (source, target, consumer, report)
    (self.follows, self.identity) = (follows, identity)
  }

  /// Copies what there is, and what comes if it follows the log.
  ///
  /// - Throws: ``ToolError`` where the copy is one of another log, or has other records; what reading the source throws; where it
  ///   does not follow, also `.unavailable`.
  func run() async throws {
    while true {
      do {
        let next = try await agree()
        return try await copy(from: next)
      } catch let error as ImmutaError {
        guard try isToBeTriedAgain(error) else { throw error }
      }
    }
  }

  /// Whether the copy is asked once more what it has.
  private func isToBeTriedAgain(_ error: ImmutaError) throws -> Bool {
    switch error {
    // Another process mirrors the same log, or the record was stored already.
    case .outcomeUnknown, .unexpectedCount: return true
    case .unavailable:
      // The library has tried for long.
      guard follows else { return false }
      report.note("\(error); mirroring goes on when it can be reached")
      return true
    default: return false
    }
  }

  /// What comes next, once it is certain that all before it is the same in both.
  private func agree() async throws -> Int {
    let (count, lastID) = try await target.end()
    if count > 0, lastID != MirrorID.of(count - 1, in: identity) {
      let id = lastID.map { "the id \($0.quoted)" } ?? "no id"
      throw ToolError(
        "the log “\(source.namespace)” there is not a copy of this one: its last record, \(count - 1), has \(id), not "
          + "\(MirrorID.of(count - 1, in: identity)); nothing was appended. Mirror into another cluster, or rename one of them"
      )
    }
    let first = source.firstSequence
    guard count >= first else {
      throw ToolError(
        "the copy has \(Quantities.counted(count, "record")), and “\(source.namespace)” begins with record \(first): the records between "
          + "were removed before they were copied, and a copy has the same numbers. A program that sets Retention.waitingFor to "
          + "“\(consumer.name)” keeps what is not copied yet", .damaged)
    }
    if consumer.position > count {
      // The copy was removed, or has lost its end.
      report.note("the copy has \(count) records, and had \(consumer.position): mirroring them again")
    } else {
      try await compare(consumer.position..<count)
    }
    // Also if it stands there already: it may have delivered records that were not appended, and these come again.
    try await consumer.seek(to: .sequence(count))
    return count
  }

  /// Throws unless these records are the same in both.
  private func compare(_ numbers: Range<Int>) async throws {
    if numbers.isEmpty { return }
    let ours = source.reader(from: .sequence(numbers.lowerBound))
    var theirs = target.records(from: numbers.lowerBound)
    for number in numbers {
      guard let copy = try await theirs.next() else { return }
      do {
        if let record = try ours.nextAtOnce(), try record.payload.inMemory() == copy.payload.inMemory() { continue }
      } catch ImmutaError.positionBeyondEnd {}
      throw ToolError(
        "record \(number) of “\(source.namespace)” is not what was copied of it, or is not there: this log has lost its end, as a "
          + "power cut may take it from one that is not synced, or was put back from an older copy. Nothing was appended. What was "
          + "lost is in the copy: `immuta mirror \(source.namespace) --from … --dir` brings it into a new log", .damaged
      )
    }
  }

  /// Copies from a number on.
  private func copy(from first: Int) async throws {
    var next = first
    try report.update(done: next, of: source.count)
    while true {
      guard follows || next < source.count else { return try report.finish(done: next, of: source.count) }
      guard let batch = try await consumer.nextBatch() else { return }
      for part in parts(of: batch) {
        precondition(part.first?.sequence == next, "the consumer delivered another record than the next of the copy")
        try await target.append(part.map { ($0.payload, MirrorID.of($0.sequence, in: identity)) }, expecting: next)
        next += part.count
        try await consumer.acknowledge(through: next - 1)
        try report.update(done: next, of: source.count)
      }
    }
  }

  private func parts(of batch: RecordBatch) -> [RecordBatch.SubSequence] {
    stride(from: batch.startIndex, to: batch.endIndex, by: Self.largestBatch).map {
      batch[$0..<min(batch.endIndex, $0 + Self.largestBatch)]
    }
  }
}
