import Foundation
import ImmutaLocking
import ImmutaTestSupport
import Testing

@testable import Immuta

/// The records of one log by a key.
@Suite(.timeLimit(.minutes(3))) struct KeysTests {
  @Test func aKeyHasItsRecordsInOrder() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let accounts = try open.log.accounts()
    for text in ["a 1", "b 1", "", "a 2", "c 1", "a 3"] { try await open.log.append(text) }
    #expect(try await accounts.texts("a") == ["a 1", "a 2", "a 3"])
    #expect(try await accounts.texts("b") == ["b 1"])
    #expect(try await accounts.texts("d").isEmpty)
    #expect(try await accounts.count(of: "a") == 3)
    #expect(try await accounts.count(of: "d") == 0)
    #expect(try await accounts.keys == ["a", "b", "c"])
    #expect(try await accounts.record(1, of: "a")?.sequence == 3)
    #expect(try await accounts.record(3, of: "a") == nil)
    #expect(try await accounts.record(-1, of: "a") == nil)
    let blocking = try await onThread {
      try (accounts.count(of: "a"), accounts.allKeys(), accounts.record(0, of: "b")?.text)
    }
    #expect(blocking == (3, ["a", "b", "c"], "b 1"))
  }

  @Test func theClosureOfTheDocumentationIsOne() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let accounts = try open.log.keyed("account") { $0.text.split(separator: " ").first.map(String.init) }
    try await accounts.append("account-7 opened", expecting: 0)
    try await accounts.append("account-7 paid", expecting: 1)
    #expect(try await accounts.texts("account-7") == ["account-7 opened", "account-7 paid"])
  }

  @Test func keysMayBeBytes() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let byFirst = try open.log.keyed("first") { payload in payload.first.map { [$0] } }
    for bytes in [[0, 1], [255, 2], [0, 3], []] as [[UInt8]] { try await open.log.append(bytes) }
    #expect(try await byFirst.count(of: [0]) == 2)
    #expect(try await byFirst.keys == [[0], [255]])
  }

  @Test func aStreamWaitsForItsKeysNextRecord() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let accounts = try open.log.accounts()
    try await open.log.append("a 1")
    var stream = accounts.stream("a")
    #expect(try await stream.next()?.text == "a 1")
    #expect(try await stream.next(timeout: .milliseconds(5)) == nil)
    let waiting = stream
    let task = await startWaiting {
      var stream = waiting
      return try await stream.next()?.text
    }
    for number in 0..<100 { try await open.log.append("b \(number)") }
    try await open.log.append("a 2")
    #expect(try await value(of: task) == "a 2")
    #expect(try await stream.next()?.text == "a 2")
    #expect(stream.position == 102)
    let reader = accounts.reader("a", from: .latest)
    let read = await startWaiting { try await reader.next()?.text }
    try await open.log.append("b 100")
    try await open.log.append("a 3")
    #expect(try await value(of: read) == "a 3")
    #expect(try await reader.next(timeout: .zero) == nil)
    reader.position = 0
    #expect(try await reader.next()?.text == "a 1")
  }

  @Test func aStreamEndsWhenItsTaskIsCancelledOrTheStorageClosed() async throws {
    let open = try await OpenLog(0)
    let accounts = try open.log.accounts()
    let cancelled = await startWaiting {
      var stream = accounts.stream("a")
      return try await stream.next()?.text
    }
    cancelled.cancel()
    await #expect(throws: CancellationError.self) { try await value(of: cancelled) }
    let closed = await startWaiting {
      var stream = accounts.stream("a")
      return try await stream.next()?.text
    }
    open.close()
    await #expect(throws: ImmutaError.storageClosed) { try await value(of: closed) }
    await #expect(throws: ImmutaError.storageClosed) { try await accounts.count(of: "a") }
    await #expect(throws: ImmutaError.storageClosed) { try await accounts.append("a 1", expecting: 0) }
  }

  @Test func aStreamBeginsAtAPlaceOfTheLog() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let accounts = try open.log.accounts()
    for number in 0..<10 { try await open.log.append("\(number % 2 == 0 ? "a" : "b") \(number)") }
    #expect(try await accounts.texts("a", from: .sequence(5)) == ["a 6", "a 8"])
    #expect(try await accounts.texts("a", from: .last(3)) == ["a 8"])
    #expect(try await accounts.texts("a", from: .latest).isEmpty)
    await #expect(throws: ImmutaError.positionBeyondEnd(position: 11, count: 10)) {
      try await accounts.texts("a", from: .sequence(11))
    }
  }

  // MARK: Only if

  @Test func aRecordIsAppendedIfItsKeyHasThatManyRecords() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let accounts = try open.log.accounts()
    let calls: [@Sendable (Int) async throws -> any Sendable] = [
      { try await accounts.append("a x", expecting: $0) },
      { try await accounts.append(Array("a x".utf8), expecting: $0) },
      { try await accounts.transaction(of: "a", expecting: $0) { try await $0.append("a x") } },
      { count in try await onThread { try accounts.append("a x", expecting: count) } },
      { count in try await onThread { try accounts.append(Array("a x".utf8), expecting: count) } },
      { count in
        try await onThread { try accounts.transaction(of: "a", expecting: count) { try $0.append("a x") } }
      },
    ]
    for (count, call) in calls.enumerated() {
      // Others do not matter.
      try await open.log.append("b y")
      for wrong in [count - 1, count + 1, .min, .max] {
        do {
          _ = try await call(wrong)
          Issue.record("appended with \(wrong)")
        } catch let error as ImmutaError {
          #expect(error == .unexpectedCount(expected: wrong, actual: count) && error.namespace == "log")
          // The log has other numbers.
          #expect("\(error)".hasPrefix("the key “a” of “log” has "), "\(error)")
        }
      }
      _ = try await call(count)
      #expect(try await accounts.count(of: "a") == count + 1)
    }
    await #expect(throws: ImmutaError.self) { try await accounts.append("", expecting: 0) }
    #expect(open.log.count == 2 * calls.count)
  }

  // MARK: Segments

  @Test func whatASealedSegmentHasIsFoundInItsFile() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    let log = try storage.log("log")
    let accounts = try log.accounts()
    for number in 0..<400 {
      if number % 100 == 99 { try await log.roll() }
      try await log.append("\(["a", "b", "c"][number % 3]) \(number)")
    }
    let expected = stride(from: 0, to: 400, by: 3).map { "a \($0)" }
    #expect(try await accounts.texts("a") == expected)
    accounts.finishFiles()
    storage.close()
    #expect(try directory.keyFiles() == [0, 99, 199, 299].map { "account.\(LogFiles.digits($0)).keys" })

    let injector = FaultInjector(directory: directory.path)
    try await injector.run {
      let storage = try directory.open()
      defer { storage.close() }
      let log = try storage.log("log")
      let opened = injector.count(.read, of: "log.log")
      #expect(try await log.accounts().count(of: "a") == expected.count)
      // The segment is opened, and the first record says that it is the key's.
      #expect(injector.count(.read, of: "log.log") - opened <= 3)
      #expect(try await log.accounts().texts("a") == expected)
      #expect(try await log.accounts().keys == ["a", "b", "c"])
      for number in [0, 20, 33, 34, 133] {
        #expect(try await log.accounts().record(number, of: "a")?.text == expected[number])
      }
    }
  }

  @Test func filesAreMadeOfALogThatHadNone() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<30 {
      if number % 10 == 9 { try await log.roll() }
      try await log.append("\(number % 2) \(number)")
    }
    #expect(try await log.accounts().count(of: "1") == 15)
    #expect(try directory.keyFiles().count == 3)
  }

  @Test func whereNothingCanBeWrittenTheIndexIsInMemory() async throws {
    let directory = TemporaryDirectory()
    try directory.write([], to: "log.keys")
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<30 {
      if number % 10 == 9 { try await log.roll() }
      try await log.append("\(number % 2) \(number)")
    }
    let accounts = try log.accounts()
    #expect(try await accounts.count(of: "1") == 15)
    #expect(try await accounts.texts("0") == stride(from: 0, to: 30, by: 2).map { "0 \($0)" })
    try await log.roll()
    try await log.append("1 30")
    try await log.removeRecords(before: 20)
    #expect(try await accounts.count(of: "1") == 16)
  }

  @Test func aFollowerHasTheKeysToo() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<20 { try await log.append("\(number % 2) \(number)") }
    try await log.roll()
    try await log.append("1 20")
    let reading = try directory.open(access: .readOnly)
    defer { reading.close() }
    let followed = try reading.log("log").accounts()
    #expect(try await followed.count(of: "1") == 11)
    var stream = followed.stream("1", from: .sequence(20))
    #expect(try await stream.next()?.text == "1 20")
    try await log.append("0 21")
    try await log.roll()
    try await log.append("1 22")
    #expect(try await stream.next()?.text == "1 22")
    #expect(try await followed.count(of: "1") == 12)
    await #expect(throws: ImmutaError.readOnly) { try await followed.append("1 23", expecting: 12) }
  }

  /// The log is put back from an older copy, and grows otherwise.
  @Test func aFollowerNoticesThatTheLogIsNotWhatItWas() async throws {
    let (directory, older) = (TemporaryDirectory(), TemporaryDirectory())
    func append(_ texts: [String]) async throws {
      let storage = try directory.open()
      defer { storage.close() }
      for text in texts { try await storage.append(text, to: "log") }
    }
    try await append(["a 0", "b 1"])
    try FileBytes.copy(directory: directory.path, to: older.path)
    try await append(["a 2", "a 3"])
    let reading = try directory.open(access: .readOnly)
    defer { reading.close() }
    let accounts = try reading.log("log").accounts()
    var stream = accounts.stream("a")
    for text in ["a 0", "a 2", "a 3"] { #expect(try await stream.next()?.text == text) }
    for name in ["log.log", "log.idx"] {
      try FileManager.default.removeItem(atPath: directory.file(name))
      try directory.write(try older.bytes(of: name), to: name)
    }
    try await append(["b 2", "a 3, again"])
    let error = await #expect(throws: ImmutaError.self) { try await stream.next(timeout: .seconds(30)) }
    guard case .logChanged(let change) = error else {
      Issue.record("\(error.debugDescription)")
      return
    }
    #expect(change.sharedCount == 2)
    #expect(try await accounts.count(of: "a") == 2)
    #expect(try await accounts.texts("a") == ["a 0", "a 3, again"])
    stream.position = change.sharedCount
    #expect(try await stream.next()?.text == "a 3, again")
  }

  @Test func removingANamespaceRemovesItsIndexes() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    try await log.append("a 1")
    try await log.roll()
    try await log.append("a 2")
    #expect(try await log.accounts().count(of: "a") == 2)
    #expect(directory.exists("log.keys"))
    try storage.remove("log")
    #expect(!directory.exists("log.keys"))
  }

  @Test func anIndexNeedsAName() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    for name in ["", ".x", "../x", "a/b", String(repeating: "x", count: 201)] {
      #expect(throws: ImmutaError.self) { try open.log.accounts(name) }
    }
  }

  // MARK: Retention

  @Test func aKeysCountDoesNotGoBackWhenRecordsAreRemoved() async throws {
    let directory = TemporaryDirectory()
    var storage = try directory.open()
    var log = try storage.log("log")
    var accounts = try log.accounts()
    for number in 0..<40 {
      if number > 0, number % 10 == 0 { try await log.roll() }
      try await log.append("\(number < 10 ? "old" : "a") \(number)")
    }
    #expect(try await accounts.count(of: "old") == 10)
    let removed = try await log.removeRecords(before: 20)
    #expect(removed == 20)
    #expect(try await accounts.count(of: "old") == 10)
    #expect(try await accounts.count(of: "a") == 30)
    #expect(try await accounts.texts("a") == (20..<40).map { "a \($0)" })
    #expect(try await accounts.keys == ["a"])
    #expect(try await accounts.record(9, of: "a") == nil)
    #expect(try await accounts.record(10, of: "a")?.text == "a 20")
    var stream = accounts.stream("a", from: .skipping(5))
    await #expect(throws: ImmutaError.recordRemoved(sequence: 5, first: 20)) { try await stream.next() }
    accounts.finishFiles()
    #expect(try directory.keyFiles().first { $0 < "account.00000000000000000020" } == nil)
    // Also for the next one, which has nothing else to go by.
    for end in [30, 30] {
      storage.close()
      storage = try directory.open()
      log = try storage.log("log")
      accounts = try log.accounts()
      #expect(try await accounts.count(of: "old") == 10)
      await #expect(throws: ImmutaError.unexpectedCount(expected: 0, actual: 10)) {
        try await accounts.append("old again", expecting: 0)
      }
      #expect(try await accounts.count(of: "a") == 30)
      try await log.removeRecords(before: end)
      #expect(try await accounts.count(of: "a") == 30)
      accounts.finishFiles()
    }
    storage.close()
  }

  /// The directory is the caller's again once the log is closed: it may be removed, or another log may be put there.
  @Test func onceALogIsClosedNobodyWritesFilesOfItsIndexes() async throws {
    let directory = TemporaryDirectory()
    let writing = WritesOfIndexes()
    try await SystemCalls.withHook(writing) {
      let storage = try directory.open()
      let log = try storage.log("log")
      let accounts = try log.accounts()
      try await log.append("a 0")
      // From here on its keys are in memory: another thread makes the file.
      #expect(try await accounts.count(of: "a") == 1)
      try await log.roll()
      try await log.append("a 1")
      #expect(try await accounts.count(of: "a") == 2)
      #expect(await eventually { writing.isHeld })
      let closing = Task.detached {
        storage.close()
        writing.noteClosed()
      }
      try await Task.sleep(for: .milliseconds(50))
      #expect(!writing.isClosed, "the log was closed while a file of its index was being made")
      writing.letGo()
      await closing.value
      // Such as a thread that comes later.
      accounts.finishFiles()
      try await Task.sleep(for: .milliseconds(20))
      #expect(writing.callsAfterwards == [])
    }
  }

  @Test func whatWasRemovedWhileNobodyUsedTheIndexCounts() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<30 {
      if number > 0, number % 10 == 0 { try await log.roll() }
      try await log.append("a \(number)")
    }
    #expect(try await log.accounts().count(of: "a") == 30)
    try await log.removeRecords(before: 20)
    let accounts = try log.accounts()
    #expect(try await accounts.count(of: "a") == 30)
    // Another version knows nothing of them.
    #expect(try await log.accounts(version: 2).count(of: "a") == 10)
  }
}

