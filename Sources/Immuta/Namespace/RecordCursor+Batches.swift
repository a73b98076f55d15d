/// Several records that were delivered together.
enum TakenRecords: Sendable {
  /// Records as they were read ahead.
  case run(RecordRun)
  /// Records of the log's tail, large records, and decoded ones. At least one.
  case records([Record])

  var count: Int {
    switch self {
    case .run(let run): run.numbers.count
    case .records(let records): records.count
    }
  }

  /// The record at a position counted from 0, which is less than `count`.
  func record(at position: Int) -> Record {
    switch self {
    case .run(let run): run.record(at: position)
    case .records(let records): records[position]
    }
  }
}

extension RecordCursor {
  /// The next records, as many as were read ahead or are at hand: at least one if one is committed already; nil otherwise. Does
  /// not wait.
  mutating func nextBatchAtOnce() throws(ImmutaError) -> TakenRecords? {
    if let run = ahead.run(from: place) {
      pass(run.numbers.count)
      return .run(run)
    }
    guard let first = try nextAtOnce() else { return nil }
    // Reading it may have brought others.
    if let run = ahead.run(from: first.sequence) {
      pass(run.numbers.count - 1)
      return .run(run)
    }
    return .records(rest(after: first))
  }

  /// A record, and those after it that need no waiting, in bounded memory.
  private mutating func rest(after first: Record) -> [Record] {
    guard let source, let reader else { return [first] }
    let count = source.count(visibility, reader)
    var records = [first]
    var bytes = first.payload.count
    while place < count, bytes < Chunk.size, records.count < Self.mostInBatch, ahead.run(from: place) == nil {
      // The place stays, so the next call throws the error again.
      guard let record = try? nextAtOnce() else { break }
      bytes += record.payload.count
      records.append(record)
    }
    return records
  }

  private static var mostInBatch: Int { 1024 }
}
