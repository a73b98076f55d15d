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
          storage.close()
          try #require(openFiles(in: directory.path) == [])
          _ = (keyed, consumer, queue, job)
        }
      }
    }

    /// The process's list of open files has them a while longer.
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

    /// Holds up the thread that fills pages, in one directory's file.
    private final class HeldWrite: SystemCallHook {
      private let directory: String
      let isHeld = Box(true)
      let hasBegun = Box(false)

      init(_ directory: String) { self.directory = directory }

      func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
        guard call == .write, path.hasPrefix(directory) else { return .proceed }
        hasBegun.withLock { $0 = true }
        while isHeld.withLock({ $0 }) { usleep(500) }
        return .proceed
      }
      func didCall(_ call: SystemCall, path: String) {}
    }

    @Test func fillingThatComesTooLateKeepsNoFileOpen() async throws {
      let (slow, directory) = (TemporaryDirectory(inMemory: true), TemporaryDirectory(inMemory: true))
      let hook = HeldWrite(slow.path)
      try await SystemCalls.withHook(hook) {
        defer { hook.isHeld.withLock { $0 = false } }
        let held = FillAhead()
        held.begin(0..<4096, in: try Descriptor(opening: slow.file("held"), .createPrivate))
        #expect(await eventually { hook.hasBegun.withLock { $0 } })
        let late = FillAhead()
        late.begin(0..<4096, in: try Descriptor(opening: directory.file("late"), .createPrivate))
        #expect(!openFiles(in: directory.path).isEmpty)
        #expect(try late.collect() == nil)
        #expect(openFiles(in: directory.path) == [])
      }
    }
  }
#endif
