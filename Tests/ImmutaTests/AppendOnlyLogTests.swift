import Immuta
import ImmutaTestSupport
import Testing

/// A log in this process keeps what any log promises.
@Suite(.timeLimit(.minutes(5))) struct AppendOnlyLogTests {
  /// A directory with logs.
  struct Directory: LogPlace {
    let directory = TemporaryDirectory()
    let storage: Storage

    init(_ change: (inout Storage.Configuration) -> Void = { _ in }) throws {
      var configuration = Storage.Configuration()
      change(&configuration)
      storage = try Storage(directory: directory.path, namespaces: ["other"], configuration: configuration)
    }

    func open(_ namespace: String) async throws -> Log { try storage.log(namespace, creating: true) }
  }

  @Test(arguments: LogPromise.allCases) func aLogKeepsItsPromise(_ promise: LogPromise) async throws {
    try await promise.check(on: try Directory())
  }

  @Test(arguments: LogPromise.allCases) func aLogOfManySegmentsThatIsFlushedKeepsItsPromise(
    _ promise: LogPromise
  ) async throws {
    let place = try Directory {
      $0.durability = .synced
      $0.segments = SegmentLimits(maximumBytes: 4096)
    }
    try await promise.check(on: place)
  }

  /// Each lie, and the promises that it breaks.
  @Test(arguments: LyingLog.Lie.allCases) func aLogThatLiesIsFoundOut(_ lie: LyingLog.Lie) async throws {
    let place = try LyingLogs(lie)
    await #expect(throws: (any Error).self, "\(lie.broken) stands it that a log \(lie)") {
      // Some of them never answer.
      try await lie.broken.check(on: place, patience: .seconds(3))
    }
  }

  @Test func limitsSayWhatTheDurabilityIs() async throws {
    for (durability, survives) in [
      (Durability.buffered, LogLimits.Survival.process), (.interval(.seconds(1)), .process), (.synced, .machine),
    ] {
      let log = try await Directory { $0.durability = durability }.open("log")
      #expect(log.limits == LogLimits(maximumRecordBytes: nil, maximumBatchRecords: nil, survives: survives))
    }
  }

  /// Appends through the protocol suspend: they are not the calls that block.
  @Test func anAppendToAnyLogWaitsForItsTurn() async throws {
    @Sendable func append(to log: some AppendOnlyLog) async throws -> Int {
      try await log.append("x", expecting: 1).sequence
    }
    @Sendable func appendBatch(to log: some AppendOnlyLog) async throws -> Range<Int> {
      try await log.append(contentsOf: ["x", "y"], expecting: nil).sequences
    }
    let place = try Directory()
    defer { withExtendedLifetime(place) {} }
    let log = try await place.open("log")
    let transaction = try await log.beginTransaction()
    try await transaction.append("held")
    // On this task's own thread until they suspend: one that blocked would throw `.wouldDeadlock`, or never come back.
    let one = await startWaiting { try await append(to: log) }
    let many = await startWaiting { try await appendBatch(to: log) }
    try await transaction.commit()
    #expect(try await value(of: one) == 1)
    #expect(try await value(of: many) == 2..<4)
  }

  @Test func closingALogLeavesTheOthersOfItsStorage() async throws {
    let place = try Directory()
    let log = try await place.open("log")
    try await log.append("x")
    try await log.shutdown()
    #expect(place.storage.namespaces == ["other"])
    let again = try await place.open("log")
    #expect(again.count == 1)
    // The older handle does not close the newer one.
    try await log.shutdown()
    try await again.append("y")
    try await place.storage.append("z", to: "other")
    // With nobody left who knows it.
    place.storage.close()
    try await again.shutdown()
  }

  @Test func aLogThatOutlivesItsStorageCanBeClosed() async throws {
    let directory = TemporaryDirectory()
    func open() throws -> Log { try Storage(directory: directory.path, namespaces: ["log"]).log("log") }
    let log = try open()
    try await log.append("x")
    try await log.shutdown()
    await #expect(throws: ImmutaError.storageClosed) { try await log.append("y") }
    // The lock is free.
    #expect(try open().count == 1)
  }

  @Test func errorsOfOtherPlacesSayWhatToDo() {
    let append = UnknownAppend(namespace: "orders", id: "a-7", count: 2, earliest: 7, isExpecting: true)
    let errors: [(ImmutaError, String, [String])] = [
      (
        .outcomeUnknown(append, reason: "no answer came within 5 s"), "orders",
        ["2 records", "a-7", "5 s", "outcome(of:)"]
      ),
      (.unavailable("no leader", in: .init(namespace: "orders")), "orders", ["no leader", "try again"]),
      (.batchTooLarge(maximum: 1000, in: .init(namespace: "orders")), "orders", ["1000 records", "append fewer"]),
    ]
    for (error, namespace, words) in errors {
      #expect(error.namespace == namespace)
      for word in words + [namespace] { #expect(error.description.contains(word), "\(error)") }
    }
    #expect(ImmutaError.unavailable("x") == .unavailable("x", in: .init(namespace: "orders")))
  }
}
