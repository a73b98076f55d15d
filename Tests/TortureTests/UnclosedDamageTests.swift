import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Logs whose writer was killed while the machine stayed up, and one or two sectors or pages of a file that were lost: no
/// command takes them for sound with fewer records than were acknowledged, and no whole record goes without a copy.
@Suite struct UnclosedDamageTests {
  private struct Sample {
    let format: LogFormat
    var files: [String: [UInt8]]
    let payloads: [[UInt8]]
    /// Where each record lies.
    let places: [Range<Int>]

    var log: String { format == .bilog ? "events.bilog" : "events.log" }
    var companion: String { format == .bilog ? "events.bilog.companion" : "events.idx" }
  }

  @Test func noSectorThatIsLostTakesRecordsWithIt() async throws {
    try await Rounds.run(default: 12, "damaged logs that were not closed") { seed in
      var generator = SeededGenerator(seed: seed)
      let directory = TemporaryDirectory(inMemory: true)
      let format = LogFormat.allCases.randomElement(using: &generator) ?? .v2
      let sample = try await Self.sample(format, directory, using: &generator)
      for _ in 0..<12 {
        let name = Bool.random(using: &generator) ? sample.log : sample.companion
        let unit = Bool.random(using: &generator) ? 512 : 4096
        let used =
          name == sample.log ? sample.places.last?.upperBound ?? 1 : CompanionEntry.offset(of: sample.payloads.count)
        let start = Int.random(in: 0...(used - 1) / unit, using: &generator) * unit
        let range = start..<start + unit * Int.random(in: 1...2, using: &generator)
        let value: UInt8 = Bool.random(using: &generator) ? 0 : 0xFF
        do {
          try await Self.trial(sample, name, range, value, directory)
        } catch {
          throw Finding("\(error)\n\(format), \(sample.payloads.count) records; \(range) of \(name) are \(value)")
        }
      }
    }
  }

  /// Another log's companion lies beside a log, of which its own header and size fields say where the records are.
  @Test func noCompanionOfAnotherLogTakesRecordsWithIt() async throws {
    try await Rounds.run(default: 40, "logs with another one's companion") { seed in
      var generator = SeededGenerator(seed: seed)
      let directory = TemporaryDirectory(inMemory: true)
      let areSizesAlike = Bool.random(using: &generator)
      let isFirstAlike = Bool.random(using: &generator)
      // Of fewer records, or one that is alike, nobody can tell damage from another log.
      let least = areSizesAlike && isFirstAlike ? 6 : 3
      let own = (0..<Int.random(in: least...40, using: &generator)).map { _ in
        Content(identity: generator.next(), size: Int.random(in: 8...90, using: &generator)).bytes
      }
      var count = Int.random(in: least...60, using: &generator)
      if !isFirstAlike, Int.random(in: 0..<4, using: &generator) == 0 { count = 1 }
      var other = (0..<count).map { number in
        let more = areSizesAlike ? 0 : Int.random(in: 1...50, using: &generator)
        let size = (number < own.count ? own[number].count : 50) + more
        return Content(identity: generator.next(), size: size).bytes
      }
      if isFirstAlike { other[0] = own[0] }
      var (isKilled, isSynced) = (false, false)
      var files: [[String: [UInt8]]] = []
      var words = "first record alike: \(isFirstAlike), sizes alike: \(areSizesAlike)"
      for payloads in [own, other] {
        isKilled = Bool.random(using: &generator)
        isSynced = Bool.random(using: &generator)
        words += "; \(payloads.count) records, killed: \(isKilled), synced: \(isSynced)"
        try Self.empty(directory)
        files.append(try await Self.files(payloads, isKilled: isKilled, isSynced: isSynced, directory))
      }
      do {
        try Self.empty(directory)
        try FileBytes.write(files[0]["events.log"] ?? [], to: directory.file("events.log"))
        try FileBytes.write(files[1]["events.idx"] ?? [], to: directory.file("events.idx"))
        try Self.expectAll(own, directory)
      } catch {
        throw Finding("\(error)\n\(words)")
      }
    }
  }

  private static func files(
    _ payloads: [[UInt8]], isKilled: Bool, isSynced: Bool, _ directory: TemporaryDirectory
  ) async throws -> [String: [UInt8]] {
    var configuration = configuration(.v2)
    if isSynced { configuration.durability = .synced }
    let storage = try Storage(directory: directory.path, namespaces: ["events"], configuration: configuration)
    defer { storage.close() }
    for payload in payloads { try await storage.append(payload, to: "events") }
    if !isKilled { storage.close() }
    var files: [String: [UInt8]] = [:]
    for name in ["events.log", "events.idx"] { files[name] = try FileBytes.read(directory.file(name)) }
    return files
  }

  private static func expectAll(_ payloads: [[UInt8]], _ directory: TemporaryDirectory) throws {
    try? Storage(directory: directory.path, namespaces: ["events"]).close()
    let report = try Storage.repair("events", in: directory.path, applying: true)
    guard report.lost.isEmpty else { throw Finding("repair loses records: \(report)") }
    let storage = try Storage(directory: directory.path, namespaces: ["events"])
    defer { storage.close() }
    let log = try storage.log("events")
    guard try log.records(in: 0..<log.count).map({ Array($0.payload) }) == payloads else {
      throw Finding("the log holds \(log.count) records, or others: \(report)")
    }
  }

