import Foundation
import ImmutaTestSupport
import Testing

@testable import Immuta

/// A copy of a log's first records is a log with the same records, whatever the log is, and whatever happens meanwhile.
@Suite(.timeLimit(.minutes(3))) struct LogCopyTests {
  private let source = TemporaryDirectory(inMemory: true)
  private let target = TemporaryDirectory(inMemory: true)

  private func configuration(_ format: LogFormat? = nil, codec: Codec? = nil) -> Storage.Configuration {
    var configuration = Storage.Configuration()
    configuration.format = format
    configuration.codec = codec
    return configuration
  }

  /// Copies what the log has, as somebody who only reads it.
  @discardableResult
  private func copy(
    _ namespace: String = "e", before count: Int? = nil, with options: LogCopyOptions = LogCopyOptions(),
    format: LogFormat? = nil, to place: TemporaryDirectory? = nil
  ) throws -> LogCopyReport {
    var configuration = configuration(format)
    (configuration.access, configuration.deliversStoredPayloads) = (.readOnly, true)
    let storage = try Storage(directory: source.path, namespaces: [namespace], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log(namespace)
    return try log.copy(before: count ?? log.count, to: Directory(opening: (place ?? target).path), options)
  }

  /// What is known of each record, without its payload where that is stored through a codec.
  private func records(
    _ directory: TemporaryDirectory, _ namespace: String = "e", format: LogFormat? = nil, codec: Codec? = nil
  ) throws -> [String] {
    var configuration = configuration(format, codec: codec)
    configuration.access = .readOnly
    let storage = try Storage(directory: directory.path, namespaces: [namespace], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log(namespace)
    return try log.records(in: log.firstSequence..<log.count).map {
      "\($0.sequence) \($0.index) \($0.timestamp) \($0.text)"
    }
  }

  /// Opens the copy for appending: it was closed, and nothing had to be done.
  private func expectClosed(_ namespace: String = "e", format: LogFormat? = nil) async throws {
    let storage = try Storage(
      directory: target.path, namespaces: [namespace], configuration: configuration(format))
    defer { storage.close() }
    #expect(try storage.details(of: namespace).openingNote == nil)
    _ = try await storage.verify(namespace)
  }

  @Test(arguments: [LogFormat.v1, .v2, .bilog])
  func itHasTheSameRecordsInEveryFormat(format: LogFormat) async throws {
    let name = format == .bilog ? "0" : "e"
    let storage = try Storage(directory: source.path, namespaces: [name], configuration: configuration(format))
    defer { storage.close() }
    try copy(name, format: format)
    try await expectClosed(name, format: format)
    var expected = 0
    for round in 1...4 {
      for number in 0..<round * 50 { try await storage.append(String(repeating: "x", count: number), to: name) }
      expected += round * 50
      let report = try copy(name, format: format)
      #expect(report.count == expected && report.added == round * 50 && report.damaged.isEmpty)
      #expect(try records(target, name, format: format) == records(source, name, format: format))
    }
    #expect(try copy(name, format: format).added == 0)
    let before = try target.bytes(of: format == .bilog ? "0.bilog.companion" : "e.idx")
    try copy(name, format: format)
    #expect(
      try target.bytes(of: format == .bilog ? "0.bilog.companion" : "e.idx") == before, "nothing is written again")
    let identity = try storage.log(name).identity
    try await expectClosed(name, format: format)
    let copied = try Storage(directory: target.path, namespaces: [name], configuration: configuration(format))
    defer { copied.close() }
    #expect(try copied.log(name).identity == identity && identity != nil)
    #expect(try copied.details(of: name).verifiable == expected)
  }

  @Test func aLogThatRollsIsCopiedSegmentBySegment() async throws {
    let storage = try Storage(directory: source.path, namespaces: ["e"])
    defer { storage.close() }
    let log = try storage.log("e")
    for round in 0..<6 {
      for number in 0..<10 { try await log.append("\(round) \(number)") }
      if round % 3 == 1 { try copy() }
      try await log.roll()
      if round % 3 == 2 { try copy() }
    }
    try copy()
    #expect(try records(target) == records(source))
    let segments = try FileManager.default.contentsOfDirectory(atPath: target.file("e.segments")).sorted()
    #expect(segments.count == 10, "five of two files: the newest has no record yet")
    try await log.append("more")
    let old = try target.bytes(of: "e.segments/00000000000000000010.log")
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 1_000)], ofItemAtPath: target.file("e.log"))
    try copy()
    #expect(try records(target) == records(source))
    #expect(try target.bytes(of: "e.segments/00000000000000000010.log") == old)
    let touched = try FileManager.default.attributesOfItem(atPath: target.file("e.log"))[.modificationDate] as? Date
    #expect(try #require(touched) < Date(timeIntervalSince1970: 2_000), "a segment that is whole is left alone")
    try await expectClosed()
  }

  @Test func whatTheLogRemovedStaysInTheCopyUntilItIsToFollow() async throws {
    let storage = try Storage(directory: source.path, namespaces: ["e"])
    defer { storage.close() }
    let log = try storage.log("e")
    for round in 0..<4 {
      for number in 0..<10 { try await log.append("\(round) \(number)") }
      try await log.roll()
    }
    try copy()
    let all = try records(target)
    try await log.removeRecords(before: 20)
    try await log.append("last")
    var report = try copy()
    #expect(report.firstSequence == 0 && report.count == 41)
    #expect(try records(target).dropLast() == all[...])
    report = try copy(with: LogCopyOptions(followsRemoval: true))
    #expect(report.firstSequence == 20)
    #expect(try records(target) == records(source))
    #expect(!target.exists("e.log"))
    try await expectClosed()

    // Records go that were never copied.
    for number in 0..<10 { try await log.append("5 \(number)") }
    try await log.roll()
    try await log.append("after")
    try await log.removeRecords(before: 51)
    let before = try records(target)
    #expect(throws: CopyRefusal.self) { try copy() }
    #expect(try records(target) == before)
    try copy(with: LogCopyOptions(followsRemoval: true))
    #expect(try records(target) == records(source))
    try await expectClosed()
  }

  @Test func theFirstOfItsRecordsCanBeCopiedAlsoInTheMiddleOfATransaction() async throws {
    let storage = try Storage(directory: source.path, namespaces: ["e"])
    defer { storage.close() }
    for round in 0..<5 {
      try await storage.transaction(in: "e") { transaction in
        for number in 0..<4 { try await transaction.append("\(round) \(number)") }
      }
      if round == 2 { try await storage.log("e").roll() }
    }
    for count in [0, 1, 6, 12, 13, 20] {
      let place = TemporaryDirectory(inMemory: true)
      try copy(before: count, to: place)
      #expect(try records(place) == Array(records(source).prefix(count)))
      let reopened = try Storage(directory: place.path, namespaces: ["e"])
      defer { reopened.close() }
      #expect(try reopened.details(of: "e").openingNote == nil)
      #expect(try await reopened.append("next", to: "e").sequence == count)
    }
  }

  @Test func aLogWithoutCompanionIsCopied() async throws {
    let storage = try Storage(directory: source.path, namespaces: ["e"])
    for number in 0..<3000 { try await storage.append("\(number)", to: "e") }
    storage.close()
    try FileManager.default.removeItem(atPath: source.file("e.idx"))
    try copy()
    let texts = try records(target).map { $0.split(separator: " ").last }
    #expect(texts == (0..<3000).map { Substring("\($0)") })
    // The same once more, which has other times.
    #expect(try copy().added == 0)
    try await expectNoneVerifiable()
    // It is the same log when it has a companion again, and what was appended since can be told from damage.
    let again = try Storage(directory: source.path, namespaces: ["e"])
    defer { again.close() }
    try await again.append("3000", to: "e")
    #expect(try copy().added == 1)
    let copied = try Storage(directory: target.path, namespaces: ["e"])
    defer { copied.close() }
    #expect(try copied.log("e").identity == again.log("e").identity)
    #expect(try copied.details(of: "e").verifiable == 1)
  }

  /// Opened for reading only, and then by who writes to it.
  private func expectNoneVerifiable() async throws {
    for access in [Storage.Access.readOnly, .readWrite] {
      let place = TemporaryDirectory(inMemory: true)
      try FileBytes.copy(directory: target.path, to: place.path)
      var configuration = configuration()
      configuration.access = access
      let copied = try Storage(directory: place.path, namespaces: ["e"], configuration: configuration)
      defer { copied.close() }
      #expect(try copied.details(of: "e").verifiable == 0, "nobody knows what was appended")
      #expect(try await copied.verify("e").verifiable == 0)
    }
  }

  @Test func aCodecsNameAndTheLogsNameGoWithIt() async throws {
    let codec = Codec(name: "turned", writing: turned, reading: turned)
    let storage = try Storage(directory: source.path, namespaces: ["e"], configuration: configuration(codec: codec))
    for number in 0..<100 { try await storage.append("record \(number)", to: "e") }
    try copy()
    storage.close()
    #expect(try records(target, codec: codec) == records(source, codec: codec))
    #expect(throws: ImmutaError.self) { try Storage(directory: target.path, namespaces: ["e"]) }
    try FileManager.default.removeItem(atPath: target.file("e.idx"))
    #expect(throws: ImmutaError.self, "the meta file says it, too") {
      try Storage(directory: target.path, namespaces: ["e"])
    }
  }

  @Test func anotherLogIsRefusedAndNothingChanges() async throws {
    let storage = try Storage(directory: source.path, namespaces: ["e"])
    for number in 0..<9 { try await storage.append("\(number)", to: "e") }
    storage.close()
    let older = try (source.bytes(of: "e.log"), source.bytes(of: "e.idx"))
    let longer = try Storage(directory: source.path, namespaces: ["e"])
    try await longer.append("9", to: "e")
    try copy()
    longer.close()
    let before = try (target.bytes(of: "e.log"), target.bytes(of: "e.idx"))
    // It goes another way from record 9 on.
    try source.write(older.0, to: "e.log")
    try source.write(older.1, to: "e.idx")
    let again = try Storage(directory: source.path, namespaces: ["e"])
    #expect(try again.log("e").count == 9)
    try await again.append("other", to: "e")
    try await again.append("other", to: "e")
    #expect(throws: CopyRefusal.self) { try copy() }
    try again.remove("e")
    _ = try again.log("e", creating: true)
    for _ in 0..<20 { try await again.append("new", to: "e") }
    #expect(throws: CopyRefusal.self) { try copy() }
    again.close()
    #expect(try target.bytes(of: "e.log") == before.0)
    #expect(try target.bytes(of: "e.idx") == before.1)
  }

  @Test func aDamagedRecordIsCopiedAndNamed() async throws {
    let storage = try Storage(directory: source.path, namespaces: ["e"])
    for number in 0..<100 { try await storage.append("record \(number)", to: "e") }
    storage.close()
    var log = try source.bytes(of: "e.log")
    let index = 16 + (0..<10).reduce(0) { $0 + 8 + "record \($1)".utf8.count }
    log[index + 9] ^= 1
    try source.write(log, to: "e.log")
    let report = try copy()
    #expect(report.damaged.map(\.sequence) == [10])
    #expect(report.damaged.first?.path == source.file("e.log"))
    let copied = try Storage(directory: target.path, namespaces: ["e"])
    defer { copied.close() }
    await #expect(throws: ImmutaError.self) { try await copied.log("e").record(at: 10) }
    #expect(try await copied.log("e").record(at: 11).text == "record 11")
  }

  @Test func whatTheCopysDiskMakesOfItIsNoticed() async throws {
    let storage = try Storage(directory: source.path, namespaces: ["e"])
    defer { storage.close() }
    for number in 0..<100 { try await storage.append("record \(number)", to: "e") }
    try copy(before: 50)
    #expect(throws: ImmutaError.self) {
      try SystemCalls.withHook(Flipper(path: target.file("e.log"))) { _ = try copy() }
    }
    #expect(try records(target).count >= 50)
    #expect(try copy().count == 100)
    #expect(try records(target) == records(source))
    try await expectClosed()
  }

  /// How many records the headers of a log's files say that it has; 0 where the format has no COUNT.
  private func counted(_ directory: TemporaryDirectory, _ format: LogFormat) throws -> Int {
    guard format.hasCount else { return 0 }
    let names = try FileManager.default.subpathsOfDirectory(atPath: directory.path)
    return try names.filter { $0.hasSuffix(".log") }.reduce(0) { sum, file in
      let bytes = try directory.bytes(of: file)
      return sum + bytes.withUnsafeBytes { LogHeader(decoding: $0, format: format).count }
    }
  }

  /// The n-th call on the copy fails, and all after it, as in a process that dies there.
  @Test(arguments: [LogFormat.v2, .bilog]) func whereverItIsCutOffTheNextOneGoesOn(format: LogFormat) async throws {
    let name = format == .bilog ? "0" : "e"
    let storage = try Storage(directory: source.path, namespaces: [name], configuration: configuration(format))
    defer { storage.close() }
    let log = try storage.log(name)
    for number in 0..<20 { try await log.append("\(number)") }
    try copy(name, before: 12, format: format)
    try await log.roll()
    for number in 20..<40 { try await log.append("\(number)") }
    let wanted = try records(source, name, format: format)
    var isOver = false
    var failures = 0
    var first = 0
    while !isOver {
      first += 1
      let place = TemporaryDirectory(inMemory: true)
      try FileBytes.copy(directory: target.path, to: place.path)
      let injector = FaultInjector(directory: place.path, .error(EIO), at: first, lasting: true)
      do {
        try SystemCalls.withHook(injector) { _ = try copy(name, format: format, to: place) }
        isOver = true
      } catch {
        failures += 1
        // What is there can be read as it is, and what was there before is.
        let left = try records(place, name, format: format)
        #expect(left.count >= 12 && left[...] == wanted.prefix(left.count), "after \(first) calls")
        // Whoever has only the logs, as the Go program, finds as many at most.
        #expect(try counted(place, format) <= left.count, "after \(first) calls")
        let image = TemporaryDirectory(inMemory: true)
        try FileBytes.copy(directory: place.path, to: image.path)
        let reopened = try Storage(directory: image.path, namespaces: [name], configuration: configuration(format))
        defer { reopened.close() }
        let count = try reopened.log(name).count
        #expect(count >= 12, "after \(first) calls, open for appending")
        _ = try await reopened.verify(name)
      }
      let report = try copy(name, format: format, to: place)
      #expect(report.count == 40 && report.damaged.isEmpty)
      #expect(try records(place, name, format: format) == wanted)
    }
    #expect(failures > 20)
  }
}

private let turned = WholePayloadTransformer(name: "turned") { payload, _ in payload.map { ~$0 } }

/// Changes the last bytes of a file that is flushed: as a disk does that loses what was written.
private final class Flipper: SystemCallHook {
  private let path: String

  init(path: String) { self.path = path }

  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome { .proceed }

  func didCall(_ call: SystemCall, path: String) {
    guard call == .flush, path == self.path, var bytes = try? FileBytes.read(path) else { return }
    bytes[bytes.count - 3] ^= 1
    try? FileHandle(forWritingTo: URL(filePath: path)).write(contentsOf: bytes)
  }
}
