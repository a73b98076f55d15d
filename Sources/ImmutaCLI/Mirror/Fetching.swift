import Immuta

/// Keeps a log in a directory a copy of another one: each of its records, once, with the number that it has there.
///
/// It has no state but the two logs: how many records the copy has says what comes next.
@MainActor struct Fetching<Source: AppendOnlyLog> {
  let source: Source
  let target: Log
  let report: MirrorReport
  let follows: Bool

  /// So many records at the end of the copy are compared before anything is appended to it.
  private static var compared: Int { 100 }

  /// Copies what there is, and what comes if it follows the log.
  ///
  /// - Throws: ``ToolError`` where the copy has other records; what appending to it throws; where it does not follow, also
  ///   `.unavailable`.
  func run() async throws {
    while true {
      do {
        try await check()
        return try await copy()
      } catch let error as ImmutaError {
        guard follows, case .unavailable = error else { throw error }
        report.note("\(error); mirroring goes on when it can be reached")
      }
    }
  }

  /// Throws where the copy is one of something else.
  private func check() async throws {
    let (count, present) = (target.count, try await source.count)
    if count > present {
      throw ToolError(
        "“\(target.namespace)” has \(Quantities.counted(count, "record")) here, and \(Quantities.grouped(present)) there: it is not a copy of that "
          + "log, or that one was put back from an older copy; nothing was appended")
    }
    let first = max(target.firstSequence, count - Self.compared)
    let ours = target.reader(from: .sequence(first))
    var theirs = source.stream(from: .sequence(first))
    for number in first..<count {
      guard let copy = try ours.nextAtOnce(), let record = try await theirs.next() else { return }
      if try record.payload.inMemory() == copy.payload.inMemory() { continue }
      throw ToolError(
        "record \(number) of “\(target.namespace)” is another one here than there: it is not a copy of that log; nothing was "
          + "appended. Give another directory")
    }
  }

  private func copy() async throws {
    var stream = source.stream(from: .sequence(target.count))
    var present = try await source.count
    try report.update(done: target.count, of: present)
    while true {
      if target.count >= present {
        present = try await source.count
        try report.update(done: target.count, of: present)
        guard follows || target.count < present else { return try report.finish(done: target.count, of: present) }
      }
      guard let first = try await stream.next() else { return }
      var payloads = [first.payload]
      var bytes = first.payload.count
      while payloads.count < 1000, bytes < 1 << 20, let more = try await stream.next(timeout: .zero) {
        payloads.append(more.payload)
        bytes += more.payload.count
      }
      // A log that another program appends to as well is not a copy.
      try await target.append(contentsOf: payloads, expecting: first.sequence)
      try report.update(done: target.count, of: max(present, target.count))
    }
  }
}
