import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// A log whose writer was killed while the machine stayed up, and one damage: what no writer leaves is damage, and no command
/// passes over records that were committed.
@Suite(.timeLimit(.minutes(3))) struct UnclosedLogTests {
  private static let count = 40
  private static let lines = (0..<count).map { "record \($0) " + String(repeating: "z", count: 45) }

  struct Spot: Sendable, CustomTestStringConvertible {
    let bytes: Range<Int>
    var value: UInt8 = 0

    var testDescription: String { "\(bytes) are \(value)" }
  }

  /// The files as a writer leaves them that is killed.
  private func killed(
    _ format: LogFormat, _ texts: [String] = lines, isSynced: Bool = false, isFailedFlush: Bool = false
  ) async throws -> TemporaryDirectory {
    let directory = TemporaryDirectory(inMemory: true)
    let storage = try directory.open(isSynced ? .synced : .buffered, format: format)
    defer { storage.close() }
    for text in texts { try await storage.append(text, to: "log") }
    if isFailedFlush {
      let injector = FaultInjector(directory: directory.path, .error(ErrorNumber.ioError), of: .flush, lasting: true)
      await injector.run { _ = try? await storage.log("log").sync() }
    }
    let copy = TemporaryDirectory(inMemory: true)
    for name in try directory.allFiles().keys { try copy.write(try directory.bytes(of: name), to: name) }
    return copy
  }

  private func spoil(_ name: String, _ spot: Spot, in directory: TemporaryDirectory) throws {
    var bytes = try directory.bytes(of: name)
    for offset in spot.bytes.clamped(to: 0..<bytes.count) { bytes[offset] = spot.value }
    try directory.write(bytes, to: name)
  }

  /// Every way to look at it says that it is damaged, and none changes a byte.
  private func expectDamage(
    _ directory: TemporaryDirectory, _ format: LogFormat, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let before = try directory.allFiles()
    #expect(
      (await corruption { try directory.open(format: format).close() }) != nil, sourceLocation: sourceLocation)
    _ = await corruption(sourceLocation: sourceLocation) {
      let storage = try directory.open(access: .readOnly, format: format)
      defer { storage.close() }
      let log = try storage.log("log")
      #expect(log.count == Self.count, sourceLocation: sourceLocation)
      try await log.verify()
    }
    let report = try Storage.repair("log", in: directory.path, format: format)
    #expect(!report.isHealthy && !report.opensAsItIs, sourceLocation: sourceLocation)
    #expect(try directory.allFiles() == before, sourceLocation: sourceLocation)
  }

  /// An entry far beyond the last, in space that was reserved, is no record: nor where those in between are damaged.
  @Test func whatLooksLikeAnEntryInReservedSpaceIsNoRecord() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let storage = try directory.open(format: .bilog)
    defer { storage.close() }
    let log = try storage.log("log")
    for text in Self.lines.prefix(20) { try await log.append(text) }
    try await log.sync()
    for text in Self.lines.dropFirst(20) { try await log.append(text) }
    let copy = TemporaryDirectory(inMemory: true)
    for name in try directory.allFiles().keys { try copy.write(try directory.bytes(of: name), to: name) }
    let name = "log.bilog.companion"
    let (header, entry) = (4096, 24)
    try spoil(name, Spot(bytes: header + 18 * entry..<header + 40 * entry), in: copy)
    try spoil(name, Spot(bytes: header + 480 * entry + 7..<header + 500 * entry, value: 0xA5), in: copy)
    let again = try copy.open(access: .readOnly, format: .bilog)
    defer { again.close() }
    #expect(try again.log("log").count == Self.count)
    #expect(try await again.log("log").record(at: 17).text == Self.lines[17])
  }

  static let spots = [
    Spot(bytes: 0..<8), Spot(bytes: 0..<24), Spot(bytes: 0..<512), Spot(bytes: 0..<512, value: 0xFF),
    Spot(bytes: 0..<4096), Spot(bytes: 0..<1 << 20),
  ]

  @Test(arguments: [LogFormat.v1, .v2], spots) func aHeaderThatNoWriterLeavesIsDamage(
    format: LogFormat, spot: Spot
  ) async throws {
    let directory = try await killed(format)
    let log = try directory.bytes(of: "log.log")
    try spoil("log.log", spot, in: directory)
    try await expectDamage(directory, format)
    let report = try Storage.repair("log", in: directory.path, applying: true)
    // What is whole is still there.
    let untouched = Self.lines.filter { text in
      let place = log.firstRange(of: Array(text.utf8))
      return place.map { $0.lowerBound - 8 >= spot.bytes.upperBound } ?? false
    }
    #expect(report.sound == max(untouched.count, spot.bytes.count == 8 ? Self.count : 0))
    let storage = try directory.open()
    defer { storage.close() }
    let found = try storage.log("log")
    for number in Self.count - untouched.count..<Self.count where number < found.count {
      #expect(try await found.record(at: number).text == Self.lines[number])
    }
    #expect(found.count >= untouched.count)
  }

  @Test(arguments: [LogFormat.v1, .v2]) func theOnlyRecordIsNotPassedOverEither(format: LogFormat) async throws {
    let directory = try await killed(format, ["only"])
    try spoil("log.log", Spot(bytes: 0..<512), in: directory)
    #expect((await corruption { try directory.open().close() }) != nil)
    _ = await corruption {
      let storage = try directory.open(access: .readOnly)
      defer { storage.close() }
      try await storage.log("log").verify()
    }
  }

  @Test func aLastIndexThatNoWriterLeavesIsDamage() async throws {
    let directory = try await killed(.v2)
    try spoil("log.log", Spot(bytes: 9..<10, value: 0x7E), in: directory)
    try await expectDamage(directory, .v2)
    #expect(try Storage.repair("log", in: directory.path, applying: true).sound == Self.count)
    let storage = try directory.open()
    defer { storage.close() }
    #expect(try texts(storage.log("log")) == Self.lines)
  }

  /// The same where the last record's entry is damaged: then the size fields say where it begins.
  @Test func aLastIndexThatNoWriterLeavesIsDamageAlsoWithoutItsEntry() async throws {
    let directory = try await killed(.v2, isSynced: true)
    let entry = CompanionEntry.offset(of: Self.count - 1)
    try spoil("log.idx", Spot(bytes: entry..<entry + CompanionEntry.size), in: directory)
    let sound = TemporaryDirectory(inMemory: true)
    for (name, bytes) in try directory.allFiles() { try sound.write(bytes, to: name) }
    try sound.open().close()
    try spoil("log.log", Spot(bytes: 9..<10, value: 0x7E), in: directory)
    try await expectDamage(directory, .v2)
  }

  static let doubts = [Spot(bytes: 9..<10, value: 0x7E), Spot(bytes: 8..<16), Spot(bytes: 8..<16, value: 0xFF)]

  /// After a restart, or a failed flush, the header may be of any moment: opening corrects it, and no command calls that
  /// damage.
  @Test(arguments: doubts, [false, true]) func aLastIndexThatARestartLeavesIsCorrected(
    spot: Spot, isFailedFlush: Bool
  ) async throws {
    let directory = try await killed(.v2, isFailedFlush: isFailedFlush)
    if !isFailedFlush { try Reboot.mark(directory: directory.path) }
    try spoil("log.log", spot, in: directory)
    let before = try directory.allFiles()
    let reading = try directory.open(access: .readOnly)
    #expect(try await reading.verify("log").records == Self.count)
    reading.close()
    #expect(try LogSurvey("log", in: directory.path).recovery?.contains("opening for appending corrects") == true)
    #expect(try Storage.repair("log", in: directory.path).opensAsItIs)
    #expect(try directory.allFiles() == before)
    let storage = try directory.open()
    #expect(try storage.log("log").details.openingNote?.contains("LAST INDEX") == true)
    #expect(try texts(storage.log("log")) == Self.lines)
    storage.close()
    let again = try directory.open()
    defer { again.close() }
    #expect(try await again.verify("log").verifiable == Self.count)
  }

  /// Only what was written last may be of any moment: a segment before it was closed.
  @Test func theHeaderOfASealedSegmentIsDamagedAlsoAfterARestart() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let storage = try directory.open()
    defer { storage.close() }
    for text in ["one", "two"] { try await storage.append(text, to: "log") }
    try await storage.log("log").roll()
    for text in ["three", "four"] { try await storage.append(text, to: "log") }
    let parent = TemporaryDirectory(inMemory: true)
    // Foundation's copy never ends where a file gets shorter meanwhile, as one does that is sealed.
    try FileBytes.copy(directory: directory.path, to: parent.file("copy"))
    try Reboot.mark(directory: parent.file("copy/log.segments"))
    func verify() async throws {
      var configuration = Storage.Configuration()
      configuration.access = .readOnly
      let reading = try Storage(directory: parent.file("copy"), namespaces: ["log"], configuration: configuration)
      defer { reading.close() }
      #expect(try await reading.verify("log").records == 4)
    }
    try await verify()
    var bytes = try parent.bytes(of: "copy/log.log")
    bytes[9] = 0x7E
    try parent.write(bytes, to: "copy/log.log")
    #expect((await corruption { try await verify() }) != nil)
  }

  @Test(arguments: [LogFormat.v1, .v2]) func anEmptiedLogIsLost(format: LogFormat) async throws {
    let directory = try await killed(format)
    try directory.write([], to: "log.log")
    for access in [Storage.Access.readWrite, .readOnly] {
      let damage = await corruption { try directory.open(access: access).close() }
      #expect(damage?.reason.code == .logMissing)
    }
  }

  @Test(arguments: [0, 1, 20, 38]) func anEntryOfAPartitionThatIsGoneIsDamage(number: Int) async throws {
    let directory = try await killed(.bilog)
    let start = CompanionEntry.offset(of: number)
    try spoil("log.bilog.companion", Spot(bytes: start..<start + CompanionEntry.size), in: directory)
    try await expectDamage(directory, .bilog)
  }

  /// An entry that was not stored is no commit, and one that is gone looks the same: nothing is lost without a copy and a
  /// word.
  @Test(arguments: [0, 39]) func recordsOfAPartitionWithoutEntriesAreKeptBesideIt(first: Int) async throws {
    let directory = try await killed(.bilog)
    let entries = CompanionEntry.offset(of: first)..<CompanionEntry.offset(of: Self.count)
    try spoil("log.bilog.companion", Spot(bytes: entries), in: directory)
    let storage = try directory.open(format: .bilog)
    defer { storage.close() }
    let note = try storage.log("log").details.openingNote ?? ""
    let dropped = Self.count - first
    #expect(note.contains("cut off \(dropped) record"))
    try expectSaved(Self.lines[first...], note, in: directory)
  }

  @Test(arguments: [LogFormat.v1, .v2, .bilog]) func afterARestartWhatIsCutOffIsKeptAndSaid(format: LogFormat)
    async throws
  {
    let directory = try await killed(format)
    try Reboot.mark(directory: directory.path)
    let name = format == .bilog ? "log.bilog" : "log.log"
    try spoil(name, Spot(bytes: 0..<512), in: directory)
    let bytes = try directory.bytes(of: name)
    let storage = try directory.open(format: format)
    defer { storage.close() }
    let log = try storage.log("log")
    let note = try log.details.openingNote ?? ""
    #expect(log.count == 0 && note.contains("cut off 40 torn records"))
    let whole = Self.lines.filter { bytes.firstRange(of: Array($0.utf8)) != nil }
    try expectSaved(whole[...], note, in: directory)
  }

  @Test(arguments: [LogFormat.v1, .v2]) func noRestartTakesBackWhatWasStable(format: LogFormat) async throws {
    let directory = try await killed(format, isSynced: true)
    try Reboot.mark(directory: directory.path)
    for spot in [Spot(bytes: 0..<8), Spot(bytes: 0..<8, value: 0xFF)] {
      try spoil("log.log", spot, in: directory)
      #expect((await corruption { try directory.open().close() }) != nil)
    }
  }

  private func expectSaved(
    _ texts: ArraySlice<String>, _ note: String, in directory: TemporaryDirectory,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let name = try #require(
      try directory.allFiles().keys.first { $0.contains(".tail.saved-") }, sourceLocation: sourceLocation)
    #expect(note.contains(name), sourceLocation: sourceLocation)
    let saved = try directory.bytes(of: name)
    for text in texts { #expect(saved.firstRange(of: Array(text.utf8)) != nil, sourceLocation: sourceLocation) }
  }

  // MARK: Another log's companion

  enum Likeness: String, CaseIterable, Sendable { case sizes, first, nothing }

  struct Pair: Sendable, CustomTestStringConvertible {
    var log: (count: Int, isKilled: Bool)
    var other: (count: Int, isKilled: Bool)
    var likeness: Likeness
    var isSynced: Bool

    var testDescription: String {
      "\(log.count)\(log.isKilled ? " killed" : ""), \(other.count)\(other.isKilled ? " killed" : ""), like in \(likeness)"
        + (isSynced ? ", synced" : "")
    }

    static let all: [Pair] = [3, 34].flatMap { own in
      [1, 5, 21, 34, 60].flatMap { other in
        [(false, false), (false, true), (true, false), (true, true)].flatMap { isKilled in
          Likeness.allCases.flatMap { likeness in
            [false, true].map { isSynced in
              Pair(log: (own, isKilled.0), other: (other, isKilled.1), likeness: likeness, isSynced: isSynced)
            }
          }
        }
      }
    }
  }

  private func files(_ name: String, _ count: Int, _ pair: Pair, isKilled: Bool) async throws -> TemporaryDirectory {
    var texts = (0..<count).map { number in
      "\(name)\(number + 1000)"
        + String(repeating: name, count: pair.likeness == .sizes ? 0 : (number * 7 + (name == "a" ? 3 : 40)) % 61)
    }
    if pair.likeness == .first { texts[0] = "date;name;amount" }
    if isKilled { return try await killed(.v2, texts, isSynced: pair.isSynced) }
    let directory = TemporaryDirectory(inMemory: true)
    try await directory.fill(texts.map { Array($0.utf8) })
    return directory
  }

  @Test(arguments: Pair.all) func repairCutsNothingOffByTheWordOfAnotherLogsCompanion(pair: Pair) async throws {
    let directory = try await files("a", pair.log.count, pair, isKilled: pair.log.isKilled)
    let other = try await files("b", pair.other.count, pair, isKilled: pair.other.isKilled)
    let before = try directory.bytes(of: "log.log")
    try directory.write(try other.bytes(of: "log.idx"), to: "log.idx")
    _ = try? directory.open().close()
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.lost.isEmpty)
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(log.count == pair.log.count)
    #expect(try payloads(log) == indices(of: before).map { Array(before[$0 + 8..<$0 + 8 + integer(before, at: $0)]) })
  }

  /// Entries that are damaged, and one between them that leads elsewhere: the log's own header says where its records are.
  @Test func repairCutsNothingOffThatTheHeaderVouchesFor() async throws {
    let directory = try await killed(.v2)
    var companion = try directory.bytes(of: "log.idx")
    for number in 37..<40 {
      var entry = [UInt8](repeating: 0, count: CompanionEntry.size)
      if number == 38 {
        entry.withUnsafeMutableBytes {
          CompanionEntry(index: 2000, time: 1, recordChecksum: 1).encode(into: $0, number: number)
        }
      }
      let start = CompanionEntry.offset(of: number)
      companion.replaceSubrange(start..<start + CompanionEntry.size, with: entry)
    }
    try directory.write(companion, to: "log.idx")
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.sound == Self.count && report.lost.isEmpty)
    let storage = try directory.open()
    defer { storage.close() }
    #expect(try texts(storage.log("log")) == Self.lines)
  }

  /// Damage that runs from one small record into the next is damage, and keeps the companion.
  @Test func twoSmallRecordsThatAreDamagedAreDamage() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    try await directory.fill([Array("first".utf8), Array("second".utf8)])
    let companion = try directory.bytes(of: "log.idx")
    try spoil("log.log", Spot(bytes: 25..<125), in: directory)
    let damage = await corruption { try directory.open().close() }
    #expect(damage?.path.hasSuffix("log.log") == true)
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(!report.actions.contains(.setCompanionAside) && report.sound == 0)
    #expect(companion == (try directory.allFiles().first { $0.key.contains("idx.saved-") }?.value))
  }
}
