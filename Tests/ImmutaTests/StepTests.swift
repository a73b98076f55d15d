import Foundation
import ImmutaTestSupport
import Testing

@testable import Immuta

/// What is appended to several logs in one step is in all of them or in none, and a consumer moves on with what came of its
/// records.
@Suite(.timeLimit(.minutes(3))) struct StepTests {
  private static let names = ["a", "b", "c"]

  private func open(
    _ directory: TemporaryDirectory, _ durability: Durability = .buffered, _ names: [String] = Self.names
  ) throws -> Storage {
    try Storage(directory: directory.path, namespaces: names, configuration: .init(durability: durability))
  }

  private func texts(_ storage: Storage, _ name: String) async throws -> [String] {
    var texts: [String] = []
    for try await record in try storage.log(name).history() { texts.append(record.text) }
    return texts
  }

  /// What a step is refused with that appends something to each of its logs.
  private func refusal(of storage: Storage, _ names: [String], _ counts: [String: Int] = [:]) async -> ImmutaError? {
    await error {
      try await storage.transaction(in: names, expecting: counts) { step in
        for name in names { try await step.append("x", to: name) }
      }
    }
  }

  // MARK: Steps

  @Test(arguments: [Durability.buffered, .synced])
  func itIsInAllOfItsLogsOrInNone(durability: Durability) async throws {
    struct Refused: Error {}
    let directory = TemporaryDirectory()
    let storage = try open(directory, durability)
    defer { storage.close() }
    let receipts = try await storage.transaction(in: ["b", "a"]) { step in
      let first = try await step.append("to a", to: "a")
      #expect(try step.count(of: "a") == 1 && step.count(of: "b") == 0)
      try await step.append(Array("to b".utf8), to: "b")
      try await step.append(ChunkSource(chunks: [[49], [50]]), to: "b")
      #expect(try storage.log("a").count == 0, "nobody sees it before it is committed")
      return first
    }
    #expect(receipts.sequence == 0)
    await #expect(throws: Refused.self) {
      try await storage.transaction(in: Self.names) { step in
        for name in Self.names { try await step.append("never", to: name) }
        throw Refused()
      }
    }
    #expect(try await texts(storage, "a") == ["to a"])
    #expect(try await texts(storage, "b") == ["to b", "12"])
    #expect(try await texts(storage, "c").isEmpty)
    for name in Self.names { try await storage.append("after", to: name) }
    #expect(try await texts(storage, "c") == ["after"])
  }

  @Test func codeThatIsNotAsyncMakesStepsToo() throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory)
    defer { storage.close() }
    try storage.transaction(in: ["a", "c"], expecting: ["a": 0]) { step in
      try step.append("x", to: "a")
      try step.append([UInt8]("y".utf8), to: "c")
    }
    #expect(try storage.log("a").record(at: 0).text == "x" && storage.log("c").record(at: 0).text == "y")
  }

  @Test func whatDoesNotFitIsToldAndNothingIsAppended() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory)
    defer { storage.close() }
    try await storage.append("0", to: "b")
    #expect(await refusal(of: storage, Self.names, ["b": 0]) == .unexpectedCount(expected: 0, actual: 1))
    #expect(await refusal(of: storage, []) == .namespaceRequired)
    #expect(await refusal(of: storage, ["a", "nope"]) == .namespaceNotFound("nope"))
    #expect(await refusal(of: storage, ["a"], ["b": 1]) == .namespaceNotFound("b"))
    let outside = await error {
      try await storage.transaction(in: ["a", "b"]) { step in
        try await step.append("x", to: "a")
        try await step.append("x", to: "c")
      }
    }
    #expect(outside == .namespaceNotFound("c"))
    #expect(try storage.log("a").count == 0)
    let own = await error {
      try await storage.transaction(in: ["a", "b"]) { step in
        try await step.append("x", to: "a")
        try await storage.append("y", to: "b")
      }
    }
    guard case .wouldDeadlock = own else {
      Issue.record("\(String(describing: own)) was thrown")
      return
    }
    #expect(try storage.log("a").count == 0 && storage.log("b").count == 1)
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let reading = try Storage(directory: directory.path, namespaces: ["a", "b"], configuration: configuration)
    defer { reading.close() }
    #expect(await refusal(of: reading, ["a", "b"]) == .readOnly)
  }

  /// Names are taken in order, whatever order they are given in.
  @Test func stepsDoNotWaitForEachOther() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory)
    defer { storage.close() }
    try await withinLimit {
      try await withThrowingTaskGroup { group in
        for task in 0..<8 {
          group.addTask {
            for number in 0..<100 {
              let names = task % 2 == 0 ? Self.names : Self.names.reversed()
              try await storage.transaction(in: names) { step in
                for name in names { try await step.append("\(task) \(number)", to: name) }
              }
            }
          }
        }
        group.addTask { for _ in 0..<100 { try await storage.append("alone", to: "b") } }
        try await group.waitForAll()
      }
    }
    let steps = try await texts(storage, "a")
    #expect(steps.count == 800)
    #expect(try await texts(storage, "b").filter { $0 != "alone" } == steps, "all logs have the steps in one order")
    #expect(try await texts(storage, "c") == steps)
  }

  /// The part of one log, and not of another, could be on the device: but for what the intent says.
  @Test(arguments: [false, true]) func aStepCostsAFlushOfEachLogAndOneMore(asked: Bool) async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory, asked ? .buffered : .synced)
    defer { storage.close() }
    try await storage.transaction(in: Self.names, synced: true) { step in
      for name in Self.names { try await step.append("first", to: name) }
    }
    for name in Self.names { try await storage.log(name).sync() }
    // What the step before has left to a thread may still come, once: a cost of this step's own comes each time.
    var flushesOfThird = 1
    for attempt in 1...5 where flushesOfThird > 0 {
      let injector = FaultInjector(directory: directory.path, overwritesInPlace: true)
      try await injector.run {
        try await storage.transaction(in: ["a", "b", "c"], synced: true) { step in
          for name in ["a", "b"] { try await step.append("second", to: name) }
        }
        #expect(injector.count(.flush, of: ".intents/a") == 1)
        // Once more, perhaps: a moment later the records are stable without the intent, too.
        for name in ["a", "b"] { #expect((1...2).contains(injector.count(.flush, of: "\(name).log"))) }
        flushesOfThird = injector.count(.flush, of: "c.log")
        #expect(try await texts(storage, "b") == ["first"] + Array(repeating: "second", count: attempt))
      }
    }
    #expect(flushesOfThird == 0)
  }

  @Test func aStepIntoOneLogIsATransactionOfIt() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory)
    defer { storage.close() }
    _ = try await storage.transaction(in: Self.names) { step in try await step.append("x", to: "b") }
    #expect(try await texts(storage, "b") == ["x"])
    #expect(!directory.exists(".intents"))
  }

  @Test(arguments: [Durability.buffered, .synced])
  func theIntentIsGoneWhenTheLogsAreClosed(durability: Durability) async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try open(directory, durability)
      defer { storage.close() }
      for number in 0..<3 {
        try await storage.transaction(in: ["c", "b"]) { step in
          for name in ["b", "c"] { try await step.append("\(number)", to: name) }
        }
      }
      #expect(directory.exists(".intents/b"))
    }
    #expect(!directory.exists(".intents/b"))
    let storage = try open(directory)
    defer { storage.close() }
    #expect(try await texts(storage, "c") == ["0", "1", "2"])
  }

  // MARK: What a process leaves

  /// The files as they were at the calls of a step, by what had happened.
  private final class Moments: SystemCallHook {
    let directory: TemporaryDirectory
    let target: TemporaryDirectory
    private let taken = Box<[String]>([])

    init(_ directory: TemporaryDirectory, _ target: TemporaryDirectory) {
      (self.directory, self.target) = (directory, target)
    }

    private func take(_ name: String) {
      let isNew = taken.withLock { taken in
        defer { taken.append(name) }
        return !taken.contains(name)
      }
      if isNew { try? FileBytes.copy(directory: directory.path, to: target.file(name)) }
    }

    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      if call == .write, path.hasSuffix(".intents/a") { take("before") }
      if call == .write, path.hasSuffix(".position") { take("published") }
      return .proceed
    }

    func didCall(_ call: SystemCall, path: String) {
      if call == .write, path.hasSuffix(".intents/a") { take("decided") }
      if call == .write, path.hasSuffix(".position") { take("done") }
    }
  }

  /// The files at the calls of a step that appends an “x” to each of these logs.
  private func decided(_ names: [String]) async throws -> TemporaryDirectory {
    let directory = TemporaryDirectory()
    let moments = TemporaryDirectory()
    let storage = try open(directory)
    defer { storage.close() }
    try await SystemCalls.withHook(Moments(directory, moments)) {
      try await storage.transaction(in: names) { step in
        for name in names { try await step.append("x", to: name) }
      }
    }
    return moments
  }

  /// Every state that a process which dies in a step can leave: before the intent nothing counts, after it everything, whichever
  /// of the logs have their part and whether the position has moved.
  @Test func whateverIsDoneOfAStepWhenTheProcessDiesTheRestFollows() async throws {
    let directory = TemporaryDirectory()
    let moments = TemporaryDirectory()
    do {
      let storage = try open(directory, .buffered, Self.names + ["in"])
      defer { storage.close() }
      for number in 0..<6 { try await storage.append("\(number)", to: "in") }
      let consumer = try storage.log("in").consumer("worker")
      let logs = try Self.names.map { try storage.log($0) }
      let before = try await consumer.processAtOnce(into: logs, atMost: 2) { record, step in
        for name in ["a", "b"] { try await step.append("\(name)\(record.text)", to: name) }
      }
      #expect(before == 2)
      // The two slots are in use.
      let hook = Moments(directory, moments)
      try await SystemCalls.withHook(hook) {
        let processed = try await consumer.processAtOnce(into: logs, atMost: 3) { record, step in
          for name in ["a", "b"] { try await step.append("\(name)\(record.text)", to: name) }
        }
        #expect(processed == 3)
      }
    }
    for name in ["before", "decided", "published", "done"] { #expect(moments.exists(name)) }
    for choice in 0..<16 {
      let image = TemporaryDirectory()
      let isDecided = choice & 8 != 0
      try FileBytes.copy(directory: moments.file(isDecided ? "decided" : "before"), to: image.path)
      if isDecided {
        for (bit, files) in [(1, ["a.log", "a.idx"]), (2, ["b.log", "b.idx"])] where choice & bit != 0 {
          for file in files { try copy(file, from: moments.file("published"), to: image.path) }
        }
        if choice & 4 != 0 { try copy("in.consumers/worker.position", from: moments.file("done"), to: image.path) }
      }
      // Whichever log is opened first.
      let first = Self.names[choice % 3]
      let opened = try open(image, .buffered, [first])
      opened.close()
      let storage = try open(image, .buffered, Self.names + ["in"])
      defer { storage.close() }
      let count = isDecided ? 5 : 2
      for name in ["a", "b"] {
        #expect(try await texts(storage, name) == (0..<count).map { "\(name)\($0)" }, "\(choice)")
      }
      let consumer = try storage.log("in").consumer("worker", creating: false)
      #expect(consumer.position == count, "\(choice)")
      #expect(!image.exists(".intents/a"))
      try storage.log("a").verifyOrThrow()
    }
  }

  private func copy(_ file: String, from source: String, to target: String) throws {
    let bytes = try #require(try FileBytes.read("\(source)/\(file)"))
    try FileBytes.write(bytes, to: "\(target)/\(file)")
  }

  /// The consumer alone is opened, by a process that only reads its log.
  @Test func aConsumerWhoseStepWasCutOffFollows() async throws {
    let directory = TemporaryDirectory()
    let moments = TemporaryDirectory()
    do {
      let storage = try open(directory, .buffered, ["a", "in"])
      defer { storage.close() }
      for number in 0..<3 { try await storage.append("\(number)", to: "in") }
      let consumer = try storage.log("in").consumer("worker")
      try await SystemCalls.withHook(Moments(directory, moments)) {
        _ = try await consumer.processAtOnce(into: try storage.log("a")) { record, transaction in
          try await transaction.append(record.text)
        }
      }
    }
    let image = TemporaryDirectory()
    try FileBytes.copy(directory: moments.file("decided"), to: image.path)
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let reading = try Storage(directory: image.path, namespaces: ["in"], configuration: configuration)
    defer { reading.close() }
    #expect(try reading.log("in").consumer("worker").position == 3)
    let storage = try open(image, .buffered, ["a"])
    defer { storage.close() }
    #expect(try await texts(storage, "a") == ["0", "1", "2"])
  }

  /// A position that was moved since is not moved again by an intent that is still there.
  @Test func anIntentThatIsDoneMovesNobody() async throws {
    let directory = TemporaryDirectory()
    let image = TemporaryDirectory()
    let storage = try open(directory, .buffered, ["a", "in"])
    defer { storage.close() }
    for number in 0..<3 { try await storage.append("\(number)", to: "in") }
    let consumer = try storage.log("in").consumer("worker")
    _ = try await consumer.processAtOnce(into: try storage.log("a")) { record, transaction in
      try await transaction.append(record.text)
    }
    try await consumer.seek(to: .beginning)
    try FileBytes.copy(directory: directory.path, to: image.path)
    let other = try open(image, .buffered, ["a", "in"])
    #expect(try other.log("in").consumer("worker").position == 0)
    other.close()
    // Nor one that was removed and made again.
    consumer.close()
    try storage.log("in").removeConsumer("worker")
    _ = try storage.log("in").consumer("worker", startingAt: .sequence(1))
    try FileBytes.copy(directory: directory.path, to: image.path)
    let another = try open(image, .buffered, ["a", "in"])
    defer { another.close() }
    #expect(try another.log("in").consumer("worker").position == 1)
    #expect(try await texts(another, "a") == ["0", "1", "2"])
  }

  /// Steps of a consumer whose first logs are different ones have their intents in different files: the position ends where the last
  /// one led, whichever file is looked at first.
  @Test(arguments: [false, true]) func thePositionEndsWhereTheLastStepLed(isReversed: Bool) async throws {
    let directory = TemporaryDirectory()
    let image = TemporaryDirectory()
    let storage = try open(directory, .synced, ["a", "b", "in"])
    defer { storage.close() }
    for number in 0..<6 { try await storage.append("\(number)", to: "in") }
    let consumer = try storage.log("in").consumer("worker")
    let before = try directory.bytes(of: "in.consumers/worker.position")
    for name in isReversed ? ["a", "a", "b"] : ["b", "b", "a"] {
      _ = try await consumer.processAtOnce(into: try storage.log(name), atMost: 2) { record, transaction in
        try await transaction.append(record.text)
      }
    }
    // What a power cut leaves: the logs and the intents, and the position as it was.
    try FileBytes.copy(directory: directory.path, to: image.path)
    try image.write(before, to: "in.consumers/worker.position")
    try Reboot.mark(directory: image.path)
    for name in ["a", "b"] { #expect(image.exists(".intents/\(name)")) }
    let other = try open(image, .synced, ["a", "b", "in"])
    defer { other.close() }
    #expect(try other.log("in").consumer("worker").position == 6)
  }

  /// One who has another log of a step that was cut off is named; who needs nothing of it is not held up.
  @Test func aStepIsNotFinishedWithoutTheLogThatSomebodyElseHas() async throws {
    let moments = try await decided(["a", "b"])
    let image = TemporaryDirectory()
    try FileBytes.copy(directory: moments.file("decided"), to: image.path)
    let lock = try FileLock.take(
      "a.lock", in: Directory(opening: image.path), subject: "a", rights: nil,
      trust: FileTrust(in: Directory(opening: image.path)))
    let refused = await error { _ = try open(image, .buffered, ["b"]) }
    guard case .locked(let holder) = refused else {
      Issue.record("\(String(describing: refused)) was thrown")
      return
    }
    #expect(holder.namespace == "a")
    let other = try open(image, .buffered, ["c"])
    other.close()
    lock.unlock()
    let storage = try open(image)
    defer { storage.close() }
    #expect(try await texts(storage, "b") == ["x"])
  }

  /// After a restart of the machine what was not stable is what each log has kept.
  @Test func anIntentThatWasNotStableDoesNotCountAfterARestart() async throws {
    let moments = try await decided(["a", "b"])
    let image = TemporaryDirectory()
    try FileBytes.copy(directory: moments.file("decided"), to: image.path)
    try Reboot.mark(directory: image.path)
    let storage = try open(image)
    defer { storage.close() }
    for name in ["a", "b"] { #expect(try await texts(storage, name).isEmpty) }
    #expect(!image.exists(".intents/a"))
  }

  /// Nothing may say that the step counts, once it was taken back.
  @Test(arguments: [FileCall.write, .flush])
  func anIntentThatCannotBeWrittenIsNone(call: FileCall) async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try open(directory, .synced)
      defer { storage.close() }
      try await storage.transaction(in: ["a", "b"]) { step in
        for name in ["a", "b"] { try await step.append("0", to: name) }
      }
      let injector = FaultInjector(directory: directory.path, .error(EIO), of: call) { $0.hasSuffix(".intents/a") }
      let refused = await injector.run {
        await error {
          try await storage.transaction(in: ["a", "b"]) { step in
            for name in ["a", "b"] { try await step.append("1", to: name) }
          }
        }
      }
      guard case .io(EIO, _, _) = refused else {
        Issue.record("\(String(describing: refused)) was thrown")
        return
      }
      #expect(injector.injected == 1)
      for name in ["a", "b"] { #expect(try await texts(storage, name) == ["0"]) }
      if call == .write {
        try await storage.transaction(in: ["a", "b"]) { step in
          for name in ["a", "b"] { try await step.append("2", to: name) }
        }
      }
    }
    let storage = try open(directory)
    defer { storage.close() }
    let found = try await texts(storage, "a")
    #expect(found == (call == .write ? ["0", "2"] : ["0"]))
    #expect(try await texts(storage, "b") == found)
  }

  @Test func aDamagedIntentIsNone() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try open(directory)
      defer { storage.close() }
      try await storage.append("x", to: "a")
    }
    try FileManager.default.createDirectory(atPath: directory.file(".intents"), withIntermediateDirectories: true)
    for bytes in [[], [1, 2, 3], [UInt8](repeating: 0xAB, count: 3 * StepIntent.slotSize)] as [[UInt8]] {
      try directory.write(bytes, to: ".intents/a")
      let storage = try open(directory)
      #expect(try await texts(storage, "a") == ["x"])
      try await storage.transaction(in: ["a", "b"]) { step in
        for name in ["a", "b"] { try await step.append("y", to: name) }
      }
      storage.close()
      #expect(!directory.exists(".intents/a"))
      try FileManager.default.removeItem(atPath: directory.file("a.log"))
      for name in ["a.idx", "b.log", "b.idx"] { try FileManager.default.removeItem(atPath: directory.file(name)) }
      let again = try open(directory)
      try await again.append("x", to: "a")
      again.close()
    }
  }

  // MARK: Processing

  @Test(arguments: [Durability.buffered, .synced])
  func recordsBecomeRecordsOfAnotherLogOnce(durability: Durability) async throws {
    struct Refused: Error {}
    let directory = TemporaryDirectory()
    do {
      let storage = try open(directory, durability, ["in", "out"])
      defer { storage.close() }
      try await storage.log("in").append(contentsOf: (0..<100).map { "\($0)" })
      let consumer = try storage.log("in").consumer("worker")
      let out = try storage.log("out")
      #expect(try await consumer.processNext(into: out, atMost: 10) { try await $1.append("<\($0.text)>") } == 10)
      #expect(consumer.position == 10 && consumer.lag == 90)
      await #expect(throws: Refused.self) {
        _ = try await consumer.processAtOnce(into: out, atMost: 10) { record, transaction in
          try await transaction.append("<\(record.text)>")
          if record.sequence == 15 { throw Refused() }
        }
      }
      #expect(consumer.position == 10 && out.count == 10, "nothing of a step that failed stays")
      let running = Task {
        try await consumer.process(into: out, atMost: 7) { record, transaction in
          try await transaction.append("<\(record.text)>")
        }
      }
      #expect(await eventually { consumer.position == 100 })
      try await storage.log("in").append("100")
      #expect(await eventually { consumer.position == 101 })
      running.cancel()
      await #expect(throws: CancellationError.self) { try await running.value }
    }
    let storage = try open(directory, durability, ["in", "out"])
    defer { storage.close() }
    let consumer = try storage.log("in").consumer("worker")
    #expect(try await consumer.processAtOnce(into: try storage.log("out")) { _, _ in } == 0)
    #expect(try await texts(storage, "out") == (0...100).map { "<\($0)>" })
  }

  /// What the intent vouches for is flushed with what the next step stages, or a moment later.
  @Test func aBatchOfProcessedRecordsCostsTwoFlushes() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory, .synced, ["in", "out"])
    defer { storage.close() }
    try await storage.log("in").append(contentsOf: (0..<700).map { "\($0)" })
    let consumer = try storage.log("in").consumer("worker")
    let out = try storage.log("out")
    // Files are made, and grow for the first time.
    _ = try await consumer.processAtOnce(into: out) { try await $1.append($0.text) }
    _ = try await consumer.processAtOnce(into: out) { try await $1.append($0.text) }
    let injector = FaultInjector(directory: directory.path, overwritesInPlace: true)
    let start = ContinuousClock.now
    try await injector.run {
      for _ in 0..<5 { _ = try await consumer.processAtOnce(into: out) { try await $1.append($0.text) } }
    }
    let moments = Int((ContinuousClock.now - start) / .milliseconds(20)) + 1
    #expect(injector.count(.flush, of: ".intents/out") == 5)
    #expect(injector.count(.flush, of: "out.log") <= 5 + moments)
    #expect(injector.count(.flush, of: "out.idx") <= 1)
    #expect(injector.count(.flush, of: "in.consumers/worker.position") == 0)
    #expect(consumer.position == 7 * 64)
  }

  @Test func whoMovesTheConsumerMeanwhileIsHeard() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory, .buffered, ["in", "out"])
    defer { storage.close() }
    try await storage.log("in").append(contentsOf: (0..<10).map { "\($0)" })
    let consumer = try storage.log("in").consumer("worker")
    let out = try storage.log("out")
    let processed = try await consumer.processAtOnce(into: out, atMost: 4) { record, transaction in
      try await transaction.append(record.text)
      if record.sequence == 3 { try await consumer.seek(to: .sequence(8)) }
    }
    #expect(processed == 0 && out.count == 0 && consumer.position == 8)
    #expect(try await consumer.processAtOnce(into: out) { try await $1.append($0.text) } == 2)
    #expect(try await texts(storage, "out") == ["8", "9"])
    // Next to it, records are taken and acknowledged as ever.
    try await storage.append("10", to: "in")
    let record = try #require(try consumer.nextAtOnce())
    #expect(record.text == "10")
    try await consumer.acknowledge(record)
    #expect(try await consumer.processAtOnce(into: out) { try await $1.append($0.text) } == 0)
  }

  @Test func whoWaitsToProcessHearsThatTheConsumerWasMovedBack() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory, .buffered, ["in", "out"])
    defer { storage.close() }
    try await storage.log("in").append(contentsOf: ["0", "1", "2"])
    let consumer = try storage.log("in").consumer("worker")
    let out = try storage.log("out")
    let running = Task { try await consumer.process(into: out) { try await $1.append($0.text) } }
    #expect(await eventually { out.count == 3 })
    try await consumer.seek(to: .sequence(1))
    #expect(await eventually { out.count == 5 })
    let waiting = Task { try await consumer.next() }
    try await consumer.seek(to: .sequence(2))
    #expect(await eventually { out.count >= 6 })
    running.cancel()
    waiting.cancel()
    _ = await (running.result, waiting.result)
    #expect(try await texts(storage, "out").prefix(6) == ["0", "1", "2", "1", "2", "2"])
  }

  /// A log that is gone keeps no other from getting its part of a step that was decided on.
  @Test func aStepIsDoneAsFarAsItsLogsAreThere() async throws {
    let moments = try await decided(Self.names)
    for removing in [true, false] {
      let image = TemporaryDirectory()
      try FileBytes.copy(directory: moments.file("decided"), to: image.path)
      if removing {
        let storage = try open(image, .buffered, ["c"])
        try storage.remove("a")
        storage.close()
      } else {
        for file in ["a.log", "a.idx", "a.lock"] { try FileManager.default.removeItem(atPath: image.file(file)) }
      }
      let storage = try open(image, .buffered, ["b", "c"])
      defer { storage.close() }
      for name in ["b", "c"] { #expect(try await texts(storage, name) == ["x"]) }
      // One of its name is another log.
      let other = try storage.log("a", creating: true)
      #expect(other.count == 0)
      try await storage.transaction(in: Self.names) { step in
        for name in Self.names { try await step.append("y", to: name) }
      }
    }
  }

  /// What is not part of the step need not be stable for it.
  @Test func aLogThatGetsNothingHasNoPartInAStep() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory)
    defer { storage.close() }
    try await storage.append("c", to: "c")
    try await storage.transaction(in: Self.names, synced: true) { step in
      for name in ["a", "b"] { try await step.append("x", to: name) }
    }
    let bytes = try directory.bytes(of: ".intents/a")
    let intent = try #require(bytes.withUnsafeBytes { StepIntent.slots(in: $0).whole.last }).intent
    #expect(intent.logs.map(\.namespace) == ["a", "b"] && intent.isStable)
  }

  @Test func severalTasksProcessEachRecordOnce() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory, .buffered, ["in", "a", "b"])
    defer { storage.close() }
    try await storage.log("in").append(contentsOf: (0..<400).map { "\($0)" })
    let consumer = try storage.log("in").consumer("worker")
    try await withinLimit {
      try await withThrowingTaskGroup { group in
        for name in ["a", "b", "a", "b"] {
          let out = try storage.log(name)
          group.addTask {
            while consumer.position < 400 {
              _ = try await consumer.processAtOnce(into: out, atMost: 5) { try await $1.append($0.text) }
            }
          }
        }
        try await group.waitForAll()
      }
    }
    let all = try await texts(storage, "a") + (try await texts(storage, "b"))
    #expect(all.compactMap { Int($0) }.sorted() == Array(0..<400))
  }

  @Test func logsOfAnotherDirectoryAreRefused() async throws {
    let directory = TemporaryDirectory()
    let other = TemporaryDirectory()
    let storage = try open(directory, .buffered, ["in"])
    defer { storage.close() }
    let foreign = try open(other, .buffered, ["out"])
    defer { foreign.close() }
    let consumer = try storage.log("in").consumer("worker")
    let refused = await error { _ = try await consumer.processAtOnce(into: try foreign.log("out")) { _, _ in } }
    guard case .invalidConfiguration(let text) = refused else {
      Issue.record("\(String(describing: refused)) was thrown")
      return
    }
    #expect(text.contains("“out”"))
    #expect(
      await error { _ = try await consumer.processAtOnce(into: [Log]()) { _, _ in } } == .namespaceRequired)
  }

  /// STABLE must not go past a step whose appends a power cut may take.
  @Test func aPositionIsStableWhenWhatCameOfItIs() async throws {
    let directory = TemporaryDirectory()
    let storage = try open(directory, .buffered, ["in", "out"])
    defer { storage.close() }
    try await storage.log("in").append(contentsOf: (0..<10).map { "\($0)" })
    let consumer = try storage.log("in").consumer("worker")
    for _ in 0..<2 {
      _ = try await consumer.processAtOnce(into: try storage.log("out"), atMost: 4) { try await $1.append($0.text) }
    }
    try await storage.log("in").sync()
    consumer.close()
    func mark() throws -> ConsumerMark { try directory.mark(of: "in.consumers/worker.position") }
    #expect(try mark().last.number == 8 && mark().stable.number == 0)
    #expect(try mark().pending == .these(["out"]))
    // Whoever goes on sees to it.
    let injector = FaultInjector(directory: directory.path)
    try await injector.run { try storage.log("in").consumer("worker").close() }
    #expect(injector.count(.flush, of: "out.log") == 1)
    #expect(try mark().last.number == 8)
    #expect(try mark().stable.number == 8)
    #expect(try mark().pending.isEmpty)
  }
}

extension Log {
  fileprivate func verifyOrThrow() throws {
    for number in 0..<count { _ = try record(at: number) }
  }
}
