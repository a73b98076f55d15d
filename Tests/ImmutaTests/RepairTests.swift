import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Mending logs that opening refuses: `Storage.repair` and `Storage.salvage`.
@Suite(.timeLimit(.minutes(1))) struct RepairTests {
  private let directory = TemporaryDirectory()
  private let texts = (0..<10).map { "record \($0)" }

  /// A closed log of ten records, record n at byte 16 + 16n, each with 8 bytes of payload.
  init() async throws {
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    for text in texts { try await storage.append(text, to: "log") }
    storage.close()
  }

  private func change(_ name: String, _ body: (inout [UInt8]) -> Void) throws {
    var bytes = try directory.bytes(of: name)
    body(&bytes)
    try directory.write(bytes, to: name)
  }

  private func openedTexts() throws -> [String] {
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    defer { storage.close() }
    let log = try storage.log("log")
    return try log.records(in: 0..<log.count).map(\.text)
  }

  private func saved(_ report: RepairReport, _ part: String) throws -> [UInt8] {
    let path = try #require(report.saved.first { $0.contains(part) })
    return try directory.bytes(of: String(path.dropFirst(directory.path.count + 1)))
  }

  @Test func aHealthyLogNeedsNothingAndIsLeftAlone() throws {
    let before = try directory.bytes(of: "log.idx")
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.isHealthy && report.sound == 10 && report.promised == 10 && report.saved.isEmpty)
    #expect(try directory.bytes(of: "log.idx") == before)
  }

  @Test func byDefaultItOnlySaysWhatItWouldDo() throws {
    try change("log.log") { $0[0] = 77 }
    let before = try directory.bytes(of: "log.log")
    let report = try Storage.repair("log", in: directory.path)
    #expect(!report.isApplied && !report.isHealthy && report.sound == 10 && report.lost.isEmpty)
    #expect(report.actions.map(\.description) == ["set the header to COUNT 10, LAST INDEX 160 (it says 77 and 160)"])
    #expect(try directory.bytes(of: "log.log") == before)
    #expect(throws: ImmutaError.self) { try openedTexts() }
  }

  @Test(arguments: [0, 3, 7, 8, 15]) func aDamagedHeaderIsMadeAnewFromTheCompanion(byte: Int) throws {
    let whole = try directory.bytes(of: "log.log")
    try change("log.log") { $0[byte] ^= 0x55 }
    let damaged = try directory.bytes(of: "log.log")
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.isApplied)
    #expect(try saved(report, ".header.") == Array(damaged[..<16]))
    #expect(try directory.bytes(of: "log.log") == whole)
    #expect(try openedTexts() == texts)
  }

  /// The last record's size field: opening for appending refuses, as it cannot tell where to go on.
  @Test func aDamagedEndIsCutOffAndSaved() throws {
    try change("log.log") { $0[160] = 200 }
    let damaged = try directory.bytes(of: "log.log")
    #expect(throws: ImmutaError.self) { try openedTexts() }
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.lost.map(\.sequences) == [9..<10] && report.lost.map(\.index) == [160])
    #expect(try saved(report, ".tail.") == Array(damaged[160...]))
    #expect(try openedTexts() == Array(texts[..<9]))
    #expect(try Storage.repair("log", in: directory.path).isHealthy)
  }

  @Test func aLogCutShortKeepsItsWholeRecords() throws {
    try change("log.log") { $0.removeLast(30) }
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.lost.map(\.sequences) == [8..<10])
    #expect(try openedTexts() == Array(texts[..<8]))
  }

  @Test func damageInTheMiddleStaysWhereItIsAndIsNamed() async throws {
    try change("log.log") { $0[16 + 16 * 4 + 8] ^= 1 }
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.lost.map(\.sequences) == [4..<5] && report.sound == 9 && report.actions.isEmpty)
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    defer { storage.close() }
    let log = try storage.log("log")
    await #expect(throws: ImmutaError.self) { try await log.record(at: 4) }
    #expect(try await log.record(at: 5).text == "record 5")
  }

  @Test func aDamagedEntryIsMadeAnew() throws {
    try change("log.idx") { $0[4096 + 24 * 3 + 9] ^= 1 }
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.lost.isEmpty && report.actions == [.makeEntries(1)])
    #expect(try openedTexts() == texts)
  }

  @Test func salvagingCopiesWhatIsWholeAndNamesWhatIsNot() async throws {
    try change("log.log") {
      $0[16 + 16 * 4 + 8] ^= 1
      $0[16 + 16 * 5] = 99
    }
    let before = try directory.bytes(of: "log.log")
    let report = try Storage.salvage("log", in: directory.path, into: "rescued")
    #expect(report.lost.map(\.sequences) == [4..<6] && report.lost.first?.index == 80 && report.sound == 8)
    #expect(try directory.bytes(of: "log.log") == before)
    let storage = try Storage(directory: directory.path, namespaces: ["rescued"])
    defer { storage.close() }
    let log = try storage.log("rescued")
    #expect(try log.records(in: 0..<log.count).map(\.text) == Array(texts[..<4] + texts[6...]))
    #expect(throws: ImmutaError.duplicateNamespace("rescued")) {
      try Storage.salvage("log", in: directory.path, into: "rescued")
    }
  }

  @Test func withoutACompanionTheSizeFieldsSayWhatIsLeft() throws {
    try change("log.log") { $0[16 + 16 * 6] = 99 }
    try directory.write([], to: "log.idx")
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.sound == 6)
    #expect(try openedTexts() == Array(texts[..<6]))
  }

  /// Without a companion the header is all that knows of records that are gone.
  @Test func whatIsCutOffIsNamedAlsoWithoutACompanion() throws {
    let whole = try directory.bytes(of: "log.log")
    try FileManager.default.removeItem(atPath: directory.file("log.idx"))
    for size in 17..<whole.count {
      try directory.write(Array(whole[..<size]), to: "log.log")
      let report = try Storage.repair("log", in: directory.path)
      #expect(report.promised == 10 && report.sound == (size - 16) / 16 && !report.isHealthy)
      #expect(report.lost.first?.sequences.lowerBound == report.sound && report.lost.last?.sequences.upperBound == 10)
    }
  }

  @Test(arguments: 0..<16) func aDamagedHeaderWithoutACompanionCostsNoRecord(byte: Int) throws {
    let whole = try directory.bytes(of: "log.log")
    try FileManager.default.removeItem(atPath: directory.file("log.idx"))
    for bit in 0..<8 {
      var bytes = whole
      bytes[byte] ^= 1 << bit
      try directory.write(bytes, to: "log.log")
      let report = try Storage.repair("log", in: directory.path, applying: true)
      let lost = report.lost.map(\.sequences.count).reduce(0, +)
      #expect(report.sound == 10 && report.isApplied && report.promised == 10 + lost)
      #expect(try directory.bytes(of: "log.log") == whole, "bit \(bit)")
      try FileManager.default.removeItem(atPath: directory.file("log.idx"))
    }
  }

  @Test func aDamagedSizeWithoutACompanionIsNamedWithAllThatIsBehindIt() throws {
    try FileManager.default.removeItem(atPath: directory.file("log.idx"))
    try change("log.log") { $0[16 + 16 * 6 + 7] = 0x40 }
    let report = try Storage.repair("log", in: directory.path)
    #expect(report.promised == 10 && report.sound == 6 && report.lost.last?.sequences.upperBound == 10)
  }

  /// A record that reaches to where another ends hides those between: LAST INDEX is where it should be, COUNT is not.
  @Test func aSizeThatHidesRecordsIsNamedByCount() throws {
    try FileManager.default.removeItem(atPath: directory.file("log.idx"))
    try change("log.log") { $0[16 + 16 * 4] = 8 + 16 * 3 }
    let report = try Storage.repair("log", in: directory.path)
    #expect(report.promised == 10 && report.sound == 7 && report.lost.last?.sequences.upperBound == 10)
  }

  @Test func aCompanionThatIsMissingIsNothingToRepair() throws {
    try FileManager.default.removeItem(atPath: directory.file("log.idx"))
    #expect(try Storage.repair("log", in: directory.path, applying: true).isHealthy)
    #expect(!directory.exists("log.idx"))
  }

  @Test func aLogThatIsOpenForWritingIsNotTouched() throws {
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    defer { storage.close() }
    #expect(performing: { try Storage.repair("log", in: directory.path) }, throws: isLocked)
    #expect(throws: ImmutaError.namespaceNotFound("other")) { try Storage.repair("other", in: directory.path) }
    #expect(throws: ImmutaError.invalidNamespace("../log")) { try Storage.repair("../log", in: directory.path) }
  }

  /// Reading a damaged log goes on by what the companion tells.
  @Test(arguments: [0, 8]) func aLogWithADamagedHeaderCanStillBeRead(byte: Int) async throws {
    try change("log.log") { $0[byte] ^= 0x55 }
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(try log.records(in: 0..<log.count).map(\.text) == texts)
    #expect(try log.details.damage != nil)
  }

  /// What another program appended to a log that was closed is as good as what Immuta did.
  @Test func whatAnotherProgramAppendedIsKept() throws {
    try change("log.log") { bytes in
      for number in 10..<1_000 { appendAsGo(Array("record \(number)".utf8), to: &bytes) }
    }
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.lost.isEmpty && report.sound == 1_000)
    #expect(try openedTexts().count == 1_000)
    let salvaged = try Storage.salvage("log", in: directory.path, into: "rescued")
    #expect(salvaged.sound == 1_000)
  }

  /// Space reserved by a writer that was killed reads as records of no bytes.
  @Test(arguments: [Int.max, -1, 5_000]) func reservedSpaceIsNoRecords(count: Int) throws {
    try directory.remove("log.idx")
    try change("log.log") { bytes in
      bytes += [UInt8](repeating: 0, count: 64 << 10)
      store(count, at: 0, in: &bytes)
    }
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.sound == 10)
    #expect(try openedTexts() == texts)
  }

  /// Entries that are whole tell of records also behind a header that is not.
  @Test func aDamagedCompanionHeaderCostsNoRecord() throws {
    try change("log.idx") { $0.replaceSubrange(0..<4096, with: repeatElement(0, count: 4096)) }
    try change("log.log") { $0[16 + 16 * 7 + 8] ^= 1 }
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.sound == 9 && report.lost.map(\.sequences) == [7..<8])
    #expect(try Storage.salvage("log", in: directory.path, into: "rescued").sound == 9)
  }

  @Test func entriesThatAreMadeHaveTimesBetweenTheirNeighbours() async throws {
    try change("log.idx") { $0.replaceSubrange(4096 + 72..<4096 + 144, with: repeatElement(0, count: 72)) }
    try FileManager.default.setAttributes(
      [.modificationDate: Date.now.addingTimeInterval(1_000)], ofItemAtPath: directory.file("log.log"))
    #expect(try Storage.repair("log", in: directory.path, applying: true).isApplied)
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    defer { storage.close() }
    #expect(try await storage.verify("log").records == 10)
  }

  @Test func aCompanionThatIsRemovedWhileTheLogIsOpenIsStillRead() async throws {
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    defer { storage.close() }
    try directory.remove("log.idx")
    #expect(try await storage.verify("log").records == 10)
  }

  /// A log that was not closed: repair keeps what opening would keep.
  @Test func aLogThatWasNotClosedKeepsWhatOpeningKeeps() async throws {
    let crashed = TemporaryDirectory()
    do {
      let storage = try Storage(directory: directory.path, namespaces: ["log"])
      defer { storage.close() }
      for number in 10..<50 { try await storage.append("record \(number)", to: "log") }
      var bytes = try directory.bytes(of: "log.log")
      store(20, at: 0, in: &bytes)
      try crashed.write(bytes, to: "log.log")
      try crashed.write(try directory.bytes(of: "log.idx"), to: "log.idx")
    }
    let report = try Storage.repair("log", in: crashed.path, applying: true)
    #expect(report.sound == 50 && report.lost.isEmpty && report.isApplied)
    let storage = try Storage(directory: crashed.path, namespaces: ["log"])
    defer { storage.close() }
    #expect(try storage.log("log").count == 50)
  }

  @Test func aFailedSalvageLeavesNothingBehind() throws {
    let failing = FailingCalls(directory.path + "/rescued", .reserve)
    SystemCalls.withHook(failing) {
      #expect(throws: ImmutaError.self) { try Storage.salvage("log", in: directory.path, into: "rescued") }
    }
    #expect(!directory.exists("rescued.log"))
  }
}

