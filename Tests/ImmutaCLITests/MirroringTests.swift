import Immuta
import ImmutaTestSupport
import Testing

@testable import ImmutaCLI

/// How a log becomes a copy of another one, without a cluster.
@MainActor @Suite("Mirroring", .timeLimit(.minutes(3)))
struct MirroringTests {
  let place = TemporaryDirectory()

  private func storage(_ directory: String = "here", _ change: (inout Storage.Configuration) -> Void = { _ in }) throws
    -> Storage
  {
    var configuration = Storage.Configuration()
    change(&configuration)
    return try Storage(directory: try place.subdirectory(directory), namespaces: ["e"], configuration: configuration)
  }

  private func copy() throws -> CopiedLog { CopiedLog(try storage("there").log("e")) }

  /// What an append throws whose answer does not come.
  nonisolated private static let noAnswer = ImmutaError.outcomeUnknown(
    UnknownAppend(namespace: "e", id: "x", count: 1, earliest: 0, isExpecting: true), reason: "no answer")

  /// Mirrors what there is.
  private func mirror(_ source: Log, to copy: CopiedLog, as name: String = "mirror") async throws {
    let consumer = try source.consumer(name)
    defer { consumer.close() }
    try await Mirroring(source, to: copy, consumer, report: MirrorReport("e", json: nil), follows: false).run()
  }

  private func demandEqual(_ copy: CopiedLog, _ source: Log) throws {
    #expect(try copy.log.texts == source.texts)
    let identity = try #require(source.identity)
    #expect(copy.ids == (0..<source.count).map { "\(identity):\($0)" })
  }

  @Test("Each record is there once, with its number in its id, also what was appended since the last run")
  func once() async throws {
    let source = try storage().log("e")
    let copy = try copy()
    try await mirror(source, to: copy)
    #expect(copy.log.count == 0)
    for round in 0..<3 {
      try await source.append(contentsOf: (0..<1500).map { "\(round) \($0)" })
      try await mirror(source, to: copy)
      try demandEqual(copy, source)
      #expect(try source.consumers.first { $0.name == "mirror" }?.position == source.count)
    }
  }

  @Test("What is appended while it runs is copied, until the task is cancelled")
  func follows() async throws {
    let source = try storage().log("e")
    let copy = try copy()
    let consumer = try source.consumer("mirror")
    let mirroring = try Mirroring(source, to: copy, consumer, report: MirrorReport("e", json: nil), follows: true)
    let task = Task { @MainActor in try await mirroring.run() }
    var stream = copy.log.stream()
    for number in 0..<50 {
      try await source.append("record \(number)")
      let record = try #require(try await stream.next(timeout: .seconds(60)))
      #expect(record.text == "record \(number)")
    }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    try demandEqual(copy, source)
  }

  @Test("However often it is killed, or gets no answer, and in the middle of what, each record is there once")
  func killed() async throws {
    var seed = SeededGenerator(seed: UInt64.random(in: 0 ... .max))
    let number = seed.next()
    let source = try storage().log("e")
    let copy = try copy()
    var expected = 0
    for round in 0..<60 {
      let records = Int(seed.next() % 40)
      try await source.append(contentsOf: (0..<records).map { "\(round) \($0)" })
      expected += records
      let (stored, kind) = (Int(seed.next() % 50), seed.next() % 4)
      copy.fail { count in
        let error: any Error =
          switch kind {
          case 0: CopiedLog.Killed()
          case 1: ImmutaError.unavailable("no leader")
          case 2: CancellationError()
          default: Self.noAnswer
          }
        copy.fail(nil)
        return (min(stored, count), error)
      }
      do {
        try await mirror(source, to: copy)
      } catch is CopiedLog.Killed {
      } catch is CancellationError {
      } catch ImmutaError.unavailable {
      }
      copy.fail(nil)
    }
    try await mirror(source, to: copy)
    #expect(source.count == expected, "seed \(number)")
    try demandEqual(copy, source)
  }

