import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// The faults of the Go program, one by one: none of them is here.
@Suite(.timeLimit(.minutes(3))) struct GoFaultTests {
  @Test func anAppendThatWasNeverCommittedIsNoGhostAfterReopening() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try directory.open()
      defer { storage.close() }
      try await storage.append("first", to: "log")
      let transaction = try await storage.log("log").beginTransaction()
      try await transaction.append("ghost")
    }
    let storage = try directory.open()
    defer { storage.close() }
    #expect(try await storage.append("second", to: "log").sequence == 1)
    #expect(try texts(storage.log("log")) == ["first", "second"])
  }

  @Test func aSourceThatFailsPartWayLeavesNoPhantomRecord() async throws {
    let open = try await OpenLog(1)
    defer { open.close() }
    // Bytes that look like a record.
    let phantom = littleEndian(4) + Array("evil".utf8)
    await #expect(throws: SourceFailed()) {
      try await open.log.append(ChunkSource(chunks: [phantom, phantom], failure: SourceFailed()))
    }
    try await open.log.append("next")
    #expect(try texts(open.log) == ["0", "next"])
    #expect(try await open.log.verify().records == 2)
  }

  @Test func latestDeliversNoOldRecordAndAllThreeOfATransaction() async throws {
    let open = try await OpenLog(3)
    defer { open.close() }
    var stream = open.log.stream(from: .latest)
    try await open.log.transaction { transaction in
      for text in ["a", "b", "c"] { try await transaction.append(text) }
    }
    for text in ["a", "b", "c"] { #expect(try await stream.next(timeout: .seconds(5))?.text == text) }
  }

  @Test func noStreamSeesARecordThatIsRolledBackOrHalfAppended() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let log = open.log
    let reader = Task<[String], any Error> {
      var texts: [String] = []
      for try await record in log.stream() {
        texts.append(record.text)
        if record.sequence == 100 { break }
      }
      return texts
    }
    let (source, continuation) = AsyncStream<[UInt8]>.makeStream()
    let half = await startWaiting { try await log.append(source) }
    continuation.yield(Array("half and ".utf8))
    await Task.yield()
    continuation.yield(Array("half".utf8))
    continuation.finish()
    _ = try await value(of: half)
    for number in 0..<100 {
      let transaction = try await log.beginTransaction()
      try await transaction.append("ghost \(number)")
      await Task.yield()
      transaction.rollBack()
      try await log.append("kept \(number)")
    }
    #expect(try await value(of: reader) == ["half and half"] + (0..<100).map { "kept \($0)" })
  }

  @Test func skippingTenOnALogOfTwoWaitsForTheEleventh() async throws {
    let open = try await OpenLog(2)
    defer { open.close() }
    let log = open.log
    let waiting = await startWaiting {
      var stream = log.stream(from: .skipping(10))
      return try await stream.next()?.text
    }
    for number in 2..<12 { try await log.append("\(number)") }
    #expect(try await value(of: waiting) == "10")
  }

  /// Counts the calls on one directory's files.
  private final class CallCounter: SystemCallHook {
    private let directory: String
    private let overwrites: Bool?
    private let calls = Box<[(SystemCall, String)]>([])

    init(_ directory: String, overwritesInPlace: Bool? = nil) {
      self.directory = directory
      overwrites = overwritesInPlace
    }

    func count(_ call: SystemCall, _ suffix: String = "") -> Int {
      calls.withLock { $0.filter { $0.0 == call && $0.1.hasSuffix(suffix) }.count }
    }

    func reset() { calls.withLock { $0 = [] } }

    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome { .proceed }
    func didCall(_ call: SystemCall, path: String) {
      if path.hasPrefix(directory) { calls.withLock { $0.append((call, path)) } }
    }

    func overwritesInPlace(path: String) -> Bool? { path.hasPrefix(directory) ? overwrites : nil }
  }

  @Test func skippingCostsNoCallPerSkippedRecord() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill((0..<5_000).map { littleEndian($0) })
    let counter = CallCounter(directory.path)
    try await SystemCalls.withHook(counter) {
      let storage = try directory.open()
      defer { storage.close() }
      var stream = storage.stream("log", from: .skipping(4_999))
      #expect(try await stream.next()?.sequence == 4_999)
    }
    #expect(counter.count(.read) < 20)
  }

  @Test func aTimedOutOrCancelledNextLosesNoTurn() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let log = open.log
    var timed = log.stream()
    #expect(try await timed.next(timeout: .milliseconds(2)) == nil)
    let cancelled = await startWaiting {
      var stream = log.stream()
      _ = try? await stream.next()
      return stream
    }
    cancelled.cancel()
    var stream = try await value(of: cancelled)
    for number in 0..<3 { try await log.append("\(number)") }
    for number in 0..<3 {
      #expect(try await timed.next(timeout: .seconds(5))?.text == "\(number)")
      #expect(try await stream.next(timeout: .seconds(5))?.text == "\(number)")
    }
  }

  @Test func recordsHeldForEverOrLetGoOfHangNobody() async throws {
    let open = try await OpenLog(200)
    defer { open.close() }
    var held: [Record] = []
    for _ in 0..<50 {
      var stream = open.log.stream()
      while let record = try await stream.next(timeout: .zero) { if record.sequence % 2 == 0 { held.append(record) } }
      #expect(stream.position == 200)
    }
    #expect(held.allSatisfy { $0.text == "\($0.sequence)" })
  }

  @Test func moreOpenStreamsThanDescriptorsBlockNobody() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill((0..<10).map { [UInt8($0)] })
    var configuration = Storage.Configuration()
    configuration.readerCount = 1
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    defer { storage.close() }
    var streams = (0..<20).map { _ in storage.stream("log") }
    for position in streams.indices { #expect(try await streams[position].next(timeout: .seconds(5))?.sequence == 0) }
  }

  @Test func streamsOfUnknownNamespacesAndClosedStoragesThrow() async throws {
    let open = try await OpenLog(1)
    var unknown = open.storage.stream("unknown")
    await #expect(throws: ImmutaError.namespaceNotFound("unknown")) { try await unknown.next() }
    open.close()
    var closed = open.storage.stream("log")
    await #expect(throws: ImmutaError.storageClosed) { try await closed.next() }
  }

  @Test func aNamespaceNamedTwiceOpensNoSecondWriterAndNoneLeavesTheDirectory() throws {
    let directory = TemporaryDirectory()
    #expect(throws: ImmutaError.duplicateNamespace("a")) {
      try Storage(directory: directory.file("in"), namespaces: ["a", "a"])
    }
    #expect(throws: ImmutaError.invalidNamespace("../x")) {
      try Storage(directory: directory.file("in"), namespaces: ["../x"])
    }
    #expect(!directory.exists("x.log"))
  }

  @Test func twoWritersCannotOverwriteEachOthersRecords() async throws {
    let open = try await OpenLog(2)
    defer { open.close() }
    #expect(performing: { try open.directory.open() }, throws: isLocked)
    try await open.log.append("2")
    #expect(try texts(open.log) == ["0", "1", "2"])
  }

  @Test func aFlippedByteOrAPayloadCutShortIsNotDeliveredAsWhole() async throws {
    for isCut in [false, true] {
      let directory = TemporaryDirectory()
      try await directory.fill([pattern(100), pattern(200)])
      var bytes = try directory.bytes(of: "log.log")
      if isCut { bytes.removeLast(50) } else { bytes[bytes.count - 50] ^= 1 }
      try directory.write(bytes, to: "log.log")
      let damage = await corruption {
        let storage = try directory.open()
        defer { storage.close() }
        var stream = storage.stream("log", from: .skipping(1))
        _ = try await stream.next()
      }
      #expect(damage?.sequence == 1)
    }
  }

  @Test(arguments: [true, false])
  func commitAndCloseFlushTheFilesAndTheirDirectory(overwritesInPlace: Bool) async throws {
    let directory = TemporaryDirectory()
    let counter = CallCounter(directory.path, overwritesInPlace: overwritesInPlace)
    try await SystemCalls.withHook(counter) {
      let storage = try directory.open(.synced)
      try await storage.append("first", to: "log")
      #expect(counter.count(.flush, directory.path) >= 1)
      #expect(counter.count(.flush, "log.log") >= 1 && counter.count(.flush, "log.idx") >= 1)
      counter.reset()
      for _ in 0..<10 { try await storage.append("more", to: "log") }
      // One flush a commit, or one of each file where one is not enough.
      #expect(counter.count(.flush, "log.log") == 10)
      #expect(counter.count(.flush, "log.idx") == (overwritesInPlace ? 0 : 10))
      #expect(counter.count(.writeBack, "log.idx") == (overwritesInPlace ? 10 : 0))
      // The record and the header; the entry and the mark of what is stable.
      #expect(counter.count(.write, "log.log") == 20 && counter.count(.write, "log.idx") == 20)
      counter.reset()
      storage.close()
      #expect(counter.count(.flush, "log.log") >= 1 && counter.count(.flush, "log.idx") >= 1)
      let buffered = try directory.open()
      counter.reset()
      try await buffered.append("buffered", to: "log")
      counter.reset()
      try await buffered.append("buffered", to: "log")
      #expect(counter.count(.flush) == 0 && counter.count(.write) == 0)
      buffered.close()
      #expect(counter.count(.flush, "log.log") >= 1 && counter.count(.flush, "log.idx") >= 1)
    }
  }

  @Test func oneCallersCommitCommitsNobodyElsesAppends() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let log = open.log
    try await withinLimit {
      try await withThrowingTaskGroup { group in
        for caller in 0..<8 {
          group.addTask {
            for round in 0..<50 {
              let transaction = try await log.beginTransaction()
              try await transaction.append("\(caller) \(round) a")
              await Task.yield()
              try await transaction.append("\(caller) \(round) b")
              if caller % 2 == 0 { try await transaction.commit() } else { transaction.rollBack() }
            }
          }
        }
        try await group.waitForAll()
      }
    }
    let found = try texts(log)
    #expect(found.count == 4 * 50 * 2)
    for pair in stride(from: 0, to: found.count, by: 2) {
      #expect(found[pair].dropLast() == found[pair + 1].dropLast() && found[pair].hasSuffix("a"))
      #expect(found[pair].first?.wholeNumberValue.map { $0 % 2 } == 0)
    }
  }
}
