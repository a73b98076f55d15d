import Foundation
import Immuta
import ImmutaTestSupport
import Synchronization
import Testing

/// Many logs are marked, flushed and cut together, and one is removed, by a machine that loses power.
@Suite(.timeLimit(.minutes(5))) struct ManyLogsTests {
  private static let names = (0..<34).map { "log-\($0)" }

  private struct Image: Sendable {
    var path: String
    /// How many records each log must have.
    var promised: Int
  }

  @Test func manyLogsThatAreMadeAndClosedTogetherSurviveAPowerCut() async throws {
    try await Rounds.run(default: 12, "power loss of many logs") { seed in try await Self.round(seed) { _ in true } }
  }

  @Test(arguments: [".log", ".idx"]) func aMissingFlushOfThemIsFound(_ suffix: String) async throws {
    try await mustBeFound(within: 200, "a flush of many logs' \(suffix) that does nothing") { seed in
      try await Self.round(seed) { !$0.hasSuffix(suffix) }
    }
  }

  private static func round(_ seed: UInt64, obeysFlush: @escaping @Sendable (String) -> Bool) async throws {
    var generator = SeededGenerator(seed: seed)
    let root = TemporaryDirectory(inMemory: true)
    let directory = try root.subdirectory("logs")
    let moments = Set((0..<4).map { _ in Int.random(in: 0..<3000, using: &generator) })
    let images = Mutex<[Image]>([])
    let promised = Mutex(0)
    let source = Mutex(generator.split())
    @Sendable func take(_ power: PowerLoss, _ moment: Int) {
      // What is promised is asked for before: others go on in between.
      let promised = promised.withLock { $0 }
      let path = root.file("image-\(moment)")
      var generator = source.withLock { $0.split() }
      do { try power.image(into: path, using: &generator) } catch { Issue.record(error) }
      images.withLock { $0.append(Image(path: path, promised: promised)) }
    }
    let power = PowerLoss(directory: directory, seed: generator.next(), obeysFlush: obeysFlush) { power, moment in
      if moments.contains(moment) { take(power, moment) }
    }
    try await power.run {
      let storage = try Storage(directory: directory, namespaces: names)
      for name in names { try await storage.append("first of \(name)", to: name) }
      try await storage.sync()
      promised.withLock { $0 = 1 }
      take(power, 1_000_001)
      for name in names { try await storage.append("second of \(name)", to: name) }
      storage.close()
      promised.withLock { $0 = 2 }
      take(power, 1_000_002)
    }
    for image in images.withLock({ $0 }) {
      let storage = try Storage(directory: image.path, namespaces: names)
      defer { storage.close() }
      for name in names {
        let log = try storage.log(name)
        let found = try log.records(in: 0..<log.count).map(\.text)
        let whole = ["first of \(name)", "second of \(name)"]
        guard found.count >= image.promised, found == Array(whole.prefix(found.count)) else {
          throw Finding("\(name) holds \(found), and \(image.promised) records were promised")
        }
        try await log.append("goes on")
      }
    }
  }

  @Test func aLogThatIsBeingRemovedIsWholeOrDoesNotOpen() async throws {
    let root = TemporaryDirectory(inMemory: true)
    let directory = try root.subdirectory("logs")
    let images = Mutex<[Image]>([])
    let isRemoved = Atomic(false)
    let isOn = Atomic(false)
    let source = Mutex(SeededGenerator(seed: 1))
    let power = PowerLoss(directory: directory, seed: 1, obeysFlush: { _ in true }) { power, moment in
      guard isOn.load(ordering: .relaxed) else { return }
      for number in 0..<20 {
        let path = root.file("image-\(moment)-\(number)")
        var generator = source.withLock { $0.split() }
        do { try power.image(into: path, using: &generator) } catch { Issue.record(error) }
        images.withLock { $0.append(Image(path: path, promised: isRemoved.load(ordering: .relaxed) ? 0 : 3)) }
      }
    }
    try await power.run {
      let storage = try Storage(directory: directory, namespaces: ["events", "other"])
      defer { storage.close() }
      for number in 0..<3 { try await storage.append("\(number)", to: "events") }
      try await storage.sync()
      isOn.store(true, ordering: .relaxed)
      try storage.remove("events")
      isRemoved.store(true, ordering: .relaxed)
      try await storage.append("makes a few calls", to: "other")
    }
    var (whole, gone) = (0, 0)
    for image in images.withLock({ $0 }) {
      do {
        let storage = try Storage(directory: image.path, namespaces: ["events"])
        defer { storage.close() }
        let log = try storage.log("events")
        let found = try log.records(in: 0..<log.count).map(\.text)
        if found.isEmpty {
          gone += 1
        } else {
          #expect(found == ["0", "1", "2"])
          #expect(try log.details.openingNote?.contains("companion") != true, "it has lost its companion")
          #expect(image.promised == 3, "a log that was removed is back")
          whole += 1
        }
      } catch {
        guard case .corrupted(let damage) = error else { throw error }
        #expect(damage.reason.contains("the log is missing"))
        #expect(image.promised == 3, "something is left of a log that was removed")
      }
    }
    #expect(whole > 0 && gone > 0)
  }
}
