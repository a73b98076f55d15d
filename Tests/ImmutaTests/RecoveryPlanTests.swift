import Testing

@testable import Immuta

/// What opening, repair and those who only read do about a log is decided by what was found, without a look at the disk.
@Suite struct RecoveryPlanTests {
  // MARK: How the records are found

  private func companion(_ stable: Int, isClean: Bool, _ format: LogFormat = .v2) -> CompanionHeader {
    var header = CompanionHeader(format: format)
    (header.stableCount, header.mark) = (stable, isClean ? .closed : .open)
    return header
  }

  private struct CourseRow: CustomStringConvertible {
    var name: String
    /// Nil for none; and whether it says that the log was closed.
    var companion: (stable: Int, isClean: Bool)?
    /// Nil where the format has none.
    var header: LogHeader?
    var fileSize = 100
    var format = LogFormat.v2
    var course: RecoveryCourse

    var description: String { name }
  }

  private static let courses = [
    CourseRow(
      name: "closed", companion: (2, true), header: LogHeader(count: 2, lastIndex: 30), course: .closed(promised: 2)),
    CourseRow(
      name: "closed, and extended since", companion: (2, true), header: LogHeader(count: 3, lastIndex: 40),
      course: .closed(promised: 2)),
    CourseRow(
      name: "not closed", companion: (1, false), header: LogHeader(count: 2, lastIndex: 30), course: .crashed(stable: 1)
    ),
    CourseRow(
      name: "not closed, with a torn header", companion: (1, false), header: LogHeader(count: -7, lastIndex: 9_000),
      course: .crashed(stable: 1)),
    CourseRow(
      name: "closed, with a damaged header", companion: (2, true), header: LogHeader(count: -7, lastIndex: 30),
      course: .refused("COUNT is negative (-7)")),
    CourseRow(name: "no companion", header: LogHeader(count: 2, lastIndex: 30), course: .withoutCompanion(count: 2)),
    CourseRow(
      name: "no companion, LAST INDEX beyond the end", header: LogHeader(count: 2, lastIndex: 200),
      course: .refused("LAST INDEX is 200, beyond the end of the file at 100")),
    CourseRow(
      name: "more records than the file has room for", header: LogHeader(count: 11, lastIndex: 30),
      course: .refused("COUNT is 11, but 100 bytes hold at most 10 records")),
    CourseRow(name: "a partition without companion", format: .bilog, course: .withoutCompanion(count: nil)),
    CourseRow(
      name: "a partition that was closed", companion: (5, true), format: .bilog, course: .closed(promised: 5)),
    CourseRow(
      name: "a partition that was not closed", companion: (5, false), format: .bilog, course: .crashed(stable: 5)),
  ]

  @Test(arguments: courses.indices) func theHeadersSayHowTheRecordsAreFound(row: Int) {
    let row = Self.courses[row]
    let header = row.companion.map { companion($0.stable, isClean: $0.isClean, row.format) }
    #expect(RecoveryCourse(header, row.header, row.format, fileSize: row.fileSize) == row.course, "\(row)")
  }

  // MARK: What opening does

  /// A log of three records that ends at byte 100.
  private func outcome(
    _ entries: Reconciliation.Outcome.Entries, tail: Reconciliation.Outcome.Tail = .nothing
  ) -> Reconciliation.Outcome {
    var outcome = Reconciliation.Outcome(count: 3, end: 100, lastIndex: 80, lastTime: 5, entries: entries)
    outcome.tail = tail
    return outcome
  }

  private var making: Reconciliation.Outcome.Making {
    Reconciliation.Outcome.Making(start: Reconciliation.Cursor(walk: RecordWalk(.v2)), keptBelow: .max)
  }

  private let end = RecoveryPlan.Step.endLog(at: 100, LogHeader(count: 3, lastIndex: 80))

  private func steps(
    _ outcome: Reconciliation.Outcome, fileSize: Int = 100, _ format: LogFormat = .v2
  ) -> [RecoveryPlan.Step] {
    RecoveryPlan(opening: outcome, fileSize: fileSize, format).steps
  }

