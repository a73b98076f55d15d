import ImmutaTestSupport
import Testing

@testable import Immuta

/// Which segments a log need not keep: decided without a file.
@Suite struct RetentionPlanTests {
  /// Segments of ten records each, with 100 bytes and one second each; the newest has five.
  private let plan = RetentionPlan(firsts: [20, 30, 40], newest: 50, count: 55)

  private func first(_ retention: Retention, at second: Int = 100, knownUpTo end: Int = .max) throws -> Int? {
    try plan.firstToKeep(retention, now: Int64(second) * 1_000_000_000) { _ in
      100
    } lastTime: { last in
      last > end ? nil : Int64(last) * 1_000_000_000
    }
  }

  @Test(
    arguments: [(19, nil), (29, nil), (30, 30), (39, 30), (40, 40), (50, 50), (55, 50), (1000, 50)] as [(Int, Int?)])
  func recordsBeforeANumberGoWithWholeSegments(number: Int, first: Int?) {
    #expect(plan.firstToKeep(before: number) == first)
  }

  @Test(arguments: [(35, nil), (34, 30), (25, 30), (24, 40), (15, 40), (14, 50), (5, 50), (1, 50)] as [(Int, Int?)])
  func noMoreRecordsAreKeptThanTheLimit(most: Int, first: Int?) throws {
    #expect(try self.first(Retention(maximumRecords: most)) == first)
  }

  @Test(arguments: [(400, nil), (399, 30), (300, 30), (299, 40), (100, 50), (1, 50)] as [(Int, Int?)])
  func noMoreBytesAreKeptThanTheLimit(most: Int, first: Int?) throws {
    #expect(try self.first(Retention(maximumBytes: most)) == first)
  }

  @Test(arguments: [(70, nil), (69, 30), (60, 30), (59, 40), (50, 40), (49, 50), (1, 50)] as [(Int, Int?)])
  func aSegmentGoesOnceItsLastRecordIsTooOld(seconds: Int, first: Int?) throws {
    #expect(try self.first(Retention(maximumAge: .seconds(seconds))) == first)
  }

  @Test func aSegmentWhoseTimeNobodyKnowsIsKept() throws {
    #expect(try first(Retention(maximumAge: .seconds(1)), knownUpTo: 30) == 30)
    #expect(try first(Retention(maximumAge: .seconds(1)), knownUpTo: 0) == nil)
  }

  @Test func ofSeveralLimitsTheNarrowestCounts() throws {
    #expect(try first(Retention(maximumBytes: 399, maximumAge: .seconds(59), maximumRecords: 100)) == 40)
    #expect(try first(Retention()) == nil)
  }

  @Test func aLogOfOneSegmentKeepsIt() throws {
    let plan = RetentionPlan(firsts: [], newest: 0, count: 10)
    #expect(plan.firstToKeep(before: 10) == nil)
    #expect(
      try plan.firstToKeep(Retention(maximumRecords: 1), now: 0) { _ in
        0
      } lastTime: { _ in
        nil
      } == nil)
  }

  // MARK: What is said beforehand, and what is done

  @Test(arguments: [1, 7, 20, 60, 99, 100]) func whatIsSaidToGoIsWhatGoes(records: Int) async throws {
    let directory = TemporaryDirectory()
    let storage = try SegmentedLogTests.open(directory, maximumBytes: 150)
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<100 { try await log.append("\(number)") }
    let following = try SegmentedLogTests.open(directory, access: .readOnly)
    let said = try following.log("log").removable(by: Retention(maximumRecords: records))
    following.close()
    #expect(try log.removable(by: Retention(maximumRecords: records)).map(\.records) == said.map(\.records))
    #expect(log.firstSequence == 0, "nothing goes by being looked at")
    storage.close()
    let keeping = try SegmentedLogTests.open(directory, retention: Retention(maximumRecords: records))
    defer { keeping.close() }
    try await keeping.log("log").roll()
    let first = said.last?.records.upperBound ?? 0
    // The newest of before is none any more.
    let last = try keeping.log("log")
    #expect(await eventually { last.firstSequence >= first })
    #expect(said.map(\.records.lowerBound) == said.indices.map { $0 == 0 ? 0 : said[$0 - 1].records.upperBound })
  }

  @Test func aSegmentThatIsTakenIsTheOnlyOneThatIsMade() async throws {
    let directory = TemporaryDirectory()
    let storage = try SegmentedLogTests.open(directory, maximumBytes: 1 << 20)
    defer { storage.close() }
    let log = try storage.log("log")
    try await log.append("0")
    let roller = try #require(log.writer).roller
    let descriptor = try log.reader.anyDescriptor()
    let next = try roller.takeNext(like: descriptor)
    // It would be made under the same names.
    #expect(!roller.wantsNext())
    next.abandon(log.files)
    roller.endTaking()
    #expect(roller.wantsNext())
    roller.noteMade(try roller.maker.make(like: descriptor))
    try await log.roll()
    #expect(try await log.append("1").index == 16)
  }

  @Test func aLogBeginsWithTheNumberOfTheOneItIsACopyOf() async throws {
    let directory = TemporaryDirectory()
    for format in [LogFormat.v1, .v2] {
      var configuration = Storage.Configuration()
      configuration.format = format
      try Storage.begin("\(format)", at: 1000, in: directory.path, configuration)
      #expect(throws: ImmutaError.duplicateNamespace("\(format)")) {
        try Storage.begin("\(format)", at: 1000, in: directory.path, configuration)
      }
      for number in 1000..<1003 {
        let storage = try Storage(directory: directory.path, namespaces: ["\(format)"])
        let log = try storage.log("\(format)")
        #expect(log.firstSequence == 1000 && log.count == number)
        #expect(try await log.append("\(number)").sequence == number)
        #expect(try await log.verify().records == number - 999)
        await #expect(throws: ImmutaError.recordRemoved(sequence: 999, first: 1000)) { try await log.record(at: 999) }
        storage.close()
      }
      #expect(try Storage.repair("\(format)", in: directory.path).isHealthy)
    }
    #expect(try Storage.namespaces(in: directory.path) == ["v1", "v2"])
  }
}
