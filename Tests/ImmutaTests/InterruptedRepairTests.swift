import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// A repair or a salvage that is cut off at any of its calls, as by a kill: from what it leaves, the next one goes on, and
/// nothing is lost.
@Suite(.timeLimit(.minutes(5))) struct InterruptedRepairTests {
  private static let lines = (0..<30).map { "record \($0) " + String(repeating: "z", count: 40) }

  enum Damage: CaseIterable, Sendable {
    case header, end, endWithoutCompanion, companion, anotherCompanion, partition, unclosed, copy

    var format: LogFormat { self == .partition ? .bilog : .v2 }
  }

  /// A directory with one log, damaged.
  private static func damaged(_ damage: Damage) async throws -> [String: [UInt8]] {
    let directory = TemporaryDirectory()
    let storage = try directory.open(format: damage.format)
    defer { storage.close() }
    var early: [UInt8] = []
    for (number, line) in lines.enumerated() {
      try await storage.append(line, to: "log")
      if number == 9 { early = damage.format.hasCount ? try directory.bytes(of: "log.log") : [] }
    }
    // The writer of some of them is killed.
    if damage != .unclosed, damage != .copy { storage.close() }
    var files = try directory.allFiles()
    let log = damage == .partition ? "log.bilog" : "log.log"
    var bytes = try #require(files[log])
    func spoil(_ number: Int) throws {
      let place = try #require(bytes.firstRange(of: Array(lines[number].utf8)))
      for offset in place { bytes[offset] ^= 0x55 }
    }
    switch damage {
    case .header: for offset in 0..<16 { bytes[offset] ^= 0x55 }
    case .end, .partition:
      for number in [5, 28, 29] { try spoil(number) }
      bytes += Array("what is no record".utf8)
    case .endWithoutCompanion:
      files["log.idx"] = nil
      let place = try #require(bytes.firstRange(of: Array(lines[25].utf8)))
      for offset in place.lowerBound - 8..<place.lowerBound { bytes[offset] = 0x55 }
    case .companion:
      files["log.idx"] = Array(try #require(files["log.idx"]).prefix(5000))
      for offset in 0..<8 { bytes[offset] ^= 0x55 }
    case .anotherCompanion:
      let other = TemporaryDirectory()
      try await other.fill(lines.map { Array($0.replacing("record", with: "other!").utf8) })
      files["log.idx"] = try other.bytes(of: "log.idx")
    case .unclosed: for offset in 0..<512 { bytes[offset] = 0 }
    case .copy:
      // Its first page is older than what follows.
      let gap = early.lastIndex { $0 != 0 } ?? 0
      bytes.replaceSubrange(0..<gap + 300, with: early[0..<gap + 300])
    }
    files[log] = bytes
    return files
  }

  private func put(_ files: [String: [UInt8]]) throws -> TemporaryDirectory {
    let directory = TemporaryDirectory(inMemory: true)
    for (name, bytes) in files { try directory.write(bytes, to: name) }
    return directory
  }

  /// What the log holds that appending goes on with, once it was repaired, if that is still needed.
  private func openedTexts(_ directory: TemporaryDirectory, _ format: LogFormat) throws -> [String] {
    if (try? directory.open(format: format).close()) == nil {
      _ = try Storage.repair("log", in: directory.path, format: format, applying: true)
    }
    let storage = try directory.open(format: format)
    defer { storage.close() }
    let log = try storage.log("log")
    return (0..<log.count).compactMap { try? log.records(in: $0..<$0 + 1).first?.text }
  }

  @Test(arguments: Damage.allCases) func aRepairGoesOnWhereverItWasCutOff(damage: Damage) async throws {
    let files = try await Self.damaged(damage)
    let name = damage == .partition ? "log.bilog" : "log.log"
    let bytes = try #require(files[name])
    let whole = Self.lines.filter { bytes.firstRange(of: Array($0.utf8)) != nil }
    let format = damage.format
    let example = try put(files)
    #expect(try Storage.repair("log", in: example.path, format: format, applying: true).isApplied)
    let expected = try openedTexts(example, format)
    #expect(!expected.isEmpty)
    for number in 1... {
      let directory = try put(files)
      let injector = FaultInjector(
        directory: directory.path, .error(ErrorNumber.ioError), at: number, lasting: true)
      SystemCalls.withHook(injector) {
        _ = try? Storage.repair("log", in: directory.path, format: format, applying: true)
      }
      let texts = try openedTexts(directory, format)
      #expect(texts == expected, "call \(number)")
      let saved = try directory.allFiles().filter {
        $0.key.contains(".saved-") && !$0.key.hasSuffix(".unfinished")
      }
      let lost = whole.filter { line in
        !texts.contains(line) && !saved.contains { $0.value.firstRange(of: Array(line.utf8)) != nil }
      }
      #expect(lost.isEmpty, "call \(number)")
      if injector.injected == 0 { break }
    }
  }

  @Test(arguments: [Damage.end, .partition]) func aSalvageThatIsCutOffLeavesNothingThatIsTakenForALog(
    damage: Damage
  ) async throws {
    let files = try await Self.damaged(damage)
    let (format, suffix) = (damage.format, damage == .partition ? "bilog" : "log")
    let expected = (0..<28).filter { $0 != 5 }.map { Self.lines[$0] }
    var configuration = Storage.Configuration()
    configuration.format = format
    var cleared = 0
    for number in 1... {
      let directory = try put(files)
      let injector = FaultInjector(
        directory: directory.path, .error(ErrorNumber.ioError), at: number, lasting: true)
      SystemCalls.withHook(injector) {
        _ = try? Storage.salvage("log", in: directory.path, into: "new", configuration: configuration)
      }
      let isThere = directory.exists("new.\(suffix)")
      configuration.access = .readOnly
      let reading = try? Storage(directory: directory.path, namespaces: ["new"], configuration: configuration)
      reading?.close()
      #expect((reading != nil) == isThere, "call \(number)")
      configuration.access = .readWrite
      let wasLeft = directory.exists("new.\(suffix).salvage")
      if isThere {
        #expect(throws: ImmutaError.duplicateNamespace("new")) {
          try Storage.salvage("log", in: directory.path, into: "new", configuration: configuration)
        }
      } else {
        let report = try Storage.salvage("log", in: directory.path, into: "new", configuration: configuration)
        #expect((report.actions.first == .removeUnfinishedSalvage) == wasLeft, "call \(number)")
        if wasLeft { cleared += 1 }
      }
      #expect(!directory.exists("new.\(suffix).salvage"))
      let storage = try Storage(directory: directory.path, namespaces: ["new"], configuration: configuration)
      defer { storage.close() }
      #expect(try texts(storage.log("new")) == expected, "call \(number)")
      #expect(try await storage.verify("new").verifiable == expected.count, "call \(number)")
      if injector.injected == 0 { break }
    }
    #expect(cleared > 10)
  }

  /// A log of which no record is whole comes to a new log without records: its files are small, and all the same not anybody's.
  @Test(arguments: [LogFormat.v1, .v2, .bilog])
  func aSalvageOfNothingThatIsCutOffIsDoneAgain(format: LogFormat) async throws {
    let (log, companion) =
      format == .bilog ? ("log.bilog", "log.bilog.companion") : ("log.log", "log.idx")
    let damaged = TemporaryDirectory()
    try await Self.appendOne(to: damaged, format)
    var files = try damaged.allFiles()
    // The size field stays, the payload does not.
    if let count = files[log]?.count { files[log]?[count - 1] ^= 0x55 }
    #expect(files[companion] != nil)
    var configuration = Storage.Configuration()
    configuration.format = format
    let newLog = log.replacing("log.", with: "new.", maxReplacements: 1)
    var left = 0
    for number in 1... {
      let directory = try put(files)
      let injector = FaultInjector(directory: directory.path, .error(ErrorNumber.ioError), at: number, lasting: true)
      SystemCalls.withHook(injector) {
        _ = try? Storage.salvage("log", in: directory.path, into: "new", configuration: configuration)
      }
      let isThere = directory.exists(newLog)
      if !isThere {
        if directory.exists(companion.replacing("log.", with: "new.", maxReplacements: 1)) { left += 1 }
        let report = try Storage.salvage("log", in: directory.path, into: "new", configuration: configuration)
        #expect(report.sound == 0 && report.isApplied, "call \(number)")
      }
      #expect(isThere || !directory.exists("\(newLog).salvage"), "call \(number)")
      let storage = try Storage(directory: directory.path, namespaces: ["new"], configuration: configuration)
      #expect(try await storage.append("goes on", to: "new").sequence == 0)
      try storage.closeReporting()
      if injector.injected == 0 { break }
    }
    // The companion has its name, and the log has not.
    #expect(left > 0)
  }

  private static func appendOne(to directory: TemporaryDirectory, _ format: LogFormat) async throws {
    let storage = try directory.open(format: format)
    try await storage.append("the one record", to: "log")
    try storage.closeReporting()
  }

  // MARK: Segments

  /// A log of three segments. A record of the first is damaged, and so is the end of the newest.
  private static func damagedSegments() async throws -> TemporaryDirectory {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    for (number, line) in lines.enumerated() {
      if number == 10 || number == 20 { try await storage.log("log").roll() }
      try await storage.append(line, to: "log")
    }
    try storage.closeReporting()
    for (file, numbers) in [("log.log", [5]), ("log.segments/00000000000000000020.log", [28, 29])] {
      var bytes = try directory.bytes(of: file)
      for number in numbers {
        let place = try #require(bytes.firstRange(of: Array(lines[number].utf8)))
        for offset in place { bytes[offset] ^= 0x55 }
      }
      if numbers.count > 1 { bytes += Array("what is no record".utf8) }
      try directory.write(bytes, to: file)
    }
    // One that lost its header, too.
    var companion = try directory.bytes(of: "log.segments/00000000000000000010.idx")
    for offset in 0..<4096 { companion[offset] ^= 0x55 }
    try directory.write(companion, to: "log.segments/00000000000000000010.idx")
    return directory
  }

  /// A copy, with its folders.
  private func copy(_ directory: TemporaryDirectory) throws -> TemporaryDirectory {
    let copy = TemporaryDirectory(inMemory: true)
    try FileBytes.copy(directory: directory.path, to: copy.path)
    return copy
  }

  @Test func aRepairOfSegmentsGoesOnWhereverItWasCutOff() async throws {
    let damaged = try await Self.damagedSegments()
    let example = try copy(damaged)
    #expect(try Storage.repair("log", in: example.path, applying: true).isApplied)
    let expected = try openedTexts(example, .v2)
    #expect(expected.count == 27)
    for number in 1... {
      let directory = try copy(damaged)
      let injector = FaultInjector(directory: directory.path, .error(ErrorNumber.ioError), at: number, lasting: true)
      SystemCalls.withHook(injector) { _ = try? Storage.repair("log", in: directory.path, applying: true) }
      _ = try Storage.repair("log", in: directory.path, applying: true)
      #expect(try openedTexts(directory, .v2) == expected, "call \(number)")
      if injector.injected == 0 { break }
    }
  }

  @Test func aSalvageOfSegmentsThatIsCutOffIsDoneAgain() async throws {
    let damaged = try await Self.damagedSegments()
    let expected = (0..<28).filter { $0 != 5 }.map { Self.lines[$0] }
    for number in 1... {
      let directory = try copy(damaged)
      let injector = FaultInjector(directory: directory.path, .error(ErrorNumber.ioError), at: number, lasting: true)
      SystemCalls.withHook(injector) { _ = try? Storage.salvage("log", in: directory.path, into: "new") }
      if !directory.exists("new.log") { _ = try Storage.salvage("log", in: directory.path, into: "new") }
      let storage = try Storage(directory: directory.path, namespaces: ["new"])
      #expect(try texts(storage.log("new")) == expected, "call \(number)")
      #expect(try await storage.verify("new").verifiable == expected.count, "call \(number)")
      storage.close()
      // Nothing of it is left that would keep the next command from it.
      #expect(throws: ImmutaError.duplicateNamespace("new")) {
        try Storage.salvage("log", in: directory.path, into: "new")
      }
      #expect(!directory.exists("new.log.salvage"), "call \(number)")
      if injector.injected == 0 { break }
    }
  }

  // MARK: What is left

  /// A namespace that an unfinished salvage was to make is cleared away like any other.
  @Test func removingClearsAwayWhatASalvageLeft() async throws {
    let directory = try put(try await Self.damaged(.end))
    let injector = FaultInjector(directory: directory.path, .error(ErrorNumber.ioError), of: .rename, lasting: true)
    let unlinks = FaultInjector(directory: directory.path, .error(ErrorNumber.ioError), of: .unlink, lasting: true)
    SystemCalls.withHook(injector) {
      SystemCalls.withHook(unlinks) { _ = try? Storage.salvage("log", in: directory.path, into: "new") }
    }
    #expect(directory.exists("new.log.salvage"))
    let storage = try Storage(directory: directory.path, namespaces: ["other"])
    defer { storage.close() }
    try storage.remove("new")
    #expect(try directory.allFiles().keys.filter { $0.hasPrefix("new") } == [])
  }
}
