import Foundation
import Immuta
import ImmutaTestSupport
import Synchronization
import Testing

/// Files of a log in segments that are lost, exchanged, added or left over: everything that looks at the segments says the same
/// of them, no record gets another number, and none is invented.
@Suite(.timeLimit(.minutes(3))) struct LostSegmentTests {
  private func name(_ first: Int) -> String { String(repeating: "0", count: 20 - "\(first)".count) + "\(first)" }
  private func log(_ first: Int) -> String { first == 0 ? "log.log" : "log.segments/\(name(first)).log" }
  private func companion(_ first: Int) -> String { first == 0 ? "log.idx" : "log.segments/\(name(first)).idx" }
  private func numbers(_ range: Range<Int>) -> [String] { range.map(String.init) }

  private func open(_ directory: TemporaryDirectory, _ access: Storage.Access = .readWrite) throws -> Storage {
    try SegmentedLogTests.open(directory, access: access)
  }

  private func filled() async throws -> TemporaryDirectory {
    let directory = TemporaryDirectory(inMemory: true)
    try await SegmentedLogTests.fill(directory)
    return directory
  }

  private func exchange(_ one: String, _ other: String, in directory: TemporaryDirectory) throws {
    let (first, second) = (try directory.bytes(of: one), try directory.bytes(of: other))
    try directory.write(second, to: one)
    try directory.write(first, to: other)
  }

  /// What a salvage copies, and what it says.
  private func salvaged(_ directory: TemporaryDirectory) throws -> (texts: [String], report: RepairReport) {
    let report = try Storage.salvage("log", in: directory.path, into: "new")
    let storage = try Storage(directory: directory.path, namespaces: ["new"])
    defer { storage.close() }
    let log = try storage.log("new")
    return (try log.records(in: 0..<log.count).map(\.text), report)
  }

  private func words(_ report: RepairReport) -> String { report.description }

  // MARK: Exchanged

  @Test(arguments: [(10, 20), (0, 20), (10, 30), (0, 30)])
  func repairDoesNotBelieveALogThatWasPutInAnothersPlace(exchanged: (Int, Int)) async throws {
    let directory = try await filled()
    try exchange(log(exchanged.0), log(exchanged.1), in: directory)
    let before = try directory.tree()
    for applying in [false, true] {
      let report = try Storage.repair("log", in: directory.path, applying: applying)
      #expect(!report.isHealthy && report.actions.isEmpty && report.sound == 20, "\(report)")
      for first in [exchanged.0, exchanged.1] {
        #expect(report.lost.contains { $0.sequences == first..<first + 10 }, "\(report)")
        #expect(words(report).contains("\(log(first)): it is not the file that belongs here"), "\(report)")
      }
    }
    #expect(try directory.tree() == before)
    let (texts, report) = try salvaged(directory)
    #expect(texts == numbers(0..<40).filter { ![exchanged.0, exchanged.1].contains(Int($0)! / 10 * 10) })
    #expect(report.lost.count == 2)
  }

  @Test func segmentsOfOneRecordThatWereExchangedAreNotBelieved() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try open(directory)
      defer { storage.close() }
      let log = try storage.log("log")
      for text in ["zero", "one is longer", "two", "three"] {
        try await log.append(text)
        try await log.roll()
      }
    }
    try exchange(log(1), log(2), in: directory)
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.actions.isEmpty && report.sound == 2 && report.lost.count == 2, "\(report)")
    #expect(try salvaged(directory).texts == ["zero", "three"])
  }

  /// Opens the log for appending when a file of it is about to be opened, and notes what came of it.
  private final class Intruder: SystemCallHook {
    let path: String
    let attempts = Mutex<[ImmutaError?]>([])
    let attempt: @Sendable () -> ImmutaError?

    init(at path: String, _ attempt: @escaping @Sendable () -> ImmutaError?) {
      (self.path, self.attempt) = (path, attempt)
    }

    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      guard call == .open, path == self.path, attempts.withLock({ $0.isEmpty }) else { return .proceed }
      attempts.withLock { $0.append(nil) }
      let error = attempt()
      attempts.withLock { $0 = [error] }
      return .proceed
    }

    func didCall(_ call: SystemCall, path: String) {}
  }

  @Test(arguments: [true, false]) func nobodyAppendsWhileSegmentAfterSegmentIsLookedAt(isSalvage: Bool) async throws {
    let directory = try await filled()
    let path = directory.path
    let intruder = Intruder(at: directory.file(log(30))) {
      do {
        try SegmentedLogTests.open(directory).close()
        return nil
      } catch {
        return error as? ImmutaError
      }
    }
    try SystemCalls.withHook(intruder) {
      if isSalvage {
        _ = try Storage.salvage("log", in: path, into: "new")
      } else {
        _ = try Storage.repair("log", in: path, applying: true)
      }
    }
    let attempts = intruder.attempts.withLock { $0 }
    #expect(attempts.count == 1)
    guard case .locked = attempts.first ?? nil else {
      Issue.record("the log was open for appending: \(attempts)")
      return
    }
  }

  // MARK: Missing

  @Test func missingFirstSegmentsAreNoticedByWhoeverLooks() async throws {
    let directory = try await filled()
    for file in [log(0), companion(0), log(10), companion(10)] { try directory.remove(file) }
    for access in [Storage.Access.readOnly, .readWrite] {
      let storage = try open(directory, access)
      defer { storage.close() }
      let details = try storage.log("log").details
      #expect(details.damage?.reason.code == .segmentMissing, "\(details)")
      #expect(details.damage?.reason.description.contains("records 0 to 19 is missing") == true)
      #expect(details.verifiable == 20 && details.count == 40 && details.firstSequence == 0)
      #expect(details.description.hasPrefix("log: 20 records "), "\(details)")
      #expect(details.path.hasSuffix(log(20)) && details.firstTimestamp != nil)
      #expect(try storage.log("log").records(in: 20..<40).map(\.text) == numbers(20..<40))
      await #expect(throws: ImmutaError.self) { try await storage.log("log").verify() }
    }
    let report = try Storage.repair("log", in: directory.path)
    #expect(report.lost.map(\.sequences) == [0..<20] && report.sound == 20)
    let copied = try salvaged(directory)
    #expect(copied.texts == numbers(20..<40))
    #expect(copied.report.lost.map(\.sequences) == [0..<20], "\(copied.report)")
  }

  @Test func whatWasRemovedIsNotMissing() async throws {
    let directory = try await filled()
    do {
      let storage = try open(directory)
      defer { storage.close() }
      try await storage.removeRecords(before: 20, from: "log")
    }
    let storage = try open(directory, .readOnly)
    defer { storage.close() }
    #expect(try storage.log("log").details.damage == nil)
    #expect(try storage.log("log").details.path.hasSuffix(log(20)))
    #expect(try Storage.repair("log", in: directory.path).isHealthy)
    #expect(try salvaged(directory).report.lost.isEmpty)
  }

  @Test(arguments: [true, false]) func aLogWhoseFilesAreAllGoneIsReported(keepsCompanions: Bool) async throws {
    let directory = try await filled()
    for first in [0, 10, 20, 30] {
      try directory.remove(log(first))
      if !keepsCompanions { try directory.remove(companion(first)) }
    }
    for applying in [true, false] {
      let error = #expect(throws: ImmutaError.self) {
        try Storage.repair("log", in: directory.path, applying: applying)
      }
      #expect(error.map { "\($0)" }?.contains("missing") == true)
    }
    #expect(throws: ImmutaError.self) { try salvaged(directory) }
    #expect(throws: ImmutaError.self) { try open(directory) }
  }

  @Test func aCompanionWithoutItsLogIsReported() async throws {
    let directory = try await filled()
    // The newest is known to be the one before.
    let bytes = try directory.bytes(of: companion(30))
    var header = try #require(bytes.withUnsafeBytes { unsafe CompanionHeader.current(in: $0) })
    header.firstSequence = 40
    header.generation += 1
    var orphan = bytes
    orphan.replaceSubrange(header.slotOffset..<header.slotOffset + CompanionHeader.slotSize, with: header.encoded())
    try directory.write(orphan, to: companion(40))
    #expect(throws: ImmutaError.self) { try open(directory) }
    let report = try Storage.repair("log", in: directory.path)
    #expect(!report.isHealthy && report.problems.count == 1 && report.sound == 40, "\(report)")
    let storage = try open(directory, .readOnly)
    defer { storage.close() }
    await #expect(throws: ImmutaError.self) { try await storage.log("log").verify() }
    #expect(try storage.log("log").records(in: 0..<40).map(\.text) == numbers(0..<40))
  }

  // MARK: What does not belong

  @Test func aFolderInTheNextSegmentsPlaceIsReported() async throws {
    let directory = try await filled()
    _ = try directory.subdirectory("log.segments/next.log")
    let error = #expect(throws: ImmutaError.self) { try open(directory) }
    #expect(error.map { "\($0)" }?.contains("a folder has the name") == true)
    #expect(try Storage.repair("log", in: directory.path).problems.count == 1)
    let storage = try open(directory, .readOnly)
    defer { storage.close() }
    await #expect(throws: ImmutaError.self) { try await storage.log("log").verify() }
  }

  @Test func somethingElseInTheFirstSegmentsPlaceIsNotFollowed() async throws {
    for isLink in [true, false] {
      let directory = try await filled()
      if isLink {
        try FileManager.default.moveItem(atPath: directory.file(log(0)), toPath: directory.file("else"))
        try FileManager.default.createSymbolicLink(atPath: directory.file(log(0)), withDestinationPath: "else")
      } else {
        try directory.remove(log(0))
        _ = try directory.subdirectory(log(0))
      }
      let report = try Storage.repair("log", in: directory.path)
      #expect(report.lost.map(\.sequences) == [0..<10] && report.problems.count == 1, "\(report)")
      #expect(try salvaged(directory).texts == numbers(10..<40))
      let storage = try open(directory, .readOnly)
      defer { storage.close() }
      #expect(try storage.log("log").details.damage?.path.hasSuffix("log.log") == true)
      #expect(try storage.log("log").records(in: 10..<40).map(\.text) == numbers(10..<40))
    }
  }

  enum Stray: CaseIterable, Sendable { case copy, copyWithCompanion, empty, ofAnotherLog, unnamed }

  @Test(arguments: Stray.allCases) func aFileAfterTheEndIsNotTakenForTheNewestSegment(stray: Stray) async throws {
    let directory = try await filled()
    let place = stray == .empty || stray == .unnamed ? 100 : 40
    switch stray {
    case .copy: try directory.write(directory.bytes(of: log(30)), to: log(place))
    case .copyWithCompanion:
      try directory.write(directory.bytes(of: log(30)), to: log(place))
      try directory.write(directory.bytes(of: companion(30)), to: companion(place))
    case .empty: for file in [log(place), companion(place)] { try directory.write([], to: file) }
    case .ofAnotherLog, .unnamed:
      let other = stray == .unnamed ? directory : try await filled()
      let bytes = try other.bytes(of: companion(30))
      var header = try #require(bytes.withUnsafeBytes { unsafe CompanionHeader.current(in: $0) })
      header.firstSequence = stray == .unnamed ? CompanionHeader.unnamedFirst : place
      if stray == .unnamed { (header.stableCount, header.mark) = (0, .open) }
      header.generation += 1
      var made = stray == .unnamed ? Array(bytes.prefix(CompanionHeader.size)) : bytes
      made.replaceSubrange(header.slotOffset..<header.slotOffset + CompanionHeader.slotSize, with: header.encoded())
      try directory.write(made, to: companion(place))
      try directory.write(
        stray == .unnamed ? [UInt8](repeating: 0, count: 16) : other.bytes(of: log(30)), to: log(place))
    }
    let error = #expect(throws: ImmutaError.self) { try open(directory) }
    #expect(error.map { "\($0)" }?.contains(log(place)) == true, "\(error.map { "\($0)" } ?? "")")
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.sound == 40 && report.promised == 40 && report.problems.count >= 1 && !report.isHealthy, "\(report)")
    #expect(try salvaged(directory).texts == numbers(0..<40))
    do {
      let storage = try open(directory, .readOnly)
      defer { storage.close() }
      let log = try storage.log("log")
      #expect(log.count == 40)
      #expect(try log.records(in: 0..<40).map(\.text) == numbers(0..<40))
      let failure = await #expect(throws: ImmutaError.self) { try await log.verify() }
      #expect(failure.map { "\($0)" }?.contains(self.log(place)) == true, "\(failure.map { "\($0)" } ?? "")")
    }
    // Once it is gone, all is well.
    for file in [log(place), companion(place)] { try? directory.remove(file) }
    let storage = try open(directory)
    defer { storage.close() }
    #expect(try await storage.log("log").append("40").sequence == 40)
  }

  @Test func aFileBetweenTheSegmentsIsLeftOut() async throws {
    let directory = try await filled()
    try directory.write(directory.bytes(of: log(30)), to: log(15))
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(report.sound == 40 && report.actions.isEmpty && report.problems.count == 1, "\(report)")
    #expect(try salvaged(directory).texts == numbers(0..<40))
    for access in [Storage.Access.readOnly, .readWrite] {
      for first in [15, 19, 10, 0] {
        let storage = try open(directory, access)
        defer { storage.close() }
        let log = try storage.log("log")
        #expect(try await log.record(at: first).text == "\(first)")
        #expect(try log.records(in: first..<40).map(\.text) == numbers(first..<40))
      }
    }
  }

  /// A segment's log that has the number of another: its records must not get those numbers, and those that have them stay.
  @Test(arguments: [Storage.Access.readOnly, .readWrite]) func aSegmentUnderAnotherNumberIsMissingAndHidesNone(
    _ access: Storage.Access
  ) async throws {
    let directory = try await filled()
    try FileManager.default.moveItem(atPath: directory.file(log(20)), toPath: directory.file(log(15)))
    let storage = try open(directory, access)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(try await log.record(at: 15).text == "15")
    #expect(try log.records(in: 0..<20).map(\.text) == numbers(0..<20))
    #expect(await corruption { try await log.record(at: 20) }?.reason.code == .segmentMissing)
    #expect(await corruption { try await log.record(at: 25) }?.reason.code == .segmentMissing)
    #expect(try log.records(in: 30..<40).map(\.text) == numbers(30..<40))
    var stream = log.stream(from: .sequence(15))
    for number in 15..<20 { #expect(try stream.nextAtOnce()?.text == "\(number)") }
    #expect(throws: ImmutaError.self) { try stream.nextAtOnce() }
  }

  @Test(arguments: [10, 0]) func whatAnotherProgramAppendedToASealedSegmentIsNoRecord(first: Int) async throws {
    let directory = try await filled()
    let whole = try directory.bytes(of: log(first))
    let foreign: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0, 0x41]
    var bytes = whole + foreign
    bytes[0] = 11
    withUnsafeBytes(of: Int64(whole.count).littleEndian) {
      for (place, byte) in $0.enumerated() { bytes[8 + place] = byte }
    }
    try directory.write(bytes, to: log(first))
    let copied = try salvaged(directory)
    #expect(copied.texts == numbers(0..<40) && copied.report.problems.count == 1, "\(copied.report)")
    let found = try Storage.repair("log", in: directory.path)
    #expect(!found.isHealthy && found.promised == 40 && found.sound == 40, "\(found)")
    #expect(
      found.actions.contains(.inSegment(first: first, .cutOffAppended(bytes: 9, from: whole.count, count: 1))),
      "\(found)")
    let done = try Storage.repair("log", in: directory.path, applying: true)
    #expect(try done.saved.contains { try [UInt8](Data(contentsOf: URL(filePath: $0))) == foreign })
    #expect(try directory.bytes(of: log(first)) == whole)
    let storage = try open(directory)
    defer { storage.close() }
    #expect(try await storage.verify("log").records == 40)
  }

  // MARK: Left over

  @Test func whatARemovalLeftCountsNoMore() async throws {
    let directory = try await filled()
    let files = try directory.tree()
    do {
      let storage = try open(directory)
      defer { storage.close() }
      try await storage.removeRecords(before: 20, from: "log")
    }
    // As if the removal had been cut off: a part of it, and not even in order.
    for file in [log(10), companion(10), companion(0)] { try directory.write(try #require(files[file]), to: file) }
    let report = try Storage.repair("log", in: directory.path)
    #expect(report.isHealthy && report.promised == 20, "\(report)")
    #expect(try salvaged(directory).texts == numbers(20..<40))
    do {
      let storage = try open(directory, .readOnly)
      defer { storage.close() }
      let details = try storage.log("log").details
      #expect(details.segmentCount == 2 && details.damage == nil && details.firstSequence == 20)
      #expect(try await storage.verify("log").records == 20)
    }
    try open(directory).close()
    #expect(!directory.exists(log(10)) && !directory.exists(companion(10)) && !directory.exists(companion(0)))
  }

  // MARK: Removing the log

  /// A removal that dies at any of its calls: the whole log is there, or none.
  @Test(arguments: [false, true]) func aRemovalThatIsCutOffLeavesTheWholeLogOrNone(isTrimmed: Bool) async throws {
    let example = try await filled()
    if isTrimmed {
      let storage = try open(example)
      defer { storage.close() }
      try await storage.removeRecords(before: 10, from: "log")
    }
    let files = try example.tree()
    let expected = numbers((isTrimmed ? 10 : 0)..<40)
    var (whole, gone) = (0, 0)
    for number in 1... {
      let directory = TemporaryDirectory(inMemory: true)
      _ = try directory.subdirectory("log.segments")
      for (name, bytes) in files { try directory.write(bytes, to: name) }
      let remover = try Storage(directory: directory.path, namespaces: ["other"])
      defer { remover.close() }
      let injector = FaultInjector(directory: directory.path, .error(ErrorNumber.ioError), at: number, lasting: true)
      let isDone = SystemCalls.withHook(injector) { (try? remover.remove("log")) != nil }
      let isListed = try Storage.namespaces(in: directory.path).contains("log")
      if isListed {
        whole += 1
        #expect(try Storage.repair("log", in: directory.path).isHealthy, "call \(number)")
        let storage = try open(directory, .readOnly)
        defer { storage.close() }
        let log = try storage.log("log")
        #expect(try log.records(in: log.firstSequence..<log.count).map(\.text) == expected, "call \(number)")
      } else {
        gone += 1
        #expect(throws: ImmutaError.namespaceNotFound("log")) { try open(directory, .readOnly).close() }
        #expect(throws: ImmutaError.self) { try Storage.repair("log", in: directory.path) }
        // The next one finishes it, one way or the other.
        if number % 2 == 0, !isDone {
          do throws(ImmutaError) { try remover.remove("log") } catch { #expect(error == .namespaceNotFound("log")) }
          #expect(try directory.tree().keys.filter { $0.hasPrefix("log") } == [], "call \(number)")
        } else {
          let storage = try open(directory)
          defer { storage.close() }
          let log = try storage.log("log")
          #expect(log.count == 0 && log.firstSequence == 0, "call \(number)")
          try await log.append("new")
          #expect(!directory.exists("log.segments.removed") && !directory.exists("log.meta"))
        }
      }
      if injector.injected == 0 { break }
    }
    #expect(whole > 3 && gone > 10)
  }
}
