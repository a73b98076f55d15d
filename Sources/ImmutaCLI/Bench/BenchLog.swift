import Immuta

/// Immuta, doing the work that is measured.
///
/// Noncopyable, so that the log is closed at the end of the scope that opened it, and not before.
struct BenchLog: ~Copyable {
  private static let namespace = "bench"

  let log: Log
  private let storage: Storage

  init(_ directory: String, durability: Durability = .buffered, access: Storage.Access = .readWrite) throws {
    var configuration = Storage.Configuration(durability: durability)
    configuration.access = access
    let opened = try Storage(directory: directory, namespaces: [Self.namespace], configuration: configuration)
    log = try opened.log(Self.namespace)
    storage = opened
  }

  deinit { storage.close() }

  static func path(in directory: String) -> String { "\(directory)/\(namespace).log" }
  static func companionPath(in directory: String) -> String { "\(directory)/\(namespace).idx" }

  // MARK: Appending, in nanoseconds per record

  /// A new log, each record or each so many of them in a commit of their own.
  static func append(
    _ payloads: BenchPayloads, _ count: Int, perCommit: Int = 1, durability: Durability = .buffered,
    to directory: String
  ) throws -> Double {
    let bench = try BenchLog(directory, durability: durability)
    let log = bench.log
    // The first append of a log flushes its new files and their directory: that is the cost of creating one.
    try log.append(payloads[0])
    return try Stopwatch.nanoseconds {
      if perCommit == 1 {
        for number in 0..<count {
          try log.append(payloads[number])
          if number % Stopwatch.stretch == 0 { try Interruption.check() }
        }
      } else {
        for first in stride(from: 0, to: count, by: perCommit) {
          try log.transaction { transaction in
            for number in first..<min(first + perCommit, count) { try transaction.append(payloads[number]) }
          }
          try Interruption.check()
        }
      }
    } / Double(count)
  }

  /// A new log that several tasks append to at once, each record stable before its task goes on.
  static func appendTogether(
    _ payloads: BenchPayloads, _ count: Int, tasks: Int, to directory: String
  ) async throws -> Double {
    let bench = try BenchLog(directory, durability: .synced)
    let log = bench.log
    try await log.append(payloads[0])
    return try await Stopwatch.nanoseconds {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for task in 0..<tasks {
          group.addTask {
            for number in stride(from: task, to: count, by: tasks) {
              try await log.append(payloads[number])
              try Interruption.check()
            }
          }
        }
        try await group.waitForAll()
      }
    } / Double(count)
  }

  // MARK: Reading, in nanoseconds per record, on a thread of the pool, as a server does

  /// Streams so many records, from the beginning again when the log is over, and sums every byte.
  @concurrent static func stream(_ count: Int, of fixture: BenchFixture.Contents) async throws -> Double {
    let bench = try BenchLog(fixture.directory)
    let log = bench.log
    var (sum, expected): (UInt64, UInt64) = (0, 0)
    let time = try await Stopwatch.nanoseconds {
      var left = count
      while left > 0 {
        let last = min(left, fixture.records) - 1
        for try await record in log.stream(from: .beginning) {
          record.payload.withUnsafeBytes { sum &+= $0.sum }
          if record.sequence == last { break }
          if record.sequence % (Stopwatch.stretch * Stopwatch.stretch) == 0 { try Interruption.check() }
        }
        left -= last + 1
      }
    }
    for number in 0..<count { expected &+= fixture.payloads.sum(of: number % fixture.records) }
    try check(sum, expected)
    return time / Double(count)
  }

  /// Reads records by their numbers, and sums every byte.
  @concurrent static func read(_ numbers: [Int], of fixture: BenchFixture.Contents) async throws -> Double {
    let bench = try BenchLog(fixture.directory)
    let log = bench.log
    var sum: UInt64 = 0
    let time = try await Stopwatch.nanoseconds {
      for number in numbers {
        try await log.record(at: number).payload.withUnsafeBytes { sum &+= $0.sum }
      }
    }
    try check(sum, numbers.reduce(into: 0) { $0 &+= fixture.payloads.sum(of: $1) })
    return time / Double(numbers.count)
  }

  /// Opens a log and closes it, so many times.
  static func open(_ count: Int, of fixture: BenchFixture.Contents) throws -> Double {
    try Stopwatch.nanoseconds {
      for _ in 0..<count {
        let bench = try BenchLog(fixture.directory)
        guard bench.log.count == fixture.records else { throw wrong }
        try Interruption.check()
      }
    } / Double(count)
  }

  private static func check(_ sum: UInt64, _ expected: UInt64) throws {
    if sum != expected { throw wrong }
  }

  private static let wrong = ToolError("what was read is not what was written")
}
