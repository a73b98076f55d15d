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
