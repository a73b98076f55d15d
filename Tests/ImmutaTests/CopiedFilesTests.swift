import Immuta
import ImmutaTestSupport
import Testing

/// Copies of a log's files, made while somebody writes them and while nobody does.
@Suite(.timeLimit(.minutes(2))) struct CopiedFilesTests {
  @Test func aCopyMadeWhileNobodyWritesIsALogLikeTheFirst() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill((0..<50).map { "record \($0)".utf8.map(\.self) })
    let copy = TemporaryDirectory()
    for name in ["log.log", "log.idx"] { try copy.write(try directory.bytes(of: name), to: name) }
    let storage = try copy.open()
    defer { storage.close() }
    #expect(try await storage.verify("log").records == 50)
    #expect(try storage.log("log").records(in: 0..<50).map(\.text) == (0..<50).map { "record \($0)" })
    #expect(try await storage.append("one more", to: "log").sequence == 50)
  }

  /// One writer, and a copy between two of its appends: everything that was committed by then is in it.
  @Test(arguments: [Durability.buffered, .synced])
  func aCopyThatBeginsWithTheCompanionHoldsAllThatWasCommitted(_ durability: Durability) async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(durability)
    defer { storage.close() }
    for number in 0..<20 { try await storage.append("record \(number)", to: "log") }
    let companion = try directory.bytes(of: "log.idx")
    for number in 20..<40 { try await storage.append("record \(number)", to: "log") }
    let log = try directory.bytes(of: "log.log")

    let copy = TemporaryDirectory()
    try copy.write(companion, to: "log.idx")
    try copy.write(log, to: "log.log")
    let opened = try copy.open()
    #expect(try opened.log("log").records(in: 0..<40).map(\.text) == (0..<40).map { "record \($0)" })
    #expect(try await opened.append("record 40", to: "log").sequence == 40)
    opened.close()
    let again = try copy.open()
    defer { again.close() }
    #expect(try await again.verify("log").records == 41)
  }

  /// What is behind the last committed record in a copy is nobody's, however much it looks like a record.
  @Test func aCopyHoldsNothingThatWasStaged() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    for number in 0..<5 { try await storage.append("record \(number)", to: "log") }
    let companion = try directory.bytes(of: "log.idx")
    for number in 5..<10 { try await storage.append("record \(number)", to: "log") }
    var log: [UInt8] = []
    await #expect(throws: CancellationError.self) {
      try await storage.transaction(in: "log") { transaction in
        try await transaction.append("never committed")
        log = try directory.bytes(of: "log.log")
        throw CancellationError()
      }
    }
    let copy = TemporaryDirectory()
    try copy.write(companion, to: "log.idx")
    try copy.write(log, to: "log.log")
    let opened = try copy.open()
    defer { opened.close() }
    #expect(try texts(opened.log("log")) == (0..<10).map { "record \($0)" })
  }

  /// The log was copied first, its header before its records: the companion names records that this copy of the log does
  /// not hold, and COUNT may be less than it holds.
  @Test(arguments: [1, 2, 3, 40], [0, 1, 2, 20]) func aCopyMadeLogFirstIsRepaired(counted: Int, held: Int) async throws
  {
    for more in [0, 1, 2, 40] {
      let directory = TemporaryDirectory()
      let storage = try directory.open()
      defer { storage.close() }
      for number in 0..<counted { try await storage.append("record \(number)", to: "log") }
      let header = try directory.bytes(of: "log.log").prefix(16)
      for number in counted..<counted + held { try await storage.append("record \(number)", to: "log") }
      let log = header + (try directory.bytes(of: "log.log").dropFirst(16))
      for number in 0..<more { try await storage.append("record \(counted + held + number)", to: "log") }
      let companion = try directory.bytes(of: "log.idx")
      let copy = TemporaryDirectory()
      try copy.write(Array(log), to: "log.log")
      try copy.write(companion, to: "log.idx")
      do {
        try copy.open().close()
      } catch {
        guard case ImmutaError.corrupted = error else { throw error }
        _ = try Storage.repair("log", in: copy.path, applying: true)
      }
      let opened = try copy.open()
      defer { opened.close() }
      let texts = try texts(opened.log("log"))
      #expect(texts == (0..<texts.count).map { "record \($0)" } && texts.count >= counted, "\(more) more")
    }
  }

  // MARK: Page by page

  /// A log that was copied first, page by page, while somebody wrote it: the header says less than the first pages hold,
  /// those lack records that later pages have, and the companion has the entries of all.
  private struct PagewiseCopy {
    let copy = TemporaryDirectory()
    var lines: [String] = []

    static let counted = 15
    static let held = 20

    /// - Parameters:
    ///   - before: how many records are there before the first of those that are counted here.
    ///   - staged: how many of a transaction's records the early pages hold that was committed later.
    ///   - stable: how many of the records after those that the early pages hold are flushed.
    init(before: Int = 0, staged: Int = 0, stable: Int = 0, isLastIndexAhead: Bool = false) async throws {
      let directory = TemporaryDirectory()
      let storage = try directory.open()
      defer { storage.close() }
      func append(_ count: Int) async throws {
        for _ in 0..<count { try await storage.append(next(), to: "log") }
      }
      try await append(before + Self.counted)
      var header = try directory.bytes(of: "log.log").prefix(16)
      if isLastIndexAhead {
        try await append(1)
        header = header[..<8] + (try directory.bytes(of: "log.log")[8..<16])
      }
      try await append(before + Self.held - lines.count)
      var early = try directory.bytes(of: "log.log")
      if staged > 0 {
        try await storage.transaction(in: "log") { transaction in
          for number in 0..<2 * staged {
            try await transaction.append(next())
            if number == staged - 1 { early = try directory.bytes(of: "log.log") }
          }
        }
      }
      if stable > 0 {
        try await append(stable)
        try await storage.sync()
      }
      try await append(60)
      let late = try directory.bytes(of: "log.log")
      var end = early.count
      while end > 0, early[end - 1] == 0 { end -= 1 }
      let pages = (end + 4095) / 4096 * 4096
      try copy.write(Array(header) + Array(early[16..<pages]) + Array(late[pages...]), to: "log.log")
      try copy.write(try directory.bytes(of: "log.idx"), to: "log.idx")
      #expect(indices(of: late)[lines.count - 1] > pages)
    }

    private mutating func next() -> String {
      lines.append("record \(lines.count) " + String(repeating: "z", count: 100))
      return lines[lines.count - 1]
    }
  }

  @Test(arguments: [0, 34, 70], [false, true]) func aCopyThatLacksRecordsInItsMiddleEndsBeforeThem(
    before: Int, isLastIndexAhead: Bool
  ) async throws {
    let made = try await PagewiseCopy(before: before, isLastIndexAhead: isLastIndexAhead)
    let (copy, lines, held) = (made.copy, made.lines, before + PagewiseCopy.held)
    let bytes = try copy.bytes(of: "log.log")
    #expect((await corruption { try copy.open().close() }) != nil)
    let look = try Storage.repair("log", in: copy.path)
    let report = try Storage.repair("log", in: copy.path, applying: true)
    #expect(look.lost == report.lost && look.actions == report.actions)
    #expect(report.promised == lines.count && report.sound == held && report.verifiable == held)
    #expect(report.lost.map(\.sequences) == [held..<lines.count])
    #expect(report.lost.first?.reason == .olderThanCompanion)
    #expect(
      report.actions.contains { action in
        if case .cutOff(_, _, let records) = action { records == held..<lines.count } else { false }
      })
    // What is cut off is kept.
    let saved = try copy.bytes(
      of: try #require(try copy.allFiles().keys.first { $0.contains(".tail.saved-") }))
    let whole = lines[held...].filter { bytes.firstRange(of: Array($0.utf8)) != nil }
    #expect(!whole.isEmpty && whole.allSatisfy { saved.firstRange(of: Array($0.utf8)) != nil })
    let storage = try copy.open()
    #expect(try texts(storage.log("log")) == Array(lines[..<held]))
    #expect(try await storage.append("one more", to: "log").sequence == held)
    storage.close()
    let again = try copy.open()
    defer { again.close() }
    #expect(try await again.verify("log").records == held + 1)
  }

  /// All of a transaction that the copy has a part of goes.
  @Test func aCopyThatLacksAPartOfATransactionHoldsNothingOfIt() async throws {
    let made = try await PagewiseCopy(staged: 2)
    #expect((await corruption { try made.copy.open().close() }) != nil)
    let report = try Storage.repair("log", in: made.copy.path, applying: true)
    #expect(report.sound == PagewiseCopy.held)
    let storage = try made.copy.open()
    defer { storage.close() }
    #expect(try texts(storage.log("log")) == Array(made.lines[..<PagewiseCopy.held]))
  }

  /// Records that are promised to be stable are damaged where they are not whole, whatever the header says, and no whole one
  /// of them is cut off.
  @Test(arguments: [1, 10, 60]) func noStableRecordIsTakenForOneThatTheCopyLacks(stable: Int) async throws {
    let made = try await PagewiseCopy(stable: stable)
    let (copy, lines, held) = (made.copy, made.lines, PagewiseCopy.held)
    let floor = held + stable
    let bytes = try copy.bytes(of: "log.log")
    let isWhole = lines.map { bytes.firstRange(of: Array($0.utf8)) != nil }
    #expect((await corruption { try copy.open().close() }) != nil)
    let report = try Storage.repair("log", in: copy.path, applying: true)
    #expect(report.lost.first?.sequences.lowerBound == held && report.lost.first?.reason != .olderThanCompanion)
    let lost = Set(report.lost.flatMap(\.sequences))
    for number in 0..<floor { #expect(lost.contains(number) == !isWhole[number], "\(number)") }
    let storage = try copy.open()
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<floor where isWhole[number] {
      #expect(try await log.record(at: number).text == lines[number])
    }
    // Where the last of them is whole, so are all that follow.
    if isWhole[floor - 1] { #expect(log.count == lines.count) }
  }

  /// Copies made at any moment hold nothing but what was committed, in order, once they are opened or repaired.
  @Test(arguments: [["log.idx", "log.log"], ["log.log", "log.idx"]])
  func aCopyMadeWhileSomebodyWritesHoldsAPrefix(_ order: [String]) async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let writing = Task {
      var number = 0
      while !Task.isCancelled, number < 20_000 {
        try await storage.append("record \(number)", to: "log")
        number += 1
        if number % 16 == 0 { try? await Task.sleep(for: .microseconds(200)) }
      }
      return number
    }
    for _ in 0..<8 {
      let copy = TemporaryDirectory()
      for name in order { try copy.write(try directory.bytes(of: name), to: name) }
      let opened: Storage
      do {
        opened = try copy.open()
      } catch ImmutaError.corrupted {
        _ = try Storage.repair("log", in: copy.path, applying: true)
        opened = try copy.open()
      }
      defer { opened.close() }
      let log = try opened.log("log")
      let texts = try texts(log)
      #expect(texts == (0..<texts.count).map { "record \($0)" })
    }
    writing.cancel()
    #expect(try await writing.value > 0)
  }
}