  @Test func nothingIsDoneToALogThatWasClosed() {
    #expect(steps(outcome(.closed)).isEmpty)
  }

  @Test func aCrashedLogIsCutAndItsCompanionMarked() {
    #expect(steps(outcome(.whole), fileSize: 4_096) == [.extendCompanion(keeping: 3), end, .markClosed])
  }

  @Test func entriesThatAreMissingAreAddedBeforeTheLogIsMarkedAsClosed() {
    #expect(
      steps(outcome(.extended(kept: 1, making)), fileSize: 100) == [.extendCompanion(keeping: 1), end, .markClosed])
  }

  @Test func aCompanionThatIsMadeAgainTakesItsPlaceOnceTheLogIsCut() {
    #expect(steps(outcome(.madeAgain(making)), fileSize: 120) == [.makeCompanion, end, .installCompanion])
  }

  @Test func aNewLogGetsACompanion() {
    #expect(RecoveryPlan.newLog.steps == [.makeCompanion, .installCompanion])
  }

  /// What may be somebody's records is copied, and the copy's name is stable, before it is cut off.
  @Test func whatIsWorthKeepingIsCopiedFirst() {
    #expect(
      steps(outcome(.whole, tail: .keptWhole), fileSize: 300)
        == [.saveTail(100..<300), .flushDirectory, .extendCompanion(keeping: 3), end, .markClosed])
    #expect(
      steps(outcome(.whole, tail: .kept(through: 150)), fileSize: 300)
        == [.saveTail(100..<150), .flushDirectory, .extendCompanion(keeping: 3), end, .markClosed])
    #expect(
      steps(outcome(.madeAgain(making), tail: .keptWhole), fileSize: 101)
        == [.saveTail(100..<101), .flushDirectory, .makeCompanion, end, .installCompanion])
  }

  @Test func theFormatSaysWhatTheHeaderHolds() {
    #expect(
      steps(outcome(.whole), .v1).contains(.endLog(at: 100, LogHeader(count: 3, lastIndex: nil))))
  }

  // MARK: What repair does

  private func repair(
    header: LogHeader?, fileSize: Int, hasCompanion: Bool, _ format: LogFormat = .v2
  ) -> [RecoveryPlan.Step] {
    RecoveryPlan(
      repairing: LogHeader(format, count: 3, lastIndex: 80), end: 100, header: header, fileSize: fileSize,
      hasCompanion: hasCompanion, format
    ).steps
  }

  @Test func repairCopiesWhateverItTakesAway() {
    let rest: [RecoveryPlan.Step] = [.flushDirectory, .makeCompanion, end, .installCompanion, .flushDirectory]
    let wanted = LogHeader(count: 3, lastIndex: 80)
    let other = LogHeader(count: 4, lastIndex: 100)
    #expect(repair(header: wanted, fileSize: 100, hasCompanion: false) == rest)
    #expect(repair(header: wanted, fileSize: 100, hasCompanion: true) == [.saveCompanion] + rest)
    #expect(repair(header: other, fileSize: 100, hasCompanion: true) == [.saveHeader, .saveCompanion] + rest)
    #expect(
      repair(header: wanted, fileSize: 130, hasCompanion: true)
        == [.saveHeader, .saveTail(100..<130), .saveCompanion] + rest)
    // A partition's file has no header.
    let partition = repair(header: nil, fileSize: 130, hasCompanion: false, .bilog)
    #expect(partition.first == .saveTail(100..<130) && !partition.contains(.saveHeader))
  }

  /// In every plan: copies first, the log is cut once its entries are written, and what says so comes last.
  @Test func everyPlanCanBeInterruptedBetweenItsSteps() throws {
    var plans = [
      repair(header: LogHeader(count: 9, lastIndex: 90), fileSize: 130, hasCompanion: true),
      repair(header: nil, fileSize: 130, hasCompanion: true, .bilog),
    ]
    for tail in [Reconciliation.Outcome.Tail.nothing, .keptWhole, .kept(through: 110)] {
      for entries in [Reconciliation.Outcome.Entries.whole, .extended(kept: 1, making), .madeAgain(making)] {
        plans.append(steps(outcome(entries, tail: tail), fileSize: 130))
      }
    }
    for plan in plans {
      let cut = try #require(plan.firstIndex { if case .endLog = $0 { true } else { false } })
      let isCopy: (RecoveryPlan.Step) -> Bool = {
        switch $0 {
        case .saveHeader, .saveTail, .saveCompanion: true
        default: false
        }
      }
      let entries = try #require(
        plan.firstIndex {
          switch $0 {
          case .makeCompanion, .extendCompanion: true
          default: false
          }
        })
      if let copy = plan.lastIndex(where: isCopy) {
        let flush = try #require(plan.firstIndex(of: .flushDirectory))
        #expect(copy < flush && flush < entries, "\(plan)")
      }
      let done = try #require(plan.firstIndex { $0 == .markClosed || $0 == .installCompanion })
      #expect(entries < cut && cut < done, "\(plan)")
    }
  }

  // MARK: What those do who only read

  private struct ReadingRow: CustomStringConvertible {
    var name: String
    var committed: Int?
    var last: ReadingPlan.Last? = ReadingPlan.Last(index: 80, end: 100, time: 5)
    var companion: (stable: Int, isClean: Bool)?
    var header: LogHeader? = LogHeader(count: 3, lastIndex: 80)
    var format = LogFormat.v2
    var fileSize = 100
    var isDoubted = false
    var plan: ReadingPlan = .byRecovery

    var description: String { name }
  }

  private static let byCompanion = ReadingPlan.byCompanion(count: 3, end: 100, lastTime: 5)

  private static let readings = [
    ReadingRow(name: "closed", committed: 3, companion: (3, true), plan: byCompanion),
    ReadingRow(name: "a writer is at work", committed: 3, companion: (1, false), fileSize: 4_096, plan: byCompanion),
    ReadingRow(
      name: "a writer is between its two stores", committed: 3, companion: (1, false),
      header: LogHeader(count: 3, lastIndex: 100), plan: byCompanion),
    ReadingRow(
      name: "a writer died, and more is committed than is counted", committed: 3, companion: (1, false),
      fileSize: 4_096, isDoubted: true),
    ReadingRow(name: "no companion", committed: 3, last: nil),
    ReadingRow(name: "the last entry is damaged", committed: 3, last: nil, companion: (3, true)),
    ReadingRow(name: "fewer records than are stable", committed: 3, companion: (4, false)),
    ReadingRow(name: "extended since it was closed", committed: 3, companion: (2, true)),
    ReadingRow(
      name: "closed, and LAST INDEX names another record", committed: 3, companion: (3, true),
      header: LogHeader(count: 3, lastIndex: 64)),
    ReadingRow(
      name: "closed without records", committed: 0, last: nil, companion: (0, true), header: LogHeader(),
      fileSize: 16, plan: .byCompanion(count: 0, end: 16, lastTime: 0)),
    ReadingRow(
      name: "a partition that was closed", committed: 3, companion: (3, true), header: nil, format: .bilog,
      plan: byCompanion),
    ReadingRow(
      name: "a partition that was closed, and is longer", committed: 3, companion: (3, true), header: nil,
      format: .bilog, fileSize: 120),
  ]

  @Test(arguments: readings.indices) func theFilesSayHowTheyAreRead(row: Int) {
    let row = Self.readings[row]
    let plan = ReadingPlan(
      committed: row.committed, last: row.last,
      companion: row.companion.map { companion($0.stable, isClean: $0.isClean, row.format) }, header: row.header,
      row.format, fileSize: row.fileSize, isDoubted: row.isDoubted)
    #expect(plan == row.plan, "\(row)")
  }
}
