import Immuta
import ImmutaTestSupport
import Testing

/// Closing: from anywhere, more than once, in the middle of anything.
@Suite(.timeLimit(.minutes(3))) struct ClosingTests {
  @Test func everyCallAfterClosingSaysSo() async throws {
    let open = try await OpenLog(3)
    let (storage, log) = (open.storage, open.log)
    var stream = log.stream()
    _ = try await stream.next()
    storage.close()
    storage.close()
    let calls: [(String, () async throws -> Void)] = [
      ("storage.append text", { try await storage.append("x", to: "log") }),
      ("storage.append bytes", { try await storage.append([1] as [UInt8], to: "log") }),
      ("storage.append chunks", { try await storage.append(ChunkSource(chunks: [[1]]), to: "log") }),
      ("storage.transaction", { _ = try await storage.transaction(in: "log") { try await $0.append("x") } }),
      ("storage.sync", { try await storage.sync() }),
      ("storage.verify", { try await storage.verify("log") }),
      ("storage.details", { _ = try storage.details(of: "log") }),
      ("storage.log", { _ = try storage.log("log") }),
      ("storage.log of an unknown name", { _ = try storage.log("unknown") }),
      ("storage.log, creating", { _ = try storage.log("new", creating: true) }),
      ("log.append text", { try await log.append("x") }),
      ("log.append bytes", { try await log.append([] as [UInt8]) }),
      ("log.append large", { try await log.append(pattern(2 << 20)) }),
      ("log.append chunks", { try await log.append(ChunkSource(chunks: [[1]])) }),
      ("log.transaction", { _ = try await log.transaction { try await $0.append("x") } }),
      ("log.beginTransaction", { try await log.beginTransaction().rollBack() }),
      ("log.sync", { try await log.sync() }),
      ("log.verify", { try await log.verify() }),
      ("log.details", { _ = try log.details.count }),
      ("log.record", { _ = try await log.record(at: 0) }),
      ("log.records", { _ = try log.records(in: 0..<1) }),
      ("log.append in a thread", { try await onThread { _ = try log.append("x") } }),
      ("log.transaction in a thread", { try await onThread { try log.transaction { _ = try $0.append("x") } } }),
      ("log.sync in a thread", { try await onThread { try log.sync() } }),
      ("stream.next, begun before", { _ = try await stream.next() }),
      ("stream.next(timeout:), begun before", { _ = try await stream.next(timeout: .zero) }),
      ("stream.nextAtOnce, begun before", { _ = try stream.nextAtOnce() }),
      ("a new stream", { for try await _ in storage.stream("log") { break } }),
    ]
    for (name, call) in calls {
      await #expect(throws: ImmutaError.storageClosed, "\(name)") { try await call() }
    }
    #expect(log.count == 3)
    #expect(try open.directory.bytes(of: "log.log") == logBytes(["0", "1", "2"].map { Array($0.utf8) }))
  }

  @Test func closingFromManyTasksReturnsWhenItIsClosed() async throws {
    for _ in 0..<20 {
      let open = try await OpenLog(3)
      let directory = open.directory
      try await withThrowingTaskGroup { group in
        for _ in 0..<8 {
          group.addTask {
            open.storage.close()
            let size = try directory.bytes(of: "log.log").count
            #expect(size == 16 + 3 * 9)
          }
        }
        try await group.waitForAll()
      }
      try directory.open().close()
    }
  }

  @Test(arguments: [Durability.buffered, .synced, .interval(.milliseconds(1))])
  func closingWhileEverythingRunsLosesNoReceipt(durability: Durability) async throws {
    for round in 0..<4 {
      let directory = TemporaryDirectory()
      let storage = try directory.open(durability)
      let log = try storage.log("log")
      let receipts = Box<[Int: [UInt8]]>([:])
      let ends = Box<[any Error]>([])
      let all = Task {
        await withTaskGroup { group in
          for number in 0..<8 {
            group.addTask {
              do {
                for count in 0... {
                  let bytes = littleEndian(number) + littleEndian(count) + pattern(count % 50 == 7 ? 200_000 : 20)
                  let receipt =
                    number == 0 && count % 20 == 3
                    ? try await log.append(ChunkSource(chunks: [bytes]))
                    : number == 1
                      ? try await log.transaction { try await $0.append(bytes) } : try await log.append(bytes)
                  receipts.withLock { $0[receipt.sequence] = bytes }
                }
              } catch { ends.withLock { $0.append(error) } }
            }
          }
          for _ in 0..<8 {
            group.addTask {
              do { for try await _ in log.stream() {} } catch { ends.withLock { $0.append(error) } }
            }
          }
        }
      }
      #expect(await eventually { log.count > 20 * (round + 1) })
      storage.close()
      await all.value
      let errors = ends.withLock { $0 }
      #expect(errors.count == 16 && errors.allSatisfy { $0 as? ImmutaError == .storageClosed })
      let again = try directory.open()
      defer { again.close() }
      let reopened = try again.log("log")
      var missing = receipts.withLock { $0 }
      for record in try reopened.records(in: 0..<reopened.count) {
        guard let bytes = missing.removeValue(forKey: record.sequence) else { continue }
        if !holds(record.payload, bytes) { Issue.record("record \(record.sequence) is not what was appended") }
      }
      #expect(missing.isEmpty)
    }
  }

  @Test func aStorageThatIsLetGoClosesItself() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try directory.open()
      try await storage.append("kept", to: "log")
      var stream = storage.stream("log")
      _ = try await stream.next()
    }
    #expect(try directory.bytes(of: "log.log") == logBytes([Array("kept".utf8)]))
    let storage = try directory.open()
    defer { storage.close() }
    #expect(try storage.details(of: "log").openingNote == nil)
    #expect(try texts(storage.log("log")) == ["kept"])
  }

  @Test func closingFromATaskThatIteratesEndsIt() async throws {
    let open = try await OpenLog(3)
    await #expect(throws: ImmutaError.storageClosed) {
      for try await record in open.log.stream() where record.sequence == 1 { open.close() }
    }
  }
}