extension Log {
  /// By the first word.
  func accounts(
    _ name: String = "account", version: Int = 1, hashMask: UInt64 = .max
  ) throws(ImmutaError) -> KeyedLog<String> {
    let key: @Sendable (Payload) -> String? = { $0.text.split(separator: " ").first.map(String.init) }
    return try keyed(name, version: version, hashMask: hashMask, by: key) { key($0)?.keyBytes }
  }
}

extension KeyedLog {
  func texts(_ key: Key, from position: StreamPosition = .beginning) async throws -> [String] {
    var texts: [String] = []
    for try await record in records(of: key, from: position) { texts.append(record.text) }
    return texts
  }
}

extension TemporaryDirectory {
  /// The names of the files that indexes have, sorted; without the locks.
  func keyFiles(_ folder: String = "log.keys") throws -> [String] {
    guard exists(folder) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: file(folder)).filter { $0.hasSuffix(".keys") }.sorted()
  }
}

/// Holds the first call that makes a file of an index, until it lets go; notes those that come once the log is closed.
private final class WritesOfIndexes: SystemCallHook {
  private struct State {
    var isHeld = false
    var isReleased = false
    var isClosed = false
    var callsAfterwards: [String] = []
  }
  private let state = Lock(State())

  var isHeld: Bool { state.withLock { $0.isHeld } }
  var isClosed: Bool { state.withLock { $0.isClosed } }
  var callsAfterwards: [String] { state.withLock { $0.callsAfterwards } }
  func letGo() { state.withLock { $0.isReleased = true } }
  func noteClosed() { state.withLock { $0.isClosed = true } }

  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
    guard path.contains("log.keys/") else { return .proceed }
    state.withLock { state in
      if state.isClosed { state.callsAfterwards.append("\(call) \(path)") }
      if call == .rename { state.isHeld = true }
    }
    while call == .rename, !state.withLock({ $0.isReleased }) { usleep(200) }
    return .proceed
  }

  func didCall(_ call: SystemCall, path: String) {}
}
