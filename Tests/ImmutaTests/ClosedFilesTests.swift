#if os(Linux)
  import Foundation
  import ImmutaTestSupport
  import Testing

  @testable import Immuta

  /// Once a storage is closed, its process has none of its files open: a disk can be unmounted at once.
  @Suite(.timeLimit(.minutes(2))) struct ClosedFilesTests {
    /// Keeps the processors busy, so that threads are held up anywhere.
    private func besideBusyThreads<R>(_ body: () async throws -> R) async throws -> R {
      let isOver = Box(false)
      defer { isOver.withLock { $0 = true } }
      for _ in 0..<3 * ProcessInfo.processInfo.activeProcessorCount {
        Thread.detachNewThread { while !isOver.withLock({ $0 }) {} }
      }
      return try await body()
    }

    /// Threads of the log seal the old segment, make the next one and fill pages while it is closed.
    @Test(arguments: [Durability.buffered, .synced])
    func nothingIsOpenOnceALogIsClosedThatHasJustRolled(_ durability: Durability) async throws {
      try await besideBusyThreads {
        for _ in 0..<15 {
          let directory = TemporaryDirectory(inMemory: true)
          for round in 0..<20 {
            let storage = try directory.open(durability)
            let log = try storage.log("log")
            try await log.append("\(round)")
            try await log.roll()
            try await log.append("more")
            storage.close()
            let open = openFiles(in: directory.path)
            try #require(open == [])
          }
        }
      }
    }

    /// Their own folders and files are closed with the log, and by threads that may be at work in them.
    @Test(arguments: [Durability.buffered, .synced])
    func nothingIsOpenOfConsumersQueuesAndKeys(_ durability: Durability) async throws {
      try await besideBusyThreads {
        for _ in 0..<50 {
          let directory = TemporaryDirectory(inMemory: true)
          let storage = try directory.open(durability)
          let log = try storage.log("log")
          let keyed = try log.keyed("first") { payload in String(decoding: payload.prefix(1), as: UTF8.self) }
          for number in 0..<10 { try await log.append("\(number)") }
          let (consumer, queue) = (try log.consumer("reader"), try log.workQueue("jobs"))
          try await consumer.acknowledge(through: 3)
          let job = try #require(try await queue.next(timeout: .zero))
          try await job.acknowledge()
          try await log.roll()
          #expect(try await keyed.count(of: "1") == 1)
          storage.close()
          try #require(openFiles(in: directory.path) == [])
          _ = (keyed, consumer, queue, job)
        }
      }
    }

    /// Counts the calls of a kind on some files, and holds them up where that is asked for.
    private final class HeldCalls: SystemCallHook {
      private let kind: SystemCall
      private let part: String
      let isHeld: Box<Bool>
      let begun = Box(0)
      let ended = Box(0)

      /// - Parameter part: of the files' paths.
      init(_ kind: SystemCall, on part: String, isHeld: Bool) {
        (self.kind, self.part, self.isHeld) = (kind, part, Box(isHeld))
      }

      func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
        guard call == kind, path.contains(part) else { return .proceed }
        begun.withLock { $0 += 1 }
        while isHeld.withLock({ $0 }) { usleep(500) }
        return .proceed
      }
      func didCall(_ call: SystemCall, path: String) {
        if call == kind, path.contains(part) { ended.withLock { $0 += 1 } }
      }
    }

    @Test func whoClosesSecondWaitsUntilTheConsumersAreClosed() async throws {
      let directory = TemporaryDirectory()
      let storage = try directory.open(.buffered)
      let log = try storage.log("log")
      for number in 0..<4 { try await log.append("\(number)") }
      let consumer = try log.consumer("reader")
      try await consumer.acknowledge(through: 2)
      let hook = HeldCalls(.flush, on: "log.consumers/", isHeld: true)
      try await SystemCalls.withHook(hook) {
        defer { hook.isHeld.withLock { $0 = false } }
        let closing = (Thread { storage.close() }, Thread { storage.close() })
        closing.0.start()
        #expect(await eventually { hook.begun.withLock { $0 } == 1 })
        closing.1.start()
        try await Task.sleep(for: .milliseconds(100))
        #expect(!closing.1.isFinished)
        hook.isHeld.withLock { $0 = false }
        #expect(await eventually { closing.0.isFinished && closing.1.isFinished })
      }
      #expect(openFiles(in: directory.path) == [])
      _ = consumer
    }

    @Test func aConsumerOfALogThatWasMovedIsFlushedWhenItIsClosed() async throws {
      let (root, second) = (TemporaryDirectory(), TemporaryDirectory())
      let first = try root.subdirectory("first")
      let link = root.file("link")
      let writer = try Storage(directory: first, namespaces: ["log"])
      for number in 0..<4 { try await writer.append("\(number)", to: "log") }
      try await writer.shutdown()
      try FileBytes.copy(directory: first, to: second.path)
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: first)
      var configuration = Storage.Configuration()
      configuration.access = .readOnly
      let storage = try Storage(directory: link, namespaces: ["log"], configuration: configuration)
      let log = try storage.log("log")
      #expect(log.count == 4)
      try FileManager.default.removeItem(atPath: link)
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: second.path)
      #expect(
        await eventually {
          _ = try? await log.record(at: 0)
          return openFiles(in: second.path + "/").contains { $0.hasSuffix("log.log") }
        })
      let consumer = try log.consumer("reader")
      try await consumer.acknowledge(through: 2)
      let hook = HeldCalls(.flush, on: "log.consumers/", isHeld: false)
      SystemCalls.withHook(hook) { storage.close() }
      #expect(hook.ended.withLock { $0 } > 0)
      #expect(FileManager.default.fileExists(atPath: second.file("log.consumers")))
      for place in [root.path, second.path] { #expect(openFiles(in: place) == []) }
      _ = consumer
    }

    /// Where a log is read without its companion, its entries are made from the log's file, which the reader holds.
    @Test func nothingIsOpenOfALogThatWasReadWithoutItsCompanion() async throws {
      let directory = TemporaryDirectory(inMemory: true)
      let writer = try directory.open(.buffered)
      for number in 0..<10 { try await writer.append("\(number)", to: "log") }
      try await writer.shutdown()
      try FileManager.default.removeItem(atPath: directory.file("log.idx"))
      var configuration = Storage.Configuration()
      configuration.access = .readOnly
      let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
      let log = try storage.log("log")
      var stream = log.stream(from: .beginning)
      #expect(try await stream.next()?.text == "0")
      #expect(try await log.record(at: 7).text == "7")
      #expect(openFiles(in: directory.path) != [])
      storage.close()
      #expect(await eventually { openFiles(in: directory.path) == [] })
      await #expect(throws: ImmutaError.storageClosed) { _ = try await log.record(at: 7) }
      do {
        _ = try await stream.next()
        Issue.record("a stream of a closed log goes on")
      } catch {
        #expect(error as? ImmutaError == .storageClosed)
      }
    }

    /// ``OpenFiles`` knows the pool a while longer.
    @Test func descriptorsThatNobodyReadsThroughAreNotOpen() throws {
      let directory = TemporaryDirectory(inMemory: true)
      let place = try Directory(opening: directory.path)
      do {
        let file = try place.create("file", nil)
        let pool = try DescriptorPool(like: file, file.status().identity, "file", of: place, capacity: 2)
        for reader in 0..<2 { _ = try pool.descriptor(for: reader) }
        #expect(openFiles(in: directory.path + "/").count == 3)
      }
      #expect(openFiles(in: directory.path + "/") == [])
      place.close()
    }

    @Test func fillingThatComesTooLateKeepsNoFileOpen() async throws {
      let (slow, directory) = (TemporaryDirectory(inMemory: true), TemporaryDirectory(inMemory: true))
      let hook = HeldCalls(.write, on: slow.path, isHeld: true)
      try await SystemCalls.withHook(hook) {
        defer { hook.isHeld.withLock { $0 = false } }
        let held = FillAhead()
        held.begin(0..<4096, in: try Descriptor(opening: slow.file("held"), .createPrivate))
        #expect(await eventually { hook.begun.withLock { $0 } > 0 })
        let late = FillAhead()
        late.begin(0..<4096, in: try Descriptor(opening: directory.file("late"), .createPrivate))
        #expect(!openFiles(in: directory.path).isEmpty)
        #expect(try late.collect() == nil)
        #expect(openFiles(in: directory.path) == [])
      }
    }
  }
#endif
