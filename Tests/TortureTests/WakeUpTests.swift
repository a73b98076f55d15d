import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Followers in other processes are told of commits, and do nothing while there are none.
@Suite(.serialized) struct WakeUpTests {
  private static func listener(
    _ directory: TemporaryDirectory, _ format: LogFormat, _ count: Int = 1, _ how: String = "told"
  ) throws -> ChildProcess {
    let child = try OtherProcess.start("listen", directory.path, "\(format.rawValue)", "\(count)", how)
    guard child.readLine(within: .seconds(30)) == "open" else { throw Finding("the listener does not open") }
    return child
  }

  private static func storage(
    _ directory: TemporaryDirectory, _ format: LogFormat, _ count: Int = 1, _ durability: Durability = .buffered
  ) throws -> Storage {
    var configuration = Storage.Configuration(durability: durability)
    configuration.format = format
    return try Storage(
      directory: directory.path, namespaces: (0..<count).map { "log\($0)" }, configuration: configuration)
  }

  // MARK: No commit is missed

  /// Each act ends with a record after which nothing comes until the listener has it: whoever misses that one sleeps on.
  @Test(arguments: LogFormat.allCases) func noCommitIsMissed(_ format: LogFormat) async throws {
    try await Rounds.run(default: 1, "wake-ups, \(format)") { seed in
      let directory = TemporaryDirectory(inMemory: true)
      try await Self.round(seed, format, directory, .buffered, "told")
    }
  }

  @Test func noCommitIsMissedOnADiskOrWhereEachIsFlushed() async throws {
    try await Rounds.run(default: 1, "wake-ups on a disk") { seed in
      try await Self.round(seed, .v2, TemporaryDirectory(), .buffered, "told")
      try await Self.round(seed, .bilog, TemporaryDirectory(), .synced, "told")
    }
  }

  @Test func noCommitIsMissedWhereNobodyTells() async throws {
    try await Rounds.run(default: 1, "looking for commits") { seed in
      let directory = TemporaryDirectory(inMemory: true)
      try await Self.round(seed, .v2, directory, .buffered, "looking")
    }
  }

  private static func round(
    _ seed: UInt64, _ format: LogFormat, _ directory: TemporaryDirectory, _ durability: Durability, _ how: String
  ) async throws {
    var generator = SeededGenerator(seed: seed)
    let storage = try storage(directory, format, 1, durability)
    defer { storage.close() }
    let log = try storage.log("log0")
    try await log.append("first")
    let child = try listener(directory, format, 1, how)
    for act in 0..<150 {
      for _ in 0..<Int.random(in: 0...30, using: &generator) {
        try await log.append("more")
        // Half of them come at once, so that the writer keeps them to itself.
        if generator.oneIn(2) { pause(microseconds: Int.random(in: 0...3000, using: &generator)) }
      }
      if generator.oneIn(3) { pause(microseconds: Int.random(in: 0...3000, using: &generator)) }
      let receipt = try await log.append("last")
      let line = child.readLine(within: .seconds(8))
      guard line == "\(receipt.sequence)" else {
        throw Finding("record \(receipt.sequence), the last of act \(act), was not told; instead: \(line ?? "nothing")")
      }
      if how == "told", act % 30 == 0 {
        try await fallAsleep(child, log)
      }
    }
  }

  /// Returns once it sleeps. A record that a busy machine delayed for half a second looks like one of a writer that wakes
  /// nobody, and then it stays awake until a later one wakes it.
  private static func fallAsleep(_ child: ChildProcess, _ log: Log) async throws {
    for _ in 0..<3 {
      try child.write(line: "asleep")
      if child.readLine(within: .seconds(60)) == "asleep" { return }
      let receipt = try await log.append("last")
      guard child.readLine(within: .seconds(8)) == "\(receipt.sequence)" else { break }
    }
    throw Finding("the listener does not sleep")
  }

  private static func pause(microseconds: Int) {
    var time = timespec(tv_sec: 0, tv_nsec: microseconds * 1000)
    nanosleep(&time, nil)
  }

  // MARK: What idle followers cost

  @Test(arguments: [1, 200]) func idleFollowersDoNothing(_ count: Int) async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let storage = try Self.storage(directory, .v2, count)
    defer { storage.close() }
    for number in 0..<count { try await storage.append("first", to: "log\(number)") }
    let child = try Self.listener(directory, .v2, count)
    try child.write(line: "asleep")
    try #require(child.readLine(within: .seconds(60)) == "asleep")
    // To be asked wakes threads, too.
    var before = try Self.counts(child)
    var asking = 0
    for _ in 0..<5 {
      let next = try Self.counts(child)
      asking = max(asking, next[1] - before[1])
      before = next
    }
    try await Task.sleep(for: .seconds(10))
    let after = try Self.counts(child)
    // One that hears of files, and one for each 127 logs. Those look once a minute, which may be now: fewer than 100 times
    // an hour.
    let looks = 1 + count / 127
    #expect(after[2] <= 1 + looks)
    #expect(after[0] - before[0] <= looks)
    // Nor does anything else in the process go on. Threads of the pool that have nothing to do any more wake a few times, and
    // end.
    let ended = max(0, before[3] - after[3])
    let wakeUps = after[1] - before[1]
    #expect(wakeUps <= looks + asking + 5 * ended + 5, "\(asking) for being asked, \(ended) threads ended")
    print("idle followers of \(count) logs: \(wakeUps) wake-ups of the process, \(asking) of being asked")
    // They are told all the same.
    for number in [0, count - 1] {
      let receipt = try await storage.append("last", to: "log\(number)")
      #expect(child.readLine(within: .seconds(8)) == "\(receipt.sequence)")
    }
    child.closeInput()
    #expect(child.readLine(within: .seconds(8)) == "closed, 0 threads")
  }

  private static func counts(_ child: ChildProcess) throws -> [Int] {
    try child.write(line: "counts")
    let line = try #require(child.readLine(within: .seconds(10)))
    let counts = line.split(separator: " ").compactMap { Int($0) }
    try #require(counts.count == 4, "\(line)")
    return counts
  }
}
