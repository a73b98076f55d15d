import Foundation
import Immuta
import ImmutaLocking
import ImmutaTestSupport
import Testing

/// Indexes of keys whose machine loses power while their files are made: what they say afterwards is what a scan of the log says.
@Suite struct KeysLossTests {
  @Test(arguments: TestedDurability.allCases)
  func anIndexSaysAfterAPowerCutWhatItsLogDoes(_ durability: TestedDurability) async throws {
    try await Rounds.run(default: 15, "power loss of an index of keys, \(durability)") { seed in
      try await Self.round(seed, durability)
    }
  }

  /// Its records have the sizes of those that the index's files are of, and its segments begin with the same numbers. Or it is
  /// another log.
  @Test func theFilesOfALogThatWasPutBackAreNotBelieved() async throws {
    try await Rounds.run(default: 8, "index of keys of a log that was put back") { seed in
      var generator = SeededGenerator(seed: seed)
      let root = TemporaryDirectory(inMemory: true)
      let (directory, older) = (try root.subdirectory("log"), root.file("older"))
      let isAnother = generator.oneIn(3)
      func grow(_ directory: String, to count: Int, asking: Bool) async throws {
        let storage = try Storage(directory: directory, namespaces: ["events"])
        defer { storage.close() }
        let log = try storage.log("events")
        while log.count < count {
          try await log.append(Content(identity: generator.next(), size: 8).bytes)
          if log.count % 5 == 0 { try await log.roll() }
        }
        let keyed = try Self.keyed(log)
        if !asking { return }
        for key in Self.keys { try await Self.compare(keyed, log, key: key, [:]) }
        keyed.finishFiles()
      }
      try await grow(directory, to: Int.random(in: 1...20, using: &generator), asking: generator.oneIn(2))
      if isAnother {
        try FileManager.default.createDirectory(atPath: older, withIntermediateDirectories: true)
      } else {
        try FileBytes.copy(directory: directory, to: older)
      }
      try await grow(directory, to: 40, asking: true)
      try? FileManager.default.removeItem(atPath: "\(older)/events.keys")
      try FileBytes.copy(directory: "\(directory)/events.keys", to: "\(older)/events.keys")
      try await grow(older, to: 40, asking: true)
    }
  }

  /// Another log gets the place of the one that is followed, or that is put back from an older copy and grows otherwise.
  @Test func whoFollowsALogThatIsReplacedHasTheKeysOfWhatIsThere() async throws {
    try await Rounds.run(default: 8, most: 2000, "index of keys of a followed log that is replaced") { seed in
      var generator = SeededGenerator(seed: seed)
      let root = TemporaryDirectory(inMemory: true)
      let (directory, older) = (try root.subdirectory("log"), root.file("older"))
      func grow(_ count: Int) async throws {
        let storage = try Storage(directory: directory, namespaces: ["events"])
        defer { storage.close() }
        let log = try storage.log("events")
        for _ in 0..<count {
          try await log.append(Content(identity: generator.next(), size: generator.oneIn(2) ? 8 : 30).bytes)
          if log.count % 5 == 0 { try await log.roll() }
        }
      }
      try await grow(Int.random(in: 1...12, using: &generator))
      try FileBytes.copy(directory: directory, to: older)
      try await grow(Int.random(in: 0...12, using: &generator))
      var configuration = Storage.Configuration()
      configuration.access = .readOnly
      let reading = try Storage(directory: directory, namespaces: ["events"], configuration: configuration)
      defer { reading.close() }
      let log = try reading.log("events")
      let keyed = try Self.keyed(log)
      for key in Self.keys { try await Self.compare(keyed, log, key: key, [:]) }
      if generator.oneIn(2) { keyed.finishFiles() }
      let isAnother = generator.oneIn(2)
      for name in ["events.segments", "events.meta", "events.idx", "events.log"] {
        try? FileManager.default.removeItem(atPath: "\(directory)/\(name)")
        if isAnother { continue }
        if FileBytes.isFolder("\(older)/\(name)") {
          try FileBytes.copy(directory: "\(older)/\(name)", to: "\(directory)/\(name)")
        } else if let bytes = try FileBytes.read("\(older)/\(name)") {
          try FileBytes.write(bytes, to: "\(directory)/\(name)")
        }
      }
      try await grow(Int.random(in: 1...25, using: &generator))
      let storage = try Storage(directory: directory, namespaces: ["events"])
      defer { storage.close() }
      let written = try storage.log("events")
      try await written.append(Content(identity: generator.next(), size: 8).bytes)
      // It notices soon, and may say once or twice that its files are others.
      for attempt in 0... {
        do {
          guard log.count == written.count else {
            throw Finding("the follower has \(log.count) of \(written.count) records")
          }
          for key in Self.keys { try await Self.compare(keyed, log, key: key, [:]) }
          break
        } catch  where attempt < 2000 {
          try await Task.sleep(for: .milliseconds(1))
        }
      }
    }
  }

