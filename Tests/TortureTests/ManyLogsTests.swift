import Foundation
import Immuta
import ImmutaTestSupport
import Synchronization
import Testing

/// Many logs are marked, flushed and cut together, and one is removed, by a machine that loses power.
@Suite(.timeLimit(.minutes(5))) struct ManyLogsTests {
  private static let names = (0..<34).map { "log-\($0)" }

  /// What each log is given first: records that need several pages, of which a power cut seldom leaves all or nothing.
  private static func early(_ name: String) -> [String] {
    (0..<3).map { long("early \($0) of \(name)") }
  }

  /// What each log is given before it is closed: records whose entries need other pages of the companion than its mark.
  private static func late(_ name: String) -> [String] {
    (0..<200).map { "\($0) of \(name)" } + [long("last of \(name)")]
  }

  private static func long(_ text: String) -> String { String(repeating: text + ", ", count: 9000 / text.count) }

  private struct Image: Sendable {
    var path: String
    /// How many records each log must have.
    var promised: Int
  }

  @Test func manyLogsThatAreMadeAndClosedTogetherSurviveAPowerCut() async throws {
    try await Rounds.run(default: 6, "power loss of many logs") { seed in try await Self.round(seed) { _ in true } }
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
    let images = Mutex<[Image]>([])
    let promised = Mutex(0)
    let source = Mutex(generator.split())
    @Sendable func take(_ power: PowerLoss) {
      // What is promised is asked for before: others go on in between.
      let promised = promised.withLock { $0 }
      let number = images.withLock { images in
        images.append(Image(path: root.file("image-\(images.count)"), promised: promised))
        return images.count - 1
      }
      var generator = source.withLock { $0.split() }
      do { try power.image(into: root.file("image-\(number)"), using: &generator) } catch { Issue.record(error) }
    }
    // Many logs have many moments: where pages often reach the device by themselves, few flushes are missed.
    let power = PowerLoss(
      directory: directory, seed: generator.next(), oddsOfWriteBack: generator.oneIn(4) ? 24 : 1000,
      obeysFlush: obeysFlush
    ) { power, _ in
      // While marks are written that vouch for everything, a power cut tells most.
      let odds = promised.withLock { $0 } > 0 && isSealed("\(directory)/\(names[0]).idx") ? 10 : 200
      if source.withLock({ $0.oneIn(odds) }) { take(power) }
    }
    try await power.run {
      let storage = try Storage(directory: directory, namespaces: names)
      // Nothing is flushed after the logs are marked together; but pages reach the device by themselves, so at once.
      for name in names.prefix(4) {
        try await storage.append(early(name)[0], to: name)
        for _ in 0..<2 { take(power) }
      }
      for (place, name) in names.enumerated() {
        for text in early(name).dropFirst(place < 4 ? 1 : 0) { try await storage.append(text, to: name) }
      }
      try await storage.sync()
      promised.withLock { $0 = early("").count }
      take(power)
      for name in names { for text in late(name) { try await storage.append(text, to: name) } }
      storage.close()
      promised.withLock { $0 += late("").count }
      take(power)
    }
    for image in images.withLock({ $0 }) { try await check(image) }
  }

  /// Whether a companion says that its log was closed.
  private static func isSealed(_ companion: String) -> Bool {
    guard let bytes = FileManager.default.contents(atPath: companion), bytes.count >= CompanionHeader.size else {
      return false
    }
    return bytes.withUnsafeBytes { CompanionHeader.current(in: $0) }?.isClean ?? false
  }

  /// The logs hold what was promised and nothing else, and none that is marked as closed lacks anything.
  private static func check(_ image: Image) async throws {
    let storage = try Storage(directory: image.path, namespaces: names)
    defer { storage.close() }
    for name in names {
      let log = try storage.log(name)
      let found = try log.records(in: 0..<log.count).map(\.text)
      guard found.count >= image.promised, found == Array((early(name) + late(name)).prefix(found.count)) else {
        let texts = found.map { $0.prefix(20) }
        throw Finding("\(name) holds \(found.count) records, \(texts), and \(image.promised) were promised")
      }
      if let note = try log.details.openingNote, !note.hasPrefix("was not closed") {
        throw Finding("\(name), opened after a power cut, \(note)")
      }
      try await log.append("goes on")
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
      // Opening may make a companion again, and a log that has lost it is a whole one no more.
      let hasLog = FileManager.default.fileExists(atPath: "\(image.path)/events.log")
      let hasCompanion = FileManager.default.fileExists(atPath: "\(image.path)/events.idx")
      #expect(hasCompanion || !hasLog, "it has lost its companion")
      do {
        let storage = try Storage(directory: image.path, namespaces: ["events"])
        defer { storage.close() }
        let log = try storage.log("events")
        let found = try log.records(in: 0..<log.count).map(\.text)
        if found.isEmpty {
          gone += 1
        } else {
          #expect(found == ["0", "1", "2"])
          #expect(image.promised == 3, "a log that was removed is back")
          whole += 1
        }
      } catch {
        guard case .corrupted(let damage) = error else { throw error }
        #expect(damage.reason.code == .logMissing)
        #expect(image.promised == 3, "something is left of a log that was removed")
      }
    }
    #expect(whole > 0 && gone > 0)
  }
}
