import Immuta

/// Tasks that each follow a log.
enum WaitingStreams {
  /// The median time from before a commit until the last of so many streams has the record.
  ///
  /// - Parameter isFollowing: whether the streams belong to a follower, which knows only the log's files, as in another process.
  static func measure(
    _ payloads: BenchPayloads, streams: Int, records: Int, isFollowing: Bool = false, in directory: String
  ) async throws -> Double {
    let bench = try BenchLog(directory)
    if !isFollowing { return try await measure(payloads, streams, records, of: bench.log, from: bench.log) }
    let follower = try BenchLog(directory, access: .readOnly)
    return try await measure(payloads, streams, records, of: follower.log, from: bench.log)
  }

  private static func measure(
    _ payloads: BenchPayloads, _ streams: Int, _ records: Int, of log: Log, from writer: Log
  ) async throws -> Double {
    let arrivals = Arrivals(audience: streams)
    return try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<streams {
        group.addTask {
          do {
            var stream = log.stream(from: .beginning)
            for number in 0...records {
              guard let record = try await stream.next() else { return }
              let sum = record.payload.withUnsafeBytes(\.sum)
              if sum != payloads.sum(of: number) { throw ToolError("a stream got other bytes than were appended") }
              arrivals.add()
            }
          } catch {
            arrivals.fail(error)
          }
        }
      }
      let median = try commit(payloads, records, to: writer, arrivals)
      try await group.waitForAll()
      return median
    }
  }

  /// Not async, and so without a hop between the clock and the commit.
  private static func commit(
    _ payloads: BenchPayloads, _ records: Int, to log: Log, _ arrivals: Arrivals
  ) throws -> Double {
    try arrivals.median(records) { number in try log.append(payloads[number]) }
  }
}