  @Test("Records that were taken from the log and not stored are taken once more", arguments: [false, true])
  func notStored(follows: Bool) async throws {
    let source = try storage().log("e")
    let copy = try copy()
    try await source.append(contentsOf: (0..<10).map { "record \($0)" })
    let consumer = try source.consumer("mirror")
    copy.fail { _ in
      copy.fail(nil)
      // Before it is asked once more what it has, more comes.
      do { try source.append("record 10") } catch { return (0, error) }
      return (0, Self.noAnswer)
    }
    let mirroring = try Mirroring(source, to: copy, consumer, report: MirrorReport("e", json: nil), follows: follows)
    let task = Task { @MainActor in try await mirroring.run() }
    var stream = copy.log.stream()
    for number in 0...10 {
      let record = try #require(try await stream.next(timeout: .seconds(30)))
      #expect(record.text == "record \(number)")
    }
    if follows {
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
    } else {
      try await task.value
    }
    try demandEqual(copy, source)
  }

  @Test("Two that mirror the same log at once copy each record once")
  func two() async throws {
    let source = try storage().log("e")
    let copy = try copy()
    for number in 0..<3000 { try await source.append("record \(number)") }
    let tasks = ["one", "two"].map { name in Task { @MainActor in try await mirror(source, to: copy, as: name) } }
    for task in tasks { try await task.value }
    try demandEqual(copy, source)
  }