  private struct Image: Sendable {
    var path: String
    var moment: Int
    var records: LogModel.Snapshot
  }

  private static func key(_ payload: Payload) -> String? { payload.isEmpty ? nil : "k\(payload[0] % 5)" }
  private static let keys = (0..<5).map { "k\($0)" }
  private static func keyed(_ log: Log) throws -> KeyedLog<String> { try log.keyed("lost", by: key) }

  /// Most seeds roll: otherwise there are no files.
  private static func configuration(
    _ durability: TestedDurability, _ generator: inout SeededGenerator
  ) -> Storage.Configuration {
    var configuration = durability.configuration
    configuration.segments.maximumBytes = [nil, 100, 400, 2000, 20_000].randomElement(using: &generator) ?? nil
    return configuration
  }

  /// Programs in a row, each on what a power cut left of the one before.
  private static func round(_ seed: UInt64, _ durability: TestedDurability) async throws {
    var generator = SeededGenerator(seed: seed)
    let root = TemporaryDirectory(inMemory: true)
    var directory = try root.subdirectory("start")
    var known = LogModel().snapshot
    // What was removed counts, and must not count twice.
    var all: [Int: Content] = [:]
    let configuration = configuration(durability, &generator)
    for life in 0..<3 {
      let images = try await images(
        of: directory, in: root.file("images-\(life)"), LogModel(known), all, configuration, &generator)
      var newest = all
      for image in images {
        do {
          let copy = root.file("copy")
          try FileBytes.copy(directory: image.path, to: copy)
          known = try await check(copy, image, all, configuration, &generator)
          directory = image.path
          newest = image.records.known.merging(known.known) { _, new in new }.filter { $0.key < known.count }
        } catch {
          throw Finding("\(error)\nafter a power cut in life \(life), moment \(image.moment)")
        }
      }
      all.merge(newest) { _, new in new }
    }
  }

  /// Runs a program, and takes images at random moments of it, the last one when it is done.
  private static func images(
    of directory: String, in target: String, _ records: LogModel, _ older: [Int: Content],
    _ configuration: Storage.Configuration, _ generator: inout SeededGenerator
  ) async throws -> [Image] {
    let longest = [30, 200, 800].randomElement(using: &generator) ?? 200
    let moments = Set((0..<3).map { _ in Int.random(in: 0..<longest, using: &generator) })
    let images = Lock<[Image]>([])
    let source = Lock(generator.split())
    let failure = Lock<(any Error)?>(nil)
    @Sendable func take(_ power: PowerLoss, _ moment: Int) {
      let path = "\(target)-\(moment)"
      let before = records.snapshot
      do {
        var generator = source.withLock { $0.split() }
        try power.image(into: path, using: &generator)
      } catch {
        failure.withLock { $0 = error }
      }
      let image = Image(path: path, moment: moment, records: .between(before, records.snapshot))
      images.withLock { $0.append(image) }
    }
    let power = PowerLoss(
      directory: directory, seed: generator.next(), overwritesInPlace: generator.oneIn(2), obeysFlush: { _ in true }
    ) { power, moment in
      if moments.contains(moment) { take(power, moment) }
    }
    var program = RandomProgram(seed: generator.next(), largest: 2000, reopens: false, rolls: true)
    let length = Int.random(in: 0...50, using: &generator)
    let closes = generator.oneIn(2)
    try await power.run {
      var runner = try ProgramRunner(directory: directory, configuration: configuration, model: records)
      defer { runner.close() }
      // What a log showed after it was recovered is stable.
      records.promise(records.count)
      var keyed: KeyedLog<String>?
      for _ in 0..<length {
        if generator.oneIn(3) {
          try await runner.withLog { log in
            let index = try keyed ?? Self.keyed(log)
            keyed = generator.oneIn(8) ? nil : index
            if generator.oneIn(3) { index.finishFiles() }
            try await compare(
              index, log, key: keys.randomElement(using: &generator) ?? "k0",
              older.merging(records.snapshot.known) { _, new in new })
          }
        } else if let operation = program.next() {
          try await runner.run(operation)
        }
      }
      if closes { runner.close() }
      take(power, 1_000_000)
    }
    if let error = failure.withLock({ $0 }) { throw error }
    return images.withLock { $0 }
  }

