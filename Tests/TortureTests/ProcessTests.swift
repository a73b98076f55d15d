import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Processes that die, and processes side by side.
@Suite struct ProcessTests {
  @Test(arguments: TestedDurability.allCases, LogFormat.allCases)
  func everyReceiptOfAKilledProcessHolds(_ durability: TestedDurability, _ format: LogFormat) async throws {
    try await Rounds.run(default: 2, most: 1000, "killed process, \(durability), \(format)") { seed in
      try await Self.round(seed, durability, "append", format)
    }
  }

  @Test func receiptsGivenTooEarlyAreFound() async throws {
    try await mustBeFound(within: 40, "a receipt before its record") { seed in
      try await Self.round(seed, .buffered, "boast", .v2)
    }
  }

  /// Kills the writer of one log several times.
  static func round(
    _ seed: UInt64, _ durability: TestedDurability, _ command: String, _ format: LogFormat
  ) async throws {
    var generator = SeededGenerator(seed: seed)
    let directory = TemporaryDirectory()
    let script = AppendScript(seed: seed)
    // Half of them roll, and half of those drop their front.
    let bytes = seed % 2 == 0 ? [100, 1000, 20_000].randomElement(using: &generator) ?? 100 : 0
    let kept = bytes > 0 && generator.oneIn(2) ? Int.random(in: 1...200, using: &generator) : 0
    let start = LogModel()
    if kept > 0 { start.removes(before: .max) }
    var known = start.snapshot
    var step = 0
    for _ in 0..<5 {
      let child = try OtherProcess.start(
        command, directory.path, durability.rawValue, "\(seed)", "\(step)", "\(format.rawValue)", "\(bytes)", "\(kept)")
      let model = LogModel(known)
      var lines: [String] = []
      for _ in 0..<Int.random(in: 0...300, using: &generator) {
        guard let line = child.readLine(within: .seconds(20)) else { break }
        lines.append(line)
      }
      // From nearly at once to some appends later.
      try await Task.sleep(for: .microseconds(Int.random(in: 0...3000, using: &generator)))
      child.kill()
      lines += child.readLines(within: .seconds(20))
      child.wait()
      for line in lines where !line.hasPrefix("open") {
        let numbers = line.split(separator: " ").compactMap { Int($0) }
        guard numbers.count == 2, numbers[0] == step else { throw Finding("the child printed \(line)") }
        try model.succeeded(model.begins(script.step(step)), first: numbers[1])
        step += 1
      }
      // The one it was at when it died.
      _ = model.begins(script.step(step))
      step += 1
      known = try await check(directory.path, model, format)
    }
  }

  private static func check(
    _ directory: String, _ model: LogModel, _ format: LogFormat
  ) async throws -> LogModel.Snapshot {
    let storage = try Storage(
      directory: directory, namespaces: ["events"], configuration: TestedDurability.buffered.configuration(format))
    defer { storage.close() }
    let log = try storage.log("events")
    try await log.verify()
    let first = log.firstSequence
    let found = try await model.snapshot.check(count: log.count, first: first, isUp: true) {
      try await log.record(at: $0)
    }
    let next = LogModel(found)
    let content = Content(identity: UInt64(found.count), size: 50)
    try next.succeeded(next.begins([content]), first: try await log.append(content.bytes).sequence)
    return try await next.snapshot.check(count: log.count, first: first, isUp: true) { try await log.record(at: $0) }
  }

  @Test func oneProcessWritesAtATime() async throws {
    let directory = TemporaryDirectory()
    let holder = try OtherProcess.start("hold", directory.path)
    #expect(holder.readLine(within: .seconds(20)) == "open")
    #expect(performing: { try Storage(directory: directory.path, namespaces: ["events"]) }, throws: isLocked)
    let other = try OtherProcess.start("hold", directory.path)
    #expect(other.readLine(within: .seconds(20)) == "locked")
    other.wait()
    // The lock dies with the process.
    holder.kill()
    holder.wait()
    let storage = try Storage(directory: directory.path, namespaces: ["events"])
    try await storage.append("mine", to: "events")
    let third = try OtherProcess.start("hold", directory.path)
    #expect(third.readLine(within: .seconds(20)) == "locked")
    third.wait()
    storage.close()
    let last = try OtherProcess.start("hold", directory.path)
    #expect(last.readLine(within: .seconds(20)) == "open")
    last.closeInput()
    #expect(last.readLine(within: .seconds(20)) == "closed")
    #expect(last.wait() == 0)
  }