  private static func configuration(_ format: LogFormat, _ access: Storage.Access = .readWrite) -> Storage.Configuration
  {
    var configuration = Storage.Configuration()
    configuration.format = format
    configuration.access = access
    return configuration
  }

  private static func empty(_ directory: TemporaryDirectory) throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: directory.path) { unlink(directory.file(name)) }
  }

  /// What the files hold while the log is open is what a writer leaves that is killed.
  private static func sample(
    _ format: LogFormat, _ directory: TemporaryDirectory, using generator: inout SeededGenerator
  ) async throws -> Sample {
    let largest = [10, 60, 900].randomElement(using: &generator) ?? 60
    let payloads = (0..<Int.random(in: 1...60, using: &generator)).map { _ in
      Content(identity: generator.next(), size: Int.random(in: 8...largest, using: &generator)).bytes
    }
    var sample: Sample?
    do {
      let storage = try Storage(
        directory: directory.path, namespaces: ["events"], configuration: configuration(format))
      defer { storage.close() }
      let log = try storage.log("events")
      var places: [Range<Int>] = []
      var syncAt = Int.random(in: 0..<2 * payloads.count, using: &generator)
      for payload in payloads {
        let receipt = try await log.append(payload)
        places.append(receipt.index..<receipt.index + format.recordHeaderSize + payload.count)
        if syncAt == 0 { try await log.sync() }
        syncAt -= 1
      }
      var files: [String: [UInt8]] = [:]
      for name in try FileManager.default.contentsOfDirectory(atPath: directory.path) where !name.hasSuffix(".lock") {
        files[name] = try FileBytes.read(directory.file(name))
      }
      sample = Sample(format: format, files: files, payloads: payloads, places: places)
    }
    guard let sample else { throw Finding("no sample was made") }
    return sample
  }

  private static func trial(
    _ sample: Sample, _ name: String, _ range: Range<Int>, _ value: UInt8, _ directory: TemporaryDirectory
  ) async throws {
    try empty(directory)
    var files = sample.files
    guard var bytes = files[name] else { throw Finding("no file \(name)") }
    for offset in range.clamped(to: 0..<bytes.count) { bytes[offset] = value }
    files[name] = bytes
    for (name, bytes) in files { try FileBytes.write(bytes, to: directory.file(name)) }
    let count = sample.payloads.count
    // The last entries of a log without COUNT, gone, look as if their records had never been committed.
    let isUncounted =
      sample.format == .bilog && value == 0 && name == sample.companion
      && range.upperBound >= CompanionEntry.offset(of: count)
    // Reading says that it is damaged, or brings all of it.
    do {
      let storage = try Storage(
        directory: directory.path, namespaces: ["events"], configuration: configuration(sample.format, .readOnly))
      defer { storage.close() }
      let report = try await storage.verify("events")
      guard report.records == count || isUncounted else { throw Finding("verify passes \(report.records) records") }
    } catch ImmutaError.corrupted {}
    for (name, bytes) in files where try FileBytes.read(directory.file(name)) != bytes {
      throw Finding("reading changed \(name)")
    }
    var note: String?
    do {
      let storage = try Storage(
        directory: directory.path, namespaces: ["events"], configuration: configuration(sample.format))
      defer { storage.close() }
      let log = try storage.log("events")
      note = try log.details.openingNote
      guard log.count == count || isUncounted else {
        throw Finding("opening leaves \(log.count) records: \(note ?? "")")
      }
    } catch ImmutaError.corrupted {
      for (name, bytes) in files where try FileBytes.read(directory.file(name)) != bytes {
        throw Finding("opening refuses, and changed \(name)")
      }
      do {
        _ = try Storage.repair("events", in: directory.path, format: sample.format, applying: true)
      } catch {
        // Nothing was cut off, then.
        guard case ImmutaError.corrupted = error else { throw error }
        return
      }
    }
    try checkWhole(sample, name == sample.log ? range : 0..<0, note, directory)
  }

  /// Each record that the damage left whole can be read, or lies in a copy.
  private static func checkWhole(
    _ sample: Sample, _ damage: Range<Int>, _ note: String?, _ directory: TemporaryDirectory
  ) throws {
    var saved: [UInt8] = []
    for name in try FileManager.default.contentsOfDirectory(atPath: directory.path) where name.contains(".tail.saved-")
    {
      saved += try FileBytes.read(directory.file(name)) ?? []
      if let note, !note.contains(name) { throw Finding("the note does not name \(name): \(note)") }
    }
    let storage = try Storage(
      directory: directory.path, namespaces: ["events"], configuration: configuration(sample.format))
    defer { storage.close() }
    let log = try storage.log("events")
    for (number, payload) in sample.payloads.enumerated() where !damage.overlaps(sample.places[number]) {
      if number < log.count, let record = try? log.record(at: number),
        holds(record.payload, payload)
      {
        continue
      }
      guard saved.firstRange(of: payload) != nil else {
        throw Finding("record \(number) is whole, and nowhere any more")
      }
    }
  }
}