  /// Opens what a power cut left, compares, lets the log grow, and compares again.
  private static func check(
    _ path: String, _ image: Image, _ older: [Int: Content], _ configuration: Storage.Configuration,
    _ generator: inout SeededGenerator
  ) async throws -> LogModel.Snapshot {
    var known: LogModel.Snapshot?
    var all = older.merging(image.records.known) { _, new in new }
    for attempt in 0..<2 {
      let storage = try Storage(directory: path, namespaces: ["events"], configuration: configuration)
      defer { storage.close() }
      let log = try storage.log("events")
      if attempt == 0 {
        known = try await image.records.check(count: log.count, first: log.firstSequence) { number in
          try await log.record(at: number)
        }
        all.merge(known?.known ?? [:]) { _, new in new }
        for number in all.keys where number >= log.count { all[number] = nil }
      }
      // Half of all logs get other records in place of those that they lost before anybody asks for a key.
      if attempt == 1 || generator.oneIn(2) { try await grow(log, &all, &generator) }
      let keyed = try keyed(log)
      for key in keys { try await compare(keyed, log, key: key, all) }
      try await grow(log, &all, &generator)
      keyed.finishFiles()
      for key in keys { try await compare(keyed, log, key: key, all) }
    }
    guard let known else { throw Finding("nothing was opened") }
    return known
  }

  private static func grow(
    _ log: Log, _ all: inout [Int: Content], _ generator: inout SeededGenerator
  ) async throws {
    for _ in 0..<Int.random(in: 0...20, using: &generator) {
      let content = Content(identity: generator.next(), size: Int.random(in: 0...300, using: &generator))
      all[try await log.append(content.bytes).sequence] = content
      if generator.oneIn(6) { try await log.roll() }
    }
  }

  /// Compares what the index says of a key with a scan of the log.
  ///
  /// - Parameter all: what was appended, also what was removed since.
  private static func compare(
    _ keyed: KeyedLog<String>, _ log: Log, key: String, _ all: [Int: Content]
  ) async throws {
    var kept: [Int] = []
    for try await record in log.history() where Self.key(record.payload) == key { kept.append(record.sequence) }
    var found: [Int] = []
    for try await record in keyed.records(of: key) {
      guard Self.key(record.payload) == key else { throw Finding("record \(record.sequence) is not of “\(key)”") }
      found.append(record.sequence)
    }
    guard found == kept else { throw Finding("“\(key)” has the records \(found), not \(kept)") }
    let count = try await keyed.count(of: key)
    let first = log.firstSequence
    let removed = all.count { number, content in
      number < first && content.size > 0 && "k\(UInt8(truncatingIfNeeded: content.identity) % 5)" == key
    }
    guard (kept.count...kept.count + removed).contains(count) else {
      throw Finding("“\(key)” has \(count) records, not \(kept.count); \(removed) were removed")
    }
    for place in [0, kept.count / 2, kept.count - 1] where place >= 0 && place < kept.count {
      let record = try await keyed.record(count - kept.count + place, of: key)
      guard record?.sequence == kept[place] else {
        throw Finding("the record \(place) of “\(key)” is \(record?.sequence ?? -1), not \(kept[place])")
      }
    }
  }
}
