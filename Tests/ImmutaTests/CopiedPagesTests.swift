import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Copies of a log of each layout that are made page by page while somebody writes it: what a page holds is as old as the
/// moment at which it was copied.
@Suite(.timeLimit(.minutes(3))) struct CopiedPagesTests {
  private static let page = 4096

  /// The beginning of a file at a moment: all that is used of it.
  private struct Image {
    let bytes: Data
    var size: Int { bytes.count }

    init(_ path: String) throws {
      let file = try FileHandle(forReadingFrom: URL(filePath: path))
      defer { try? file.close() }
      bytes = try file.read(upToCount: 128 << 10) ?? Data()
    }
  }

  private struct Moment {
    var log: Image
    var companion: Image
    /// How many records were committed by then.
    var count: Int
  }

  private struct Names {
    let log: String
    let companion: String

    init(_ format: LogFormat) {
      log = format == .bilog ? "log.bilog" : "log.log"
      companion = format == .bilog ? "log.bilog.companion" : "log.idx"
    }
  }

  /// What a writer's files were, again and again, also in the middle of its transactions; and all that it committed.
  private func history(
    _ format: LogFormat, syncs: Bool, _ generator: inout SeededGenerator
  ) async throws -> (moments: [Moment], lines: [String]) {
    let directory = TemporaryDirectory(inMemory: true)
    let names = Names(format)
    let storage = try directory.open(format: format)
    defer { storage.close() }
    var lines: [String] = []
    var moments: [Moment] = []
    func note() throws {
      moments.append(
        try Moment(
          log: Image(directory.file(names.log)), companion: Image(directory.file(names.companion)),
          count: storage.log("log").count))
    }
    func line(_ number: Int) -> String {
      "record \(number) " + String(repeating: "z", count: Int.random(in: 0...160, using: &generator)) + "."
    }
    try note()
    while lines.count < 400 {
      let count = Int.random(in: 1...5, using: &generator)
      let new = (0..<count).map { line(lines.count + $0) }
      if count == 1 {
        try await storage.append(new[0], to: "log")
      } else {
        let isSeen = generator.oneIn(4)
        try await storage.transaction(in: "log") { transaction in
          for (number, text) in new.enumerated() {
            try await transaction.append(text)
            if isSeen, number == count / 2 { try note() }
          }
        }
      }
      lines += new
      if syncs, generator.oneIn(40) { try await storage.sync() }
      if generator.oneIn(4) { try note() }
    }
    try note()
    return (moments, lines)
  }

  /// A copy of a file, each page as it was at a moment, those in order.
  private func copy(
    _ moments: [Moment], _ moment: inout Int, _ file: (Moment) -> Image, splitting: Bool,
    _ generator: inout SeededGenerator
  ) -> Data {
    var bytes = Data()
    func passTime() {
      guard generator.oneIn(3) else { return }
      moment = min(moments.count - 1, moment + Int.random(in: 0...12, using: &generator))
    }
    while bytes.count < file(moments[moment]).size {
      let end = min(bytes.count + Self.page, file(moments[moment]).size)
      if splitting, generator.oneIn(3) {
        let split = Int.random(in: bytes.count...end, using: &generator)
        bytes += file(moments[moment]).bytes[bytes.count..<split]
        passTime()
      }
      bytes += file(moments[moment]).bytes[bytes.count..<end]
      passTime()
    }
    return bytes
  }

  /// What the log's records say that can be read; nil for one that is damaged.
  private func read(_ log: Log) throws -> [String?] {
    if let texts = try? texts(log) { return texts }
    return try (0..<log.count).map { number in
      do {
        return try log.records(in: number..<number + 1).first?.text
      } catch ImmutaError.corrupted {
        return nil
      }
    }
  }

  /// Opens a copy for appending, which it may have to be repaired for.
  private func open(_ copy: TemporaryDirectory, _ format: LogFormat) throws -> Storage {
    do {
      return try copy.open(format: format)
    } catch ImmutaError.corrupted {
      _ = try Storage.repair("log", in: copy.path, format: format, applying: true)
      return try copy.open(format: format)
    }
  }

  @Test(arguments: [LogFormat.v1, .v2, .bilog], [true, false])
  func nothingIsLostOrInventedInACopy(format: LogFormat, isLogFirst: Bool) async throws {
    try await Rounds.run(default: 1, "a copy of \(format), \(isLogFirst ? "log" : "companion") first") { seed in
      var generator = SeededGenerator(seed: seed)
      let (syncs, splits) = (generator.oneIn(2), generator.oneIn(2))
      let (moments, lines) = try await history(format, syncs: syncs, &generator)
      let names = Names(format)
      for _ in 0..<12 {
        var moment = Int.random(in: 0..<moments.count, using: &generator)
        let begin = moments[moment].count
        var log = Data()
        func copyLog() { log = copy(moments, &moment, \.log, splitting: splits, &generator) }
        if isLogFirst { copyLog() }
        let companion = copy(moments, &moment, \.companion, splitting: splits, &generator)
        if !isLogFirst { copyLog() }
        let directory = TemporaryDirectory(inMemory: true)
        try directory.write(Array(log), to: names.log)
        try directory.write(Array(companion), to: names.companion)
        try await check(directory, log, format, lines, begin: begin, isLogFirst: isLogFirst)
      }
    }
  }

  private func check(
    _ copy: TemporaryDirectory, _ log: Data, _ format: LogFormat, _ lines: [String], begin: Int, isLogFirst: Bool
  ) async throws {
    func held(_ texts: [String?]) -> Bool {
      texts.count <= lines.count && zip(texts, lines).allSatisfy { $0 == nil || $0 == $1 }
    }
    if let reading = try? copy.open(access: .readOnly, format: format) {
      defer { reading.close() }
      if try !held(read(reading.log("log"))) { throw Finding("reading delivers what was not appended there") }
    }
    let storage = try open(copy, format)
    let texts = try read(storage.log("log"))
    if !held(texts) { throw Finding("a record is not what was appended there") }
    // Whoever copies the companion first gets what was committed when the copy began, whole.
    if !isLogFirst, texts.count < begin || texts.contains(nil) {
      throw Finding("\(texts.count) records, \(texts.count { $0 == nil }) damaged, and \(begin) when it began")
    }
    if isLogFirst {
      // What is damaged stays where it is.
      let kept = try copy.allFiles().filter { $0.key.contains(".saved-") || $0.key == Names(format).log }
        .map { Data($0.value) }
      for (number, line) in lines.enumerated()
      where number >= texts.count || texts[number] == nil {
        let bytes = Data(line.utf8)
        guard log.range(of: bytes) != nil else { continue }
        if !kept.contains(where: { $0.range(of: bytes) != nil }) { throw Finding("record \(number) is lost") }
      }
    }
    _ = try await storage.append("one more", to: "log")
    storage.close()
    let again = try copy.open(format: format)
    defer { again.close() }
    if try again.log("log").records(in: texts.count..<texts.count + 1).map(\.text) != ["one more"] {
      throw Finding("the log does not go on")
    }
  }

  // MARK: Where a page lacks records

  /// A copy whose early pages hold the first records, up to one in the middle of a page, and whose later ones hold all.
  private func early(_ format: LogFormat, held: Int) async throws -> (copy: TemporaryDirectory, lines: [String]) {
    let directory = TemporaryDirectory()
    let names = Names(format)
    let storage = try directory.open(format: format)
    defer { storage.close() }
    let lines = (0..<held + 80).map { "record \($0) " + String(repeating: "z", count: 100) }
    for line in lines[..<held] { try await storage.append(line, to: "log") }
    let early = try directory.bytes(of: names.log)
    for line in lines[held...] { try await storage.append(line, to: "log") }
    let late = try directory.bytes(of: names.log)
    let end = (early.lastIndex { $0 != 0 } ?? 0) + 1
    let pageEnd = (end + Self.page - 1) / Self.page * Self.page
    let copy = TemporaryDirectory()
    try copy.write(Array(early[..<pageEnd] + late[pageEnd...]), to: names.log)
    try copy.write(try directory.bytes(of: names.companion), to: names.companion)
    return (copy, lines)
  }

  @Test(arguments: [LogFormat.v1, .v2, .bilog], [15, 20, 50])
  func aCopyEndsBeforeWhatItLacksInItsMiddle(format: LogFormat, held: Int) async throws {
    let (copy, lines) = try await early(format, held: held)
    #expect((await corruption { try copy.open(format: format).close() }) != nil)
    let bytes = try copy.bytes(of: Names(format).log)
    let report = try Storage.repair("log", in: copy.path, format: format, applying: true)
    #expect(report.sound == held && report.lost.map(\.reason) == [.olderThanCompanion])
    #expect(report.lost.map(\.sequences) == [held..<lines.count])
    let saved = try copy.bytes(of: try #require(try copy.allFiles().keys.first { $0.contains(".tail.saved-") }))
    let whole = lines[held...].filter { bytes.firstRange(of: Array($0.utf8)) != nil }
    #expect(!whole.isEmpty && whole.allSatisfy { saved.firstRange(of: Array($0.utf8)) != nil })
    let storage = try copy.open(format: format)
    #expect(try texts(storage.log("log")) == Array(lines[..<held]))
    #expect(try await storage.append("one more", to: "log").sequence == held)
    storage.close()
    let again = try copy.open(format: format)
    defer { again.close() }
    #expect(try await again.verify("log").records == held + 1)
  }

  /// A device loses whole sectors: no whole record after those is cut off.
  @Test(arguments: [LogFormat.v1, .bilog], [1, 3, 8])
  func sectorsOfZerosAreDamage(format: LogFormat, sectors: Int) async throws {
    let directory = TemporaryDirectory()
    let names = Names(format)
    let storage = try directory.open(format: format)
    defer { storage.close() }
    let lines = (0..<90).map { "record \($0) " + String(repeating: "z", count: 100) }
    for line in lines { try await storage.append(line, to: "log") }
    let whole = try (log: directory.bytes(of: names.log), companion: directory.bytes(of: names.companion))
    var places: [Range<Int>] = []
    for line in lines {
      let index = places.last?.upperBound ?? format.headerSize
      places.append(index..<format.recordEnd(at: index, size: line.utf8.count))
    }
    for first in 1..<12 {
      let copy = TemporaryDirectory(inMemory: true)
      var bytes = whole.log
      for offset in first * 512..<(first + sectors) * 512 { bytes[offset] = 0 }
      try copy.write(bytes, to: names.log)
      try copy.write(whole.companion, to: names.companion)
      let report = try Storage.repair("log", in: copy.path, format: format, applying: true)
      let sound = lines.indices.filter { bytes[places[$0]] == whole.log[places[$0]] }
      let opened = try copy.open(format: format)
      defer { opened.close() }
      let texts = try read(opened.log("log"))
      #expect(
        report.sound == sound.count && sound.allSatisfy { $0 < texts.count && texts[$0] == lines[$0] }, "\(first)")
    }
  }
}
