import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// A log that rolls is one log: its numbers, its readers and its promises go on over its segments.
@Suite(.timeLimit(.minutes(3))) struct SegmentedLogTests {
  /// A storage whose one log begins another segment after so many bytes.
  static func open(
    _ directory: TemporaryDirectory, maximumBytes: Int? = nil, retention: Retention = Retention(),
    _ durability: Durability = .buffered, access: Storage.Access = .readWrite, format: LogFormat? = nil,
    age: Duration? = nil
  ) throws -> Storage {
    var configuration = Storage.Configuration(durability: durability)
    configuration.segments = SegmentLimits(maximumBytes: maximumBytes, maximumAge: age)
    configuration.retention = retention
    configuration.access = access
    configuration.format = format
    return try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
  }

  private func open(
    _ directory: TemporaryDirectory, maximumBytes: Int? = nil, retention: Retention = Retention(),
    _ durability: Durability = .buffered, access: Storage.Access = .readWrite
  ) throws -> Storage {
    try Self.open(directory, maximumBytes: maximumBytes, retention: retention, durability, access: access)
  }

  /// The names of the files in the folder of segments.
  private func folder(_ directory: TemporaryDirectory) throws -> [String] {
    let path = directory.file("log.segments")
    guard FileManager.default.fileExists(atPath: path) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }

  private func name(_ first: Int) -> String { String(repeating: "0", count: 20 - "\(first)".count) + "\(first)" }

  /// Gives both files of a segment in the folder another name.
  private func rename(_ segment: String, to newName: String, in directory: TemporaryDirectory) throws {
    for suffix in [".log", ".idx"] {
      try FileManager.default.moveItem(
        atPath: directory.file("log.segments/\(segment)\(suffix)"),
        toPath: directory.file("log.segments/\(newName)\(suffix)"))
    }
  }

  private func texts(_ log: Log, from first: Int = 0) throws -> [String] {
    try log.records(in: first..<log.count).map(\.text)
  }

  private func numbers(_ range: Range<Int>) -> [String] { range.map(String.init) }

  // MARK: Rolling

  /// Whoever waits for the next record is woken where its entry would be: which may be behind all that was reserved.
  @Test(arguments: [LogFormat.v1, .v2, .bilog])
  func itRollsWhereTheCompanionIsFullToItsLastByte(format: LogFormat) async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let storage = try Self.open(directory, format: format)
    defer { storage.close() }
    let log = try storage.log("log")
    // Pages of 4,096 bytes hold so many entries of 24.
    for count in [170, 341, 512, 682, 853, 1_024] {
      try await log.append(contentsOf: (0..<count).map(String.init))
      try await log.roll()
    }
    #expect(try await log.verify().records == 170 + 341 + 512 + 682 + 853 + 1_024)
  }

  @Test func rollingGoesOnInAFileOfItsOwn() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try open(directory)
      defer { storage.close() }
      let log = try storage.log("log")
      for number in 0..<5 { try await log.append("\(number)") }
      try await log.roll()
      let receipt = try await log.append("5")
      #expect(receipt.sequence == 5)
      #expect(receipt.index == 16, "byte offsets are those of the segment")
      #expect(log.count == 6)
      #expect(log.firstSequence == 0)
      #expect(try texts(log) == numbers(0..<6))
      #expect(try await log.record(at: 2).text == "2")
      #expect(try await log.record(at: 5).text == "5")
      #expect(try await log.verify().records == 6)
    }
    #expect(try folder(directory) == ["\(name(5)).idx", "\(name(5)).log"])
    #expect(try directory.bytes(of: "log.log")[..<8] == [5, 0, 0, 0, 0, 0, 0, 0])
    #expect(try directory.bytes(of: "log.segments/\(name(5)).log")[..<8] == [1, 0, 0, 0, 0, 0, 0, 0])
    let storage = try open(directory)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(log.count == 6)
    try await log.append("6")
    #expect(try texts(log) == numbers(0..<7))
  }

  @Test func anEmptySegmentIsNotFollowedByAnother() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory)
    defer { storage.close() }
    let log = try storage.log("log")
    try await log.roll()
    #expect(try folder(directory).isEmpty)
    try await log.append("0")
    try await log.roll()
    try await log.roll()
    #expect(try folder(directory).filter { $0.hasSuffix(".log") } == ["\(name(1)).log"])
  }

  @Test(arguments: [Durability.buffered, .synced, .interval(.milliseconds(5))])
  func aLogRollsBySize(durability: Durability) async throws {
    let directory = TemporaryDirectory()
    let payloads = (0..<300).map { pattern(Int($0) * 7 % 900, seed: $0) }
    do {
      let storage = try open(directory, maximumBytes: 4096, durability)
      let log = try storage.log("log")
      for payload in payloads { try await log.append(payload) }
      #expect(try log.records(in: 0..<300).map { Array($0.payload) } == payloads)
      storage.close()
    }
    let logs = try folder(directory).filter { $0.hasSuffix(".log") }
    #expect(logs.count > 20)
    for file in logs.map({ "log.segments/\($0)" }) + ["log.log"] where try directory.bytes(of: file).count > 4096 {
      Issue.record("\(file) is larger than a segment may be")
    }
    let storage = try open(directory, access: .readOnly)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(log.count == 300)
    #expect(try log.records(in: 0..<300).map { Array($0.payload) } == payloads)
    #expect(try await log.verify().records == 300)
    #expect(try log.details.segmentCount == logs.count + 1)
  }

  @Test func aRecordThatIsLargerThanASegmentHasOneOfItsOwn() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory, maximumBytes: 1000)
    defer { storage.close() }
    let log = try storage.log("log")
    let payloads = [pattern(5000, seed: 1), pattern(10, seed: 2), pattern(3 << 20, seed: 3), pattern(0, seed: 4)]
    for payload in payloads { try await log.append(payload) }
    #expect(try log.records(in: 0..<4).map { Array($0.payload) } == payloads)
    #expect(try log.details.segmentCount == 4)
  }

  @Test func aTransactionLiesInOneSegment() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory, maximumBytes: 500)
    defer { storage.close() }
    let log = try storage.log("log")
    for round in 0..<10 {
      try await log.transaction { transaction in
        for number in 0..<20 {
          try await transaction.append("\(round * 20 + number)" + String(repeating: "x", count: 80))
        }
      }
    }
    #expect(log.count == 200)
    #expect(try log.details.segmentCount == 10)
    let logs = try folder(directory).filter { $0.hasSuffix(".log") && $0 != "next.log" }
    #expect(logs == (1..<10).map { "\(name($0 * 20)).log" })
  }

  @Test func manyTasksAppendWhileTheLogRolls() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory, maximumBytes: 2000)
    defer { storage.close() }
    let log = try storage.log("log")
    try await withThrowingTaskGroup { group in
      for task in 0..<8 {
        group.addTask { for number in 0..<200 { try await log.append("\(task) \(number)") } }
      }
      try await group.waitForAll()
    }
    #expect(log.count == 1600)
    let found = try texts(log)
    for task in 0..<8 {
      #expect(found.filter { $0.hasPrefix("\(task) ") } == (0..<200).map { "\(task) \($0)" })
    }
  }

  // MARK: Reading

  @Test func streamsReplayAndFollowOverSegments() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory, maximumBytes: 300)
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<50 { try await log.append("\(number)") }
    try await withThrowingTaskGroup { group in
      for start in [0, 7, 49, 50, 60] {
        group.addTask {
          var stream = log.stream(from: .skipping(start))
          var number = start
          while number < 400 {
            let record = try #require(try await stream.next(timeout: .seconds(60)))
            #expect(record.sequence == number && record.text == "\(number)")
            number += 1
          }
        }
      }
      for number in 50..<400 {
        try await log.append("\(number)")
        if number % 10 == 0 { try await Task.sleep(for: .milliseconds(1)) }
      }
      try await group.waitForAll()
    }
  }

  @Test func aStreamOfLatestGoesOnAcrossARoll() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory)
    defer { storage.close() }
    let log = try storage.log("log")
    try await log.append("0")
    try await log.roll()
    var stream = log.stream(from: .latest)
    #expect(try await stream.next(timeout: .milliseconds(1)) == nil)
    try await log.append("1")
    #expect(try await stream.next(timeout: .seconds(10))?.text == "1")
    try await log.roll()
    #expect(try await stream.next(timeout: .milliseconds(1)) == nil)
    try await log.append("2")
    #expect(try await stream.next(timeout: .seconds(10))?.text == "2")
  }

  @Test func durableStreamsSeeWhatIsFlushedInEverySegment() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory, maximumBytes: 200)
    defer { storage.close() }
    let log = try storage.log("log")
    var stream = log.stream(from: .beginning, only: .durable)
    for number in 0..<100 { try await log.append("\(number)") }
    try await log.sync()
    for number in 0..<100 { #expect(try await stream.next(timeout: .seconds(10))?.text == "\(number)") }
    #expect(try log.details.stableCount == 100)
  }

  @Test(arguments: [LogFormat.v1, .v2, .bilog]) func everyFormatRolls(format: LogFormat) async throws {
    let directory = TemporaryDirectory()
    for round in 0..<3 {
      let storage = try Self.open(directory, maximumBytes: 300, format: format)
      let log = try storage.log("log")
      #expect(log.count == round * 100)
      for number in round * 100..<round * 100 + 100 { try await log.append("\(number)") }
      #expect(try texts(log) == numbers(0..<log.count))
      storage.close()
    }
    let reading = try Self.open(directory, access: .readOnly, format: format)
    defer { reading.close() }
    let log = try reading.log("log")
    #expect(try texts(log) == numbers(0..<300))
    #expect(try await log.verify().records == 300)
  }

  @Test func everySegmentIsVerifiedWhicheverIsDoneFirst() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory)
    defer { storage.close() }
    let log = try storage.log("log")
    // Those that are verified beside the first are done long before it.
    for number in 0..<24 {
      try await log.append(pattern(number == 0 ? 16 << 20 : 10, seed: number))
      try await log.roll()
    }
    for _ in 0..<5 { #expect(try await log.verify().records == 24) }
  }

  // MARK: Removing

  @Test func wholeSegmentsAreRemovedFromTheFront() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory)
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<30 {
      try await log.append("\(number)")
      if number % 10 == 9, number < 29 { try await log.roll() }
    }
    let held = try await log.record(at: 3)
    var standing = log.stream(from: .skipping(5))
    #expect(try await log.removeRecords(before: 9) == 0, "it has record 9")
    #expect(try await log.removeRecords(before: 15) == 10)
    #expect(log.firstSequence == 10 && log.count == 30)
    #expect(!directory.exists("log.log") && !directory.exists("log.idx"))
    #expect(held.text == "3")
    await #expect(throws: ImmutaError.recordRemoved(sequence: 5, first: 10)) { try await standing.next() }
    await #expect(throws: ImmutaError.recordRemoved(sequence: 0, first: 10)) { try await log.record(at: 0) }
    #expect(throws: ImmutaError.recordRemoved(sequence: 3, first: 10)) { try log.records(in: 3..<12) }
    #expect(try texts(log, from: 10) == numbers(10..<30))
    var stream = log.stream(from: .beginning)
    #expect(try await stream.next()?.sequence == 10)
    #expect(try await log.removeRecords(before: 30) == 20, "the newest segment stays")
    #expect(try await log.verify().records == 10)
    let details = try log.details
    #expect(details.firstSequence == 20 && details.count == 30 && details.segmentCount == 1)
    #expect(details.firstTimestamp != nil)
  }

  @Test func whatWasRemovedStaysRemoved() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try open(directory, maximumBytes: 100)
      defer { storage.close() }
      let log = try storage.log("log")
      for number in 0..<100 { try await log.append("\(number)") }
      #expect(try await log.removeRecords(before: 50) > 40)
    }
    for access in [Storage.Access.readOnly, .readWrite] {
      let storage = try open(directory, access: access)
      defer { storage.close() }
      let log = try storage.log("log")
      #expect(log.firstSequence > 40 && log.firstSequence <= 50)
      #expect(try texts(log, from: log.firstSequence) == numbers(log.firstSequence..<100))
      await #expect(throws: ImmutaError.recordRemoved(sequence: 0, first: log.firstSequence)) {
        try await log.record(at: 0)
      }
    }
  }

  @Test func aLogKeepsWhatItsLimitsAllow() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory, maximumBytes: 1000, retention: Retention(maximumBytes: 5000))
    let log = try storage.log("log")
    for number in 0..<500 { try await log.append("\(number)" + String(repeating: "x", count: 80)) }
    storage.close()
    let reopened = try open(directory, maximumBytes: 1000, retention: Retention(maximumRecords: 20))
    defer { reopened.close() }
    let again = try reopened.log("log")
    #expect(again.firstSequence > 400)
    #expect(try again.details.byteCount <= 7000)
    for number in 500..<550 { try await again.append("\(number)" + String(repeating: "x", count: 80)) }
    // It is done beside the appends.
    #expect(await eventually { again.count - again.firstSequence <= 30 })
    // More may go between asking which is the first and reading it.
    let isReadFromFirst = await eventually {
      let first = again.firstSequence
      return (try? texts(again, from: first).first?.hasPrefix("\(first)x")) == true
    }
    #expect(isReadFromFirst)
  }

  @Test func recordsGoWhenTheyAreTooOld() async throws {
    let directory = TemporaryDirectory()
    let storage = try Self.open(
      directory, retention: Retention(maximumAge: .milliseconds(300)), age: .milliseconds(100))
    defer { storage.close() }
    let log = try storage.log("log")
    try await log.append("0")
    // Nothing is appended: the log rolls by itself, once, and what is too old goes.
    #expect(await eventually { log.firstSequence == 1 })
    #expect(try folder(directory).filter { $0.hasSuffix(".log") && $0 != "next.log" } == ["\(name(1)).log"])
    try await log.append("1")
    #expect(try texts(log, from: 1) == ["1"])
  }

  // MARK: Damage

  @Test func aSegmentThatIsMissingIsNamedAndTheRestIsRead() async throws {
    let directory = TemporaryDirectory()
    try await Self.fill(directory)
    try directory.remove("log.segments/\(name(10)).log")
    try directory.remove("log.segments/\(name(10)).idx")
    for access in [Storage.Access.readOnly, .readWrite] {
      let storage = try open(directory, access: access)
      defer { storage.close() }
      let log = try storage.log("log")
      #expect(try await log.record(at: 9).text == "9")
      #expect(try await log.record(at: 20).text == "20")
      let error = await #expect(throws: ImmutaError.self) { try await log.record(at: 12) }
      #expect(error.map { "\($0)" }?.contains("records 10 to 19") == true, "\(error.map { "\($0)" } ?? "")")
      await #expect(throws: ImmutaError.self) { try await log.verify() }
    }
  }

  @Test(arguments: [
    ["log.segments"], ["log.segments/00000000000000000030.log", "log.segments/00000000000000000030.idx"],
  ])
  func aNewestSegmentThatIsMissingIsNoticed(gone: [String]) async throws {
    let directory = TemporaryDirectory()
    try await Self.fill(directory)
    for name in gone { try directory.remove(name) }
    #expect(throws: ImmutaError.self) { try open(directory) }
    let report = try Storage.repair("log", in: directory.path)
    #expect(report.lost.last.map { $0.sequences.contains(30) && $0.reason == .segmentMissing } == true)
    let reading = try open(directory, access: .readOnly)
    defer { reading.close() }
    let log = try reading.log("log")
    #expect(try await log.record(at: 3).text == "3")
    await #expect(throws: ImmutaError.self) { try await log.verify() }
  }

  @Test func aMissingSegmentCostsNoOtherWhereTheLogWasNotClosed() async throws {
    let directory = TemporaryDirectory()
    let copy = TemporaryDirectory()
    do {
      let storage = try open(directory)
      defer { storage.close() }
      let log = try storage.log("log")
      for number in 0..<40 {
        try await log.append("\(number)")
        if number % 10 == 9, number < 39 { try await log.roll() }
      }
      // Sealed segments say so in one of the two slots.
      #expect(
        await eventually {
          let header = try? directory.bytes(of: "log.segments/\(name(20)).idx")
          return header.map { $0[13] == 1 || $0[2048 + 13] == 1 } == true
        })
      // As a process leaves it that is killed.
      try FileBytes.copy(directory: directory.path, to: copy.path)
    }
    for suffix in [".log", ".idx"] { try copy.remove("log.segments/\(name(20))\(suffix)") }
    let storage = try open(copy)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(log.count == 40)
    #expect(try await log.append("40").sequence == 40)
    #expect(try await log.record(at: 35).text == "35")
    await #expect(throws: ImmutaError.self) { try await log.record(at: 25) }
  }

  @Test func segmentsThatChangedPlacesAreNoticed() async throws {
    let directory = TemporaryDirectory()
    try await Self.fill(directory)
    try rename(name(10), to: "x", in: directory)
    try rename(name(20), to: name(10), in: directory)
    try rename("x", to: name(20), in: directory)
    let storage = try open(directory)
    defer { storage.close() }
    let log = try storage.log("log")
    for number in [10, 20] {
      let error = await #expect(throws: ImmutaError.self) { try await log.record(at: number) }
      #expect(error.map { "\($0)" }?.contains("moved or renamed") == true, "\(error.map { "\($0)" } ?? "")")
    }
    #expect(try await log.record(at: 30).text == "30")
  }

  @Test func aSegmentWithoutItsCompanionIsReadByItsSizeFields() async throws {
    let directory = TemporaryDirectory()
    try await Self.fill(directory)
    try directory.remove("log.segments/\(name(10)).idx")
    let storage = try open(directory)
    defer { storage.close() }
    #expect(try texts(storage.log("log")) == numbers(0..<40))
  }

  @Test func aSealedSegmentWhoseHeaderCountsTooManyIsNoticed() async throws {
    let directory = TemporaryDirectory()
    try await Self.fill(directory)
    let file = "log.segments/\(name(10)).log"
    var bytes = try directory.bytes(of: file)
    bytes[0] = 127
    try directory.write(bytes, to: file)
    let storage = try open(directory)
    defer { storage.close() }
    await #expect(throws: ImmutaError.self) { try await storage.log("log").verify() }
  }

  @Test func aSegmentThatLostItsCompanionIsNotDamagedByItsTimes() async throws {
    let directory = TemporaryDirectory()
    try await Self.fill(directory)
    for file in ["log.idx", "log.segments/\(name(20)).idx"] { try directory.remove(file) }
    let storage = try open(directory, access: .readOnly)
    defer { storage.close() }
    let report = try await storage.log("log").verify()
    #expect(report.records == 40 && report.verifiable == 20)
  }

  @Test func whatAnotherProgramAppendsToASealedSegmentIsNoticed() async throws {
    let directory = TemporaryDirectory()
    try await Self.fill(directory)
    let file = "log.segments/\(name(10)).log"
    var bytes = try directory.bytes(of: file)
    let index = bytes.count
    bytes += [1, 0, 0, 0, 0, 0, 0, 0, 0x41]
    bytes[0] = 11
    withUnsafeBytes(of: Int64(index).littleEndian) { for (place, byte) in $0.enumerated() { bytes[8 + place] = byte } }
    try directory.write(bytes, to: file)
    let storage = try open(directory, access: .readOnly)
    defer { storage.close() }
    let error = await #expect(throws: ImmutaError.self) { try await storage.log("log").record(at: 12) }
    #expect(error.map { "\($0)" }?.contains("another program") == true, "\(error.map { "\($0)" } ?? "")")
  }

  @Test(arguments: [Storage.Access.readOnly, .readWrite])
  func whatIsSaidToBeRemovedIsNeverTheNewestSegment(access: Storage.Access) async throws {
    let directory = TemporaryDirectory()
    try await Self.fill(directory)
    let file = "log.segments/\(name(30)).idx"
    var bytes = try directory.bytes(of: file)
    var header = try #require(bytes.withUnsafeBytes { unsafe CompanionHeader.current(in: $0) })
    header.removedCount = 1 << 40
    header.generation += 1
    bytes.replaceSubrange(header.slotOffset..<header.slotOffset + CompanionHeader.slotSize, with: header.encoded())
    try directory.write(bytes, to: file)
    let storage = try open(directory, access: access)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(log.firstSequence == 30 && log.count == 40)
    #expect(try log.details.verifiable == 10)
    #expect(try texts(log, from: 30) == numbers(30..<40))
  }

  @Test func repairGoesThroughAllSegments() async throws {
    let directory = TemporaryDirectory()
    try await Self.fill(directory)
    #expect(try Storage.repair("log", in: directory.path).isHealthy)
    let file = "log.segments/\(name(10)).log"
    var bytes = try directory.bytes(of: file)
    bytes[bytes.count - 1] ^= 0xFF
    try directory.write(bytes, to: file)
    try directory.remove("log.segments/\(name(20)).log")
    try directory.remove("log.segments/\(name(20)).idx")
    var entries = try directory.bytes(of: "log.segments/\(name(30)).idx")
    entries[4096 + 30] ^= 0xFF
    try directory.write(entries, to: "log.segments/\(name(30)).idx")
    let found = try Storage.repair("log", in: directory.path)
    #expect(found.actions == [.inSegment(first: 30, .makeEntries(1))])
    #expect(found.promised == 40 && found.sound == 29)
    #expect(found.lost.map(\.sequences) == [19..<20, 20..<30])
    let done = try Storage.repair("log", in: directory.path, applying: true)
    #expect(done.isApplied && done.saved.count > 0)
    let storage = try open(directory)
    defer { storage.close() }
    let log = try storage.log("log")
    for number in Array(0..<19) + Array(30..<40) { #expect(try await log.record(at: number).text == "\(number)") }
    await #expect(throws: ImmutaError.self) { try await log.record(at: 19) }
    await #expect(throws: ImmutaError.self) { try await log.record(at: 25) }
  }

  @Test func repairDoesNotGiveRecordsOtherNumbers() async throws {
    let directory = TemporaryDirectory()
    try await Self.fill(directory)
    try rename(name(10), to: name(5), in: directory)
    let report = try Storage.repair("log", in: directory.path, applying: true)
    #expect(!report.isApplied && report.actions.isEmpty && report.sound == 30, "\(report)")
    #expect(report.description.contains("moved or renamed") || report.problems.count == 1, "\(report)")
  }

  @Test func removingANamespaceRemovesItsSegments() async throws {
    let directory = TemporaryDirectory()
    try await Self.fill(directory)
    let storage = try open(directory)
    defer { storage.close() }
    try storage.remove("log")
    #expect(try directory.allFiles().isEmpty)
    let log = try storage.log("log", creating: true)
    #expect(log.count == 0 && log.firstSequence == 0)
  }

  /// A closed log with 40 records in four segments.
  static func fill(_ directory: TemporaryDirectory) async throws {
    let storage = try open(directory)
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<40 {
      try await log.append("\(number)")
      if number % 10 == 9, number < 39 { try await log.roll() }
    }
  }

  @Test func aLogWhoseRecordsWereAllRemovedIsEmptyAndNoError() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory)
    let log = try storage.log("log")
    for number in 0..<3 { try await log.append("a \(number)") }
    try await log.roll()
    #expect(try await log.removeRecords(before: 3) == 3)
    func check(_ log: Log) async throws {
      #expect((log.firstSequence, log.count) == (3, 3))
      var texts: [String] = []
      for try await record in log.history() { texts.append(record.text) }
      for try await record in log.history(from: .last(5)) { texts.append(record.text) }
      texts += try log.records(in: 3..<3).map(\.text)
      let keyed = try log.keyed("letter") { $0.text.first.map(String.init) }
      for try await record in keyed.records(of: "a") { texts.append(record.text) }
      #expect(try await keyed.keys.isEmpty)
      #expect(try await log.verify().records == 0)
      var stream = log.stream(from: .beginning)
      #expect(try stream.nextAtOnce() == nil)
      #expect(texts == [])
    }
    try await check(log)
    let reading = try open(directory, access: .readOnly)
    let followed = try reading.log("log")
    try await check(followed)
    reading.close()
    storage.close()
    let again = try open(directory)
    defer { again.close() }
    try await check(try again.log("log"))
    try await again.append("a 3", to: "log")
    var history = try again.log("log").history()
    #expect(try await history.next()?.sequence == 3)
    #expect(try await history.next() == nil)
  }

  // MARK: Followers

  @Test func aFollowerGoesOnOverRollsAndRemovals() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory)
    defer { storage.close() }
    let log = try storage.log("log")
    try await log.append("0")
    let reading = try open(directory, access: .readOnly)
    defer { reading.close() }
    let followed = try reading.log("log")
    var stream = followed.stream(from: .beginning)
    #expect(try await stream.next(timeout: .seconds(10))?.text == "0")
    for number in 1..<200 {
      if number % 7 == 0 { try await log.roll() }
      let next = Task { [stream] in
        var stream = stream
        return try await stream.next(timeout: .seconds(30))
      }
      if number % 3 == 0 { try await Task.sleep(for: .milliseconds(2)) }
      try await log.append("\(number)")
      #expect(try await next.value?.text == "\(number)")
      #expect(try await stream.next(timeout: .seconds(30))?.text == "\(number)")
    }
    #expect(followed.count == 200)
    let first = try await log.removeRecords(before: 100)
    #expect(first > 90)
    #expect(followed.firstSequence == first)
    await #expect(throws: ImmutaError.recordRemoved(sequence: 4, first: first)) { try await followed.record(at: 4) }
    #expect(try await followed.record(at: first).text == "\(first)")
  }

  /// Also right after it has looked: whoever is told of a record by other means finds it.
  @Test(arguments: LogFormat.allCases) func aFollowerThatAsksMissesNoRecordOverRolls(_ format: LogFormat) async throws {
    let directory = TemporaryDirectory(inMemory: true)
    var configuration = Storage.Configuration()
    configuration.format = format
    configuration.segments.maximumBytes = 200
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("log")
    configuration.access = .readOnly
    let reading = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    defer { reading.close() }
    let followed = try reading.log("log")
    var stream = followed.stream(from: .beginning)
    for number in 0..<500 {
      try await log.append("\(number)")
      if number % 7 == 0 { try await log.roll() }
      #expect(followed.count == number + 1)
      #expect(try stream.nextAtOnce()?.sequence == number)
    }
  }

  @Test func aFollowerOutlivesManyWriters() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([Array("0".utf8)])
    let reading = try open(directory, access: .readOnly)
    defer { reading.close() }
    var stream = try reading.log("log").stream(from: .beginning)
    #expect(try await stream.next(timeout: .seconds(10))?.text == "0")
    for round in 1..<40 {
      let storage = try open(directory, maximumBytes: 200)
      let log = try storage.log("log")
      if round % 3 == 0 { try await log.roll() }
      try await log.append("\(round)")
      storage.close()
      #expect(try await stream.next(timeout: .seconds(30))?.text == "\(round)")
    }
  }
}