/// Fails calls of a kind on paths that begin with a prefix, as a full disk does.
private final class FailingCalls: SystemCallHook {
  private let prefix: String
  private let call: SystemCall

  init(_ prefix: String, _ call: SystemCall) {
    self.prefix = prefix
    self.call = call
  }

  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
    call == self.call && path.hasPrefix(prefix) ? .fail(ErrorNumber.noSpace) : .proceed
  }

  func didCall(_ call: SystemCall, path: String) {}
}

/// Copies that are kept, and files that are somebody else's.
@Suite struct SavedCopyTests {
  @Test func aCopyNeverTakesTheNameOfAnother() throws {
    let directory = TemporaryDirectory()
    let files = LogFiles(directory: try Directory(opening: directory.path), namespace: "log")
    let first = try SavedCopies.suffix(files, at: 1000)
    #expect(first == "saved-1000")
    try directory.write([1], to: SavedCopies.tail(files, first))
    try directory.write([1], to: "log.idx.saved-1001")
    try directory.write([1], to: "log.log.header.saved-1002.unfinished")
    #expect(try SavedCopies.suffix(files, at: 1000) == "saved-1003")
    try directory.write([1], to: "log.idx.saved-\(Int64.max)")
    #expect(try SavedCopies.suffix(files, at: .max) == "saved-0")
  }

  /// What is left of another log, or of one that was lost.
  @Test(arguments: ["new.idx", "new.meta", "new.log"]) func salvageLeavesFilesThatItDidNotMake(
    name: String
  ) async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[1], [2]])
    let other = TemporaryDirectory()
    try await other.fill([[3]])
    try directory.write(try other.bytes(of: "log.idx"), to: name)
    #expect(throws: ImmutaError.duplicateNamespace("new")) {
      try Storage.salvage("log", in: directory.path, into: "new")
    }
    #expect(try directory.bytes(of: name) == other.bytes(of: "log.idx"))
  }
}
