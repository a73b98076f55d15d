import Foundation
import Immuta
import ImmutaLogStore
import ImmutaTestSupport
import Testing

/// Files whose checksums are right and whose numbers lie: nothing traps, nothing runs for ever, nothing takes memory for
/// what only is claimed, and what can be appended to can be read back.
///
/// A round is a thousand inputs: `IMMUTA_ROUNDS=1000` is a million of them.
@Suite struct HostileFilesTests {
  private static let inputs = 1000

  @Test func hostileNumbersAreHeldToWhatTheFilesHold() async throws {
    try await HostileInputs.run("hostile files", rounds: 3, Self.inputs) { generator in
      HostileFiles(using: &generator)
    } _: { hostile, directory in
      try hostile.tree.write(to: directory)
      try await HostileLog(directory: directory, format: hostile.format, belief: .any).run()
    }
  }

  /// An entry that points between the records before it, to bytes that look like the record it is of.
  @Test func aRecordDoesNotBeginBeforeThoseBeforeItEnd() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let names = LogFormat.v2.testFiles(of: "events", in: directory.path)
    try FileBytes.write(logBytes([[], [], []]), to: names.log)
    var header = CompanionHeader(format: .v2)
    header.stableCount = 3
    header.identity = .random()
    var companion = header.encoded() + [UInt8](repeating: 0, count: TwoSlots.slotSize)
    let checksum = Checksum.crc32c([UInt8](repeating: 0, count: 8))
    for (number, index) in [16, 24, 23].enumerated() {
      var entry = [UInt8](repeating: 0, count: CompanionEntry.size)
      entry.withUnsafeMutableBytes { bytes in
        CompanionEntry(index: index, time: 1, recordChecksum: checksum).encode(into: bytes, number: number)
      }
      companion += entry
    }
    try FileBytes.write(companion, to: names.companion)
    for count in 3...4 {
      let storage = try Storage(directory: directory.path, namespaces: ["events"])
      defer { storage.close() }
      #expect(try await storage.append("more", to: "events").sequence == count)
      #expect(try await storage.verify("events").records == count + 1)
    }
  }

  /// A hole in a file costs nothing on the disk, and reads as records of no bytes.
  @Test(arguments: [LogFormat.v1, .v2]) func aHoleOfEmptyRecordsTakesNoMemory(_ format: LogFormat) async throws {
    let count = 3_000_000
    let directory = TemporaryDirectory(inMemory: true)
    let path = format.testFiles(of: "events", in: directory.path).log
    let size = format.headerSize + 8 * count
    try FileBytes.write(
      LogHeader(format, count: count, lastIndex: size - 8).encoded(format: format), to: path)
    truncate(path, off_t(size))
    let before = Memory.now
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    configuration.format = format
    let storage = try Storage(directory: directory.path, namespaces: ["events"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("events")
    #expect(log.count == count)
    #expect(try await log.record(at: count - 1).index == size - 8)
    #expect(try await log.record(at: count / 2).size == 0)
    #expect(try log.details.verifiable == 0)
    #expect(Memory.now - before < 16 << 20)
  }

  /// Nobody makes a log of it, nor leaves a file beside it that says that there was one.
  @Test func whatNeverWasALogStaysAsItIs() throws {
    let directory = TemporaryDirectory(inMemory: true)
    let path = LogFormat.v2.testFiles(of: "events", in: directory.path).log
    let text = Array(String(repeating: "2026-11-25 12:00:01 INFO plain text\n", count: 100).utf8)
    try FileBytes.write(text, to: path)
    #expect(throws: ImmutaError.self) { try Storage(directory: directory.path, namespaces: ["events"]) }
    #expect(throws: ImmutaError.self) { try Storage.repair("events", in: directory.path, applying: true) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["events.log"])
    #expect(try FileBytes.read(path) == text)
  }

  /// It fits in every place and every size, and only the records' checksums are others.
  @Test(arguments: [Storage.Access.readWrite, .readOnly])
  func anotherLogsCompanionIsRefusedUntilRepairSetsItAside(access: Storage.Access) async throws {
    let directory = TemporaryDirectory(inMemory: true)
    for name in ["events", "other"] {
      let storage = try Storage(directory: directory.path, namespaces: [name])
      defer { storage.close() }
      for number in 0..<20 { try await storage.append("\(number) of \(name)".prefix(8), to: name) }
    }
    let names = LogFormat.v2.testFiles(of: "events", in: directory.path)
    let other = LogFormat.v2.testFiles(of: "other", in: directory.path)
    try FileBytes.write(try #require(try FileBytes.read(other.companion)), to: names.companion)
    var configuration = Storage.Configuration()
    configuration.access = access
    do {
      try Storage(directory: directory.path, namespaces: ["events"], configuration: configuration).close()
      Issue.record("it was opened")
    } catch {
      guard case .corrupted(let damage) = error else { throw error }
      #expect(damage.path.hasSuffix(".idx") && damage.reason.code == .companionOfAnotherLog)
    }
    let report = try Storage.repair("events", in: directory.path, applying: true)
    #expect(report.isApplied && report.sound == 20 && report.lost.isEmpty)
    let storage = try Storage(directory: directory.path, namespaces: ["events"])
    defer { storage.close() }
    #expect(try await storage.verify("events").records == 20)
  }

  @Test func hostileLayoutsAreRefused() throws {
    let directory = TemporaryDirectory(inMemory: true)
    var generator = SeededGenerator(seed: UInt64.random(in: 1...UInt64.max))
    for _ in 0..<(Rounds.areMany ? 100_000 : 1000) {
      let numbers = ["0", "-1", "+4", "04", "1", "65536", "65537", "9223372036854775807", "99999999999999999999", "x"]
      let number = numbers.randomElement(using: &generator) ?? ""
      let version =
        ["1", "1", "1", "2", "0", "-1", "99999999999999999999", "1 "].randomElement(using: &generator) ?? ""
      let routing = ["fnv1a-mod-n", "", "\u{1B}[2J", "a\nb"].randomElement(using: &generator) ?? ""
      var text = Array("LogStore \(version)\npartitions \(number)\nrouting \(routing)\n".utf8)
      if generator.oneIn(4) { text.removeLast(Int.random(in: 0...text.count, using: &generator)) }
      try FileBytes.write(text, to: directory.file("logstore.layout"))
      do {
        var configuration = Storage.Configuration()
        configuration.access = .readOnly
        try LogStore(directory: directory.path, configuration: configuration).close()
      } catch {
        // What matters is that it was caught.
        continue
      }
    }
  }
}

/// What this process takes of the machine's memory, in bytes.
enum Memory {
  /// The most it ever took.
  static var peak: Int { field("VmHWM:") }
  static var now: Int { field("VmRSS:") }

  /// 0 where the system does not say.
  private static func field(_ name: String) -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) }),
      let number = line.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Int($0) })
    else { return 0 }
    return number << 10
  }
}
