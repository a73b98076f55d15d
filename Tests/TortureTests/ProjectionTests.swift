import Foundation
import Immuta
import ImmutaCodable
import ImmutaTestSupport
import Testing

/// Projections whose process is killed, or whose machine loses power: what they come to is what their log's records come to.
@Suite struct ProjectionTests {
  @Test func theStateOfAKilledProcessIsThatOfItsLog() async throws {
    try await Rounds.run(default: 5, most: 1000, "killed projection") { seed in
      var generator = SeededGenerator(seed: seed)
      let directory = TemporaryDirectory()
      for _ in 0..<4 {
        let child = try OtherProcess.start("project", directory.path, "\(generator.next())")
        var added = 0
        for _ in 0..<Int.random(in: 1...40, using: &generator) {
          guard let line = child.readLine(within: .seconds(20)) else { throw Finding("the child ended") }
          added = Int(line.split(separator: " ").last ?? "") ?? added
        }
        // From nearly at once to some appends, and savings, later.
        try await Task.sleep(for: .microseconds(Int.random(in: 0...20_000, using: &generator)))
        child.kill()
        child.wait()
        let storage = try Storage(directory: directory.path, namespaces: ["events"])
        defer { storage.close() }
        let begun = try await Self.check(try storage.log("events"))
        guard begun > added - Projected.everyRecords - 3 else {
          throw Finding("\(added) records were in the state, and the snapshot has \(begun)")
        }
      }
    }
  }

  /// Half of them are of a follower, which cannot put the log's records on stable storage: so the log may lose some that are
  /// in the snapshot, and get others in their place.
  @Test func theStateAfterAPowerCutIsThatOfItsLog() async throws {
    try await Rounds.run(default: 60, "power loss of a projection") { seed in
      var generator = SeededGenerator(seed: seed)
      let root = TemporaryDirectory(inMemory: true)
      let (directory, image) = (try root.subdirectory("log"), root.file("image"))
      let power = PowerLoss(directory: directory, seed: generator.next(), oddsOfWriteBack: 200)
      try await power.run {
        let storage = try Storage(directory: directory, namespaces: ["events"])
        defer { storage.close() }
        let log = try storage.log("events")
        // Another log would have another identity.
        try await Self.append(1, to: log, &generator)
        try await log.sync()
        var configuration = Storage.Configuration()
        configuration.access = .readOnly
        let reading = try Storage(directory: directory, namespaces: ["events"], configuration: configuration)
        defer { reading.close() }
        let trail = try Projected.trail(of: seed % 2 == 0 ? log : reading.log("events"))
        for _ in 0..<Int.random(in: 0...10, using: &generator) {
          try await Self.append(Int.random(in: 1...4, using: &generator), to: log, &generator)
          try await trail.catchUp()
          if generator.oneIn(8) { try await log.sync() }
          if generator.oneIn(8) { try await log.roll() }
        }
        try power.image(into: image, using: &generator)
      }
      let storage = try Storage(directory: image, namespaces: ["events"])
      defer { storage.close() }
      let log = try storage.log("events")
      try await Self.append(Int.random(in: 0...40, using: &generator), to: log, &generator)
      _ = try await Self.check(log)
    }
  }

  /// All of one size: that they lie where others lay says nothing.
  private static func append(_ count: Int, to log: Log, _ generator: inout SeededGenerator) async throws {
    for _ in 0..<count { try await log.append("\(Int.random(in: 1000...9999, using: &generator))") }
  }

  /// Returns how many records were in the snapshot.
  private static func check(_ log: Log) async throws -> Int {
    let trail = try Projected.trail(of: log)
    let begun = trail.position
    try await trail.catchUp()
    guard trail.position == log.count else {
      throw Finding("\(trail.position) of \(log.count) records are in the state")
    }
    guard try trail.state == Trail.fresh(log) else {
      throw Finding("the state is not that of the \(log.count) records, beginning after \(begun)")
    }
    return begun
  }
}
