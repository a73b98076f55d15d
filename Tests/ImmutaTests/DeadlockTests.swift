import Foundation
import ImmutaTestSupport
import Testing

@testable import Immuta

/// Who could only wait for himself is told so, at once; who waits for somebody else is served.
@Suite(.timeLimit(.minutes(3))) struct DeadlockTests {
  private static func isDeadlock(_ error: any Error) -> Bool {
    if case ImmutaError.wouldDeadlock(let text) = error {
      text.contains("log.log") || text.contains("other.log")
    } else {
      false
    }
  }

  private static func open(_ directory: TemporaryDirectory) throws -> (storage: Storage, log: Log, other: Log) {
    let storage = try Storage(directory: directory.path, namespaces: ["log", "other"])
    return (storage, try storage.log("log"), try storage.log("other"))
  }

  /// What can be called inside of a transaction of the same log.
  enum Inner: CaseIterable {
    case append, large, chunks, transaction, begin, child, group, task, blockingAppend, blockingTransaction,
      throughOther

    func call(_ log: Log, _ other: Log) async throws {
      switch self {
      case .append: try await log.append("inner")
      case .large: try await log.append(pattern(2 << 20))
      case .chunks: try await log.append(ChunkSource(chunks: [[1], [2]]))
      case .transaction: try await log.transaction { try await $0.append("inner") }
      case .begin: try await log.beginTransaction().rollBack()
      case .child:
        async let child = log.append("inner")
        _ = try await child
      case .group:
        try await withThrowingTaskGroup { group in
          group.addTask { _ = try await log.append("inner") }
          try await group.waitForAll()
        }
      case .task: _ = try await Task { try await log.append("inner") }.value
      case .blockingAppend: try blocking { try log.append("inner") }
      case .blockingTransaction: try blocking { try log.transaction { try $0.append("inner") } }
      case .throughOther: try await other.transaction { _ in _ = try await log.append("inner") }
      }
    }

    private func blocking(_ body: () throws -> Receipt) throws { _ = try body() }
  }

  @Test(arguments: Inner.allCases)
  func whoeverAppendsInsideOfATransactionOfTheSameLogIsToldSo(inner: Inner) async throws {
    let directory = TemporaryDirectory()
    let (storage, log, other) = try Self.open(directory)
    defer { storage.close() }
    try await withinLimit(.seconds(20)) {
      try await log.transaction { transaction in
        try await transaction.append("before")
        await #expect(performing: { try await inner.call(log, other) }, throws: Self.isDeadlock)
        try await transaction.append("after")
      }
    }
    #expect(try texts(log) == ["before", "after"])
    // Nobody is left in the queue, or with the turn.
    #expect(try await log.append("next").sequence == 2)
    #expect(try await other.append("next").sequence == 0)
  }

  @Test func codeThatIsNotAsyncIsToldTheSame() async throws {
    let directory = TemporaryDirectory()
    let (storage, log, other) = try Self.open(directory)
    defer { storage.close() }
    try await onThread {
      try log.transaction { transaction in
        try transaction.append("before")
        #expect(performing: { try log.append("inner") }, throws: Self.isDeadlock)
        #expect(performing: { try log.transaction { _ in } }, throws: Self.isDeadlock)
        #expect(performing: { try other.transaction { _ in try log.append("inner") } }, throws: Self.isDeadlock)
        try other.append("another log is fine")
      }
      try log.append("after")
    }
    #expect(try texts(log) == ["before", "after"])
  }

  /// The task that has the transaction, the source, and the tasks that the source makes and waits for.
  @Test(arguments: Inner.allCases)
  func theSourceOfAPayloadInATransactionIsToldTheSame(inner: Inner) async throws {
    let directory = TemporaryDirectory()
    let (storage, log, other) = try Self.open(directory)
    defer { storage.close() }
    let transaction = try await log.beginTransaction()
    let source = AsyncStream<[UInt8]>(unfolding: {
      await #expect(performing: { try await inner.call(log, other) }, throws: Self.isDeadlock)
      return nil
    })
    try await transaction.append(source)
    // The source has ended: who waits now waits for somebody else.
    let waiting = await startWaiting { try await log.append("next") }
    #expect(try await eventually { try log.details.turn?.waiting == 1 })
    try await transaction.commit()
    #expect(try await value(of: waiting).sequence == 1)
  }

  @Test func aDetachedTaskWaitsForTheTransaction() async throws {
    let directory = TemporaryDirectory()
    let (storage, log, _) = try Self.open(directory)
    defer { storage.close() }
    let detached = try await log.transaction { transaction in
      let detached = Task.detached { try await log.append("detached") }
      #expect(try await eventually { try log.details.turn?.waiting == 1 })
      try await transaction.append("transaction")
      return detached
    }
    #expect(try await value(of: detached).sequence == 1)
    #expect(try texts(log) == ["transaction", "detached"])
  }

  @Test func anAppendToAnotherLogInsideOfATransactionIsFine() async throws {
    let directory = TemporaryDirectory()
    let (storage, log, other) = try Self.open(directory)
    defer { storage.close() }
    let held = try await other.beginTransaction()
    let task = await startWaiting {
      try await log.transaction { transaction in
        try await transaction.append("outer")
        try await other.append("inner")
      }
    }
    // It waits: for somebody who does not wait for it.
    #expect(try await eventually { try other.details.turn?.waiting == 1 })
    held.rollBack()
    try await value(of: task)
    #expect(log.count == 1 && other.count == 1)
  }

  @Test func oneOfTwoWhoTakeTwoLogsCrosswiseIsToldAndTheOtherGoesOn() async throws {
    for round in 0..<20 {
      let directory = TemporaryDirectory()
      let (storage, log, other) = try Self.open(directory)
      defer { storage.close() }
      let refused = Box(0)
      let arrived = Box(0)
      @Sendable func cross(_ first: Log, _ second: Log) async throws {
        try await first.transaction { transaction in
          try await transaction.append("outer")
          arrived.withLock { $0 += 1 }
          _ = await eventually { arrived.withLock { $0 } == 2 }
          do {
            _ = try await second.append("inner")
          } catch  where Self.isDeadlock(error) {
            refused.withLock { $0 += 1 }
          }
        }
      }
      try await withinLimit(.seconds(30)) {
        async let one: Void = cross(log, other)
        async let two: Void = cross(other, log)
        _ = try await (one, two)
      }
      #expect(refused.withLock { $0 } == 1, "round \(round)")
      #expect(log.count + other.count == 3)
    }
  }

  @Test func twoThreadsThatTakeTwoLogsCrosswiseAreToldTheSame() async throws {
    let directory = TemporaryDirectory()
    let (storage, log, other) = try Self.open(directory)
    defer { storage.close() }
    let refused = Box(0)
    let arrived = Box(0)
    @Sendable func cross(_ first: Log, _ second: Log) throws {
      try first.transaction { transaction in
        try transaction.append("outer")
        arrived.withLock { $0 += 1 }
        while arrived.withLock({ $0 }) < 2 { usleep(500) }
        do {
          _ = try second.append("inner")
        } catch  where Self.isDeadlock(error) {
          refused.withLock { $0 += 1 }
        }
      }
    }
    try await withinLimit(.seconds(30)) {
      async let one: Void = onThread { try cross(log, other) }
      async let two: Void = onThread { try cross(other, log) }
      _ = try await (one, two)
    }
    #expect(refused.withLock { $0 } == 1)
    #expect(log.count + other.count == 3)
  }

  /// Appends as code does that is not async, from tasks: each would block one of the threads that run tasks.
  private actor Blocking {
    func append(_ log: Log) throws { try Self.append(log) }
    private nonisolated static func append(_ log: Log) throws { try log.append("blocking") }
  }

  @Test func blockingAppendsOfActorsDoNotStopTheProcess() async throws {
    let directory = TemporaryDirectory()
    let (storage, log, _) = try Self.open(directory)
    defer { storage.close() }
    let transaction = try await log.beginTransaction()
    try await withThrowingTaskGroup { group in
      for _ in 0..<2 * ProcessInfo.processInfo.activeProcessorCount + 2 {
        group.addTask {
          await #expect(performing: { try await Blocking().append(log) }, throws: Self.isDeadlock)
        }
      }
      try await group.waitForAll()
    }
    try await transaction.append("held")
    try await transaction.commit()
    // Where nobody has the turn, nobody waits.
    try await Blocking().append(log)
    #expect(try texts(log) == ["held", "blocking"])
  }

  @Test func aBlockingAppendInATaskWaitsForAThread() async throws {
    let directory = TemporaryDirectory()
    let (storage, log, _) = try Self.open(directory)
    defer { storage.close() }
    let hasTurn = Box(false)
    let mayEnd = Box(false)
    let thread = Task {
      try await onThread {
        try log.transaction { transaction in
          try transaction.append("thread")
          hasTurn.withLock { $0 = true }
          while !mayEnd.withLock({ $0 }) { usleep(500) }
        }
      }
    }
    #expect(await eventually { hasTurn.withLock { $0 } })
    let append = Task { try await Blocking().append(log) }
    let release = try await onThread {
      while try log.details.turn?.waiting != 1 { usleep(500) }
      mayEnd.withLock { $0 = true }
      return true
    }
    #expect(release)
    try await value(of: append)
    try await value(of: thread)
    #expect(try texts(log) == ["thread", "blocking"])
  }

  /// Its payload was appended, and its task does not know it yet: it waits for nobody.
  @Test func whoWaitsNoMoreIsNotTakenForOneWhoDoes() async throws {
    let directory = TemporaryDirectory()
    let (storage, log, other) = try Self.open(directory)
    defer { storage.close() }
    let executor = HeldExecutor(isHeld: false)
    let held = try await log.beginTransaction()
    let appends = Task(executorPreference: executor) {
      try await other.transaction { transaction in
        try await transaction.append("outer")
        try await log.append("inner")
      }
    }
    #expect(try await eventually { try log.details.turn?.waiting == 1 })
    let crosses = Task {
      try await log.transaction { transaction in
        try await transaction.append("crossing")
        try await other.append("after the one that waits no more")
      }
    }
    #expect(try await eventually { try log.details.turn?.waiting == 2 })
    executor.hold()
    held.rollBack()
    #expect(try await eventually { try other.details.turn?.waiting == 1 })
    executor.release()
    try await value(of: appends)
    try await value(of: crosses)
    #expect(try texts(log) == ["inner", "crossing"])
    #expect(try texts(other) == ["outer", "after the one that waits no more"])
  }
}