  @Test func theErrorSaysWhichProcessHasTheLog() async throws {
    let directory = TemporaryDirectory()
    let holder = try OtherProcess.start("hold", directory.path)
    #expect(holder.readLine(within: .seconds(20)) == "open")
    let error = #expect(throws: ImmutaError.self) { try Storage(directory: directory.path, namespaces: ["events"]) }
    guard case .locked(let found) = try #require(error) else { throw Finding("\(error.debugDescription)") }
    #expect(found.processID == holder.identifier && found.namespace == "events" && found.since != nil)
    #expect("\(ImmutaError.locked(found))".contains("in process \(holder.identifier) since "))
    holder.kill()
    holder.wait()
    let storage = try Storage(directory: directory.path, namespaces: ["events"])
    try storage.closeReporting()
  }

  /// The files are gone: nothing that is appended from then on is called stable.
  @Test func whatIsLostIsNotCalledStable() async throws {
    for name in ["events.log", "events.idx", "events.lock"] {
      let directory = TemporaryDirectory()
      let storage = try Storage(
        directory: directory.path, namespaces: ["events"], configuration: .init(durability: .synced))
      defer { storage.close() }
      try await storage.append("a", to: "events")
      try FileManager.default.removeItem(atPath: directory.file(name))
      do {
        try await storage.append("b", to: "events")
        Issue.record("a record in a file that was removed is called stable: \(name)")
      } catch ImmutaError.logMoved(let path) {
        #expect(path == directory.file(name))
      }
    }
  }

  /// A process that goes elsewhere, gives up its rights, or has no descriptor left: what is open stays usable, and so
  /// does what was opened and not used yet.
  @Test(arguments: ["directory", "user", "root", "descriptors"])
  func anOpenLogGoesOnWhateverItsProcessChanges(_ what: String) async throws {
    if what == "user" || what == "root", geteuid() != 0 {
      return print("SKIPPED: a change of the \(what) is not tested, since only root can make it")
    }
    let directory = TemporaryDirectory()
    // Only this user may pass.
    #expect(chmod(directory.path, 0o700) == 0)
    let child = try OtherProcess.start("change", what, directory.path)
    #expect(child.readLine(within: .seconds(60)) == "done")
    child.wait()
    let storage = try Storage(directory: directory.file("logs"), namespaces: ["events", "later"])
    defer { storage.close() }
    #expect(try storage.log("events").count == 2)
    #expect(try storage.log("later").count == 1)
    #expect(try storage.details(of: "events").openingNote == nil)
  }

  @Test(arguments: LogFormat.allCases) func anotherProcessFollowsInOrder(_ format: LogFormat) async throws {
    try await Rounds.run(default: 3, most: 1000, "follower in another process, \(format)") { seed in
      let directory = TemporaryDirectory()
      let storage = try Storage(
        directory: directory.path, namespaces: ["events"],
        configuration: TestedDurability.buffered.configuration(format))
      defer { storage.close() }
      let script = AppendScript(seed: seed)
      let steps = 400
      let follower = try OtherProcess.start(
        "follow", directory.path, "\(seed)", "\(steps)", "\(format.rawValue)")
      guard follower.readLine(within: .seconds(20)) == "open" else { throw Finding("the follower does not open") }
      var generator = SeededGenerator(seed: seed)
      var count = 0
      for step in 0..<steps {
        let contents = script.step(step)
        try await storage.transaction(in: "events") { transaction in
          for content in contents { try await transaction.append(content.bytes) }
        }
        count += contents.count
        if generator.oneIn(40) { try await Task.sleep(for: .milliseconds(6)) }
      }
      let answer = follower.readLine(within: .seconds(60))
      guard answer == "done \(count)" else { throw Finding("the follower says \(answer ?? "nothing")") }
    }
  }
}