  @Test("A copy of another log, or of none, is refused, and nothing is appended to it")
  func other() async throws {
    let source = try storage().log("e")
    try await source.append(contentsOf: ["a", "b"])
    let copy = try copy()
    try await mirror(source, to: copy)
    let another = try storage("another").log("e")
    try await another.append(contentsOf: ["a", "b", "c"])
    await #expect(
      performing: { try await mirror(another, to: copy) },
      throws: { ($0 as? ToolError)?.message.contains("is not a copy of this one") ?? false })
    #expect(try copy.log.texts == ["a", "b"])
    // Somebody else has appended there.
    try await copy.append([(try await source.record(at: 0).payload, "x")], expecting: 2)
    await #expect(throws: ToolError.self) { try await mirror(source, to: copy) }
    #expect(copy.log.count == 3)
  }

  @Test("A log that has lost its end, and got another one, is told from its copy")
  func lostEnd() async throws {
    let old = try storage()
    let source = try old.log("e")
    try await source.append(contentsOf: (0..<5).map { "record \($0)" })
    let copy = try copy()
    try await mirror(source, to: copy)
    try await old.shutdown()
    try FileBytes.copy(directory: place.file("here"), to: place.file("older"))
    let storage = try storage()
    let again = try storage.log("e")
    try await again.append(contentsOf: (5..<10).map { "record \($0)" })
    try await mirror(again, to: copy)
    #expect(copy.log.count == 10)
    try await storage.shutdown()

    // As a power cut leaves it: the position is no newer than the log.
    let older = try Storage(directory: place.file("older"), namespaces: ["e"])
    defer { older.close() }
    let restored = try older.log("e")
    #expect(restored.identity == source.identity && restored.count == 5)
    try await demandRefused(restored, copy)
    try await restored.append(contentsOf: (5..<9).map { "other \($0)" })
    try await demandRefused(restored, copy)
    // With the same last record.
    try await restored.append(contentsOf: ["record 9", "record 10"])
    try await demandRefused(restored, copy)
    #expect(copy.log.count == 10)
  }

  private func demandRefused(_ source: Log, _ copy: CopiedLog) async throws {
    await #expect(
      performing: { try await mirror(source, to: copy) },
      throws: { error in
        guard let error = error as? ToolError else { return false }
        return error.message.contains("record 5") && error.status == .damaged
      })
  }

  @Test("A copy that is gone, or has lost its end, gets its records again")
  func lostCopy() async throws {
    let source = try storage().log("e")
    try await source.append(contentsOf: (0..<10).map { "record \($0)" })
    try await mirror(source, to: try copy())
    let another = CopiedLog(try storage("another").log("e"))
    try await mirror(source, to: another)
    try demandEqual(another, source)
    #expect(try source.consumers.first?.position == 10)
  }

  @Test("What is not copied stays, where the log waits for the mirror")
  func retention() async throws {
    let storage = try storage {
      $0.segments = SegmentLimits(maximumBytes: 4096)
      $0.retention = Retention(maximumRecords: 10, waitingFor: ["mirror"])
    }
    let source = try storage.log("e")
    let copy = try copy()
    for number in 0..<500 { try await source.append("record \(number), and some more of it") }
    #expect(source.firstSequence == 0)
    try await mirror(source, to: copy)
    #expect(copy.log.count == 500)
    for number in 500..<1000 { try await source.append("record \(number), and some more of it") }
    #expect(source.firstSequence > 0)
    try await mirror(source, to: copy)
    #expect(try copy.log.texts == (0..<1000).map { "record \($0), and some more of it" })
  }

  @Test("Records that were removed before they were copied are told")
  func removed() async throws {
    let source = try storage { $0.segments = SegmentLimits(maximumBytes: 4096) }.log("e")
    for number in 0..<500 { try await source.append("record \(number), and some more of it") }
    try await source.removeRecords(before: 300)
    let first = source.firstSequence
    #expect(first > 0)
    let copy = try copy()
    await #expect(
      performing: { try await mirror(source, to: copy) },
      throws: { ($0 as? ToolError)?.message.contains("begins with record \(first)") ?? false })
    #expect(copy.log.count == 0)
  }

  // MARK: The other way round

  private func fetch(_ source: Log, into target: Log) async throws {
    try await Fetching(source: source, target: target, report: MirrorReport("e", json: nil), follows: false).run()
  }

  @Test("A log is fetched into a directory, and goes on there, also after being killed")
  func fetched() async throws {
    let source = try storage().log("e")
    let target = try storage("there").log("e")
    try await fetch(source, into: target)
    for round in 0..<3 {
      try await source.append(contentsOf: (0..<1500).map { "\(round) \($0)" })
      // Whatever was stored before it was killed is a beginning.
      try await target.append(contentsOf: try source.texts.dropFirst(target.count).prefix(700))
      try await fetch(source, into: target)
      #expect(try target.texts == source.texts)
    }
  }

  @Test("A directory with another log is refused")
  func fetchedIntoAnother() async throws {
    let source = try storage().log("e")
    try await source.append(contentsOf: ["a", "b", "c"])
    let target = try storage("there").log("e")
    try await target.append(contentsOf: ["a", "x"])
    await #expect(
      performing: { try await fetch(source, into: target) },
      throws: { ($0 as? ToolError)?.message.contains("record 1") ?? false })
    try await target.append(contentsOf: ["y", "z"])
    await #expect(throws: ToolError.self) { try await fetch(source, into: target) }
    #expect(target.count == 4)
  }

  @Test("Arguments of mirror that make no sense, and --url beside options of a directory, are told with status 64")
  func usage() throws {
    let place = Workplace()
    for arguments in [
      ["mirror", "e"], ["mirror"], ["mirror", "../e", "--to", "nats://x"],
      ["mirror", "e", "--to", "nats://x", "--from", "nats://y"],
      ["mirror", "e", "--to", "nats://x", "--replicas", "2"],
      ["mirror", "e", "--to", "nats://x", "--consumer", "../x"],
      ["cat", "e", "--url", "nats://x", "--dir", "y"], ["append", "e", "--url", "nats://x", "--durability", "synced"],
      ["append", "e", "--replicas", "3"], ["append", "e", "--url", "nats://x", "--replicas", "4"],
      ["append", "e", "--url", "nats://x", "--keep-bytes", "1M", "--segment-bytes", "1k"],
      ["info", "--url", "nats://x", "--segments"], ["consumers", "--url", "nats://x", "--dir", "y"],
    ] {
      let outcome = try Child(arguments, in: place).finish()
      #expect(outcome.ending == .exit(64), "\(arguments): \(outcome.errors)")
      #expect(outcome.output.isEmpty && outcome.errors.hasPrefix("immuta: "))
    }
    #expect(try place.names().isEmpty, "nothing is made")
  }

  #if !JetStream
    @Test("A build without JetStream says so, and how to make one that has it")
    func missing() throws {
      let place = Workplace()
      for arguments in [
        ["mirror", "e", "--to", "nats://x"], ["mirror", "e", "--from", "nats://x"], ["cat", "e", "--url", "nats://x"],
        ["append", "e", "--url", "nats://x"], ["info", "--url", "nats://x"], ["consumers", "--url", "nats://x"],
      ] {
        let outcome = try Child(arguments, in: place).finish()
        #expect(outcome.ending == .exit(1))
        #expect(
          outcome.errors.contains("without JetStream") && outcome.errors.contains("--traits JetStream"),
          "\(outcome.errors)")
        #expect(try place.names().isEmpty, "nothing is made")
      }
    }
  #endif
}
