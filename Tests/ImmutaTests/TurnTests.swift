import Foundation
import ImmutaTestSupport
import Testing

@testable import Immuta

/// Who may write, and in which order.
@Suite(.timeLimit(.minutes(3))) struct TurnTests {
  /// A caller gets its ticket and begins to wait in two steps; others may pass it in between.
  @Test func whoBeginsToWaitAfterALaterTicketWasServedIsServedNext() {
    var queue = TurnQueue()
    let thread = TurnHolder(.append, .thread(1))
    let isTaken = queue.take(thread)
    #expect(isTaken)
    let early = queue.ticket()
    let late = queue.ticket()
    queue.wait(.thread(BlockedThread()), ticket: late, as: thread)
    queue.end()
    let first = queue.next(mayAppend: true)
    #expect(first != nil)
    queue.wait(.thread(BlockedThread()), ticket: early, as: thread)
    queue.end()
    let second = queue.next(mayAppend: true)
    #expect(second != nil, "the one with the early ticket would wait for ever")
  }

  @Test func aTurnGoesToThoseWhoWaitInOrder() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let transaction = try await log.beginTransaction()
    try await transaction.append("held")
    var tasks: [Task<Receipt, any Error>] = []
    for number in 0..<20 {
      tasks.append(
        await startWaiting {
          if number % 3 == 0 { return try await log.append(Array("\(number)".utf8)) }
          if number % 3 == 1 { return try await log.append("\(number)") }
          return try await log.transaction { try await $0.append("\(number)") }
        })
    }
    #expect(log.count == 0)
    try await transaction.commit()
    for (number, task) in tasks.enumerated() { #expect(try await value(of: task).sequence == number + 1) }
    #expect(try texts(log) == ["held"] + (0..<20).map(String.init))
  }

  /// Otherwise those who append without a pause would queue for ever, once they have begun to.
  @Test func smallAppendsThatWaitedAreDoneWhenTheTurnEndsBeforeTheirTasksRunAgain() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let executor = HeldExecutor(isHeld: true)
    let transaction = try await log.beginTransaction()
    var tasks: [Task<Receipt, any Error>] = []
    for number in 0..<100 {
      tasks.append(Task(executorPreference: executor) { try await log.append("\(number)") })
      executor.step()
    }
    let thread = Task { try await onThread { try log.append("100") } }
    #expect(try await eventually { try log.details.turn?.waiting == 101 })
    try await transaction.append("held")
    try await transaction.commit()
    // None of the tasks has run.
    #expect(log.count == 102)
    #expect(try log.details.turn == nil)
    #expect(try await log.append("at once").sequence == 102)
    executor.release()
    for (number, task) in tasks.enumerated() { #expect(try await value(of: task).sequence == number + 1) }
    #expect(try await value(of: thread).sequence == 101)
    #expect(try texts(log) == ["held"] + (0...100).map(String.init) + ["at once"])
  }

  @Test func aTransactionAndALargePayloadHaveTheirPlaceAmongManySmallAppends() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let large = pattern(2 << 20)
    let transaction = try await log.beginTransaction()
    var tasks: [Task<Int, any Error>] = []
    for number in 0..<300 {
      tasks.append(
        await startWaiting {
          switch number {
          case 70: try await log.transaction { try await $0.append("\(number)").sequence }
          case 140, 141: try await log.append(large).sequence
          case 210: try await log.append(ChunkSource(chunks: [[1], [2]])).sequence
          default: try await log.append("\(number)").sequence
          }
        })
      // The one that comes in chunks has to receive them first.
      #expect(try await eventually { try log.details.turn?.waiting == number + 1 })
    }
    transaction.rollBack()
    for (number, task) in tasks.enumerated() { #expect(try await value(of: task) == number) }
  }

  /// Has no more room for one directory's files.
  private final class FullDevice: SystemCallHook {
    let directory: String
    let isFull = Box(true)

    init(_ directory: String) { self.directory = directory }

    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      call == .reserve && path.hasPrefix(directory) && isFull.withLock { $0 } ? .fail(ENOSPC) : .proceed
    }
    func didCall(_ call: SystemCall, path: String) {}
  }

  @Test func whatFailsForOneWhoWaitsIsToldToThatOneAndTheOthersAreAppended() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    try await log.append("first")
    let device = FullDevice(directory.path)
    try await SystemCalls.withHook(device) {
      let transaction = try await log.beginTransaction()
      // There is room for 64 KiB at first.
      let small = await startWaiting { try await log.append("small") }
      let large = await startWaiting { try await log.append(pattern(63 << 10)) }
      let larger = await startWaiting { try await log.append(pattern(63 << 10)) }
      let last = await startWaiting { try await log.append("last") }
      transaction.rollBack()
      #expect(try await value(of: small).sequence == 1)
      #expect(try await value(of: large).sequence == 2)
      await #expect(throws: ImmutaError.self) { try await value(of: larger) }
      device.isFull.withLock { $0 = false }
      #expect(try await value(of: last).sequence == 3)
      #expect(try await log.append(pattern(63 << 10)).sequence == 4)
    }
  }

  @Test func whoWaitsForAFlushAfterItsPayloadWasAppendedForItHasItFlushed() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(.synced)
    defer { storage.close() }
    let log = try storage.log("log")
    let transaction = try await log.beginTransaction()
    let append = await startWaiting { try await log.append("a") }
    let thread = Task { try await onThread { try log.append("b") } }
    #expect(try await eventually { try log.details.turn?.waiting == 2 })
    transaction.rollBack()
    let count = try await max(value(of: append).sequence, value(of: thread).sequence) + 1
    #expect(try log.details.stableCount == count && count == 2)
  }

  /// Sixty-four who never stop.
  @Test(arguments: [false, true]) func whoeverComesAmongManyWhoNeverStopIsServed(areTransactions: Bool) async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let isOver = Box(false)
    try await withinLimit {
      try await withThrowingTaskGroup { group in
        for number in 0..<64 {
          group.addTask {
            while !isOver.withLock({ $0 }) {
              if areTransactions {
                try await log.transaction { _ = try await $0.append("\(number)") }
              } else {
                try await log.append("\(number)")
              }
            }
          }
        }
        for round in 0..<10 {
          try await log.transaction { transaction in
            try await transaction.append("t \(round)")
            await Task.yield()
            try await transaction.append("t \(round)")
          }
          try await log.append("a \(round)")
          try await onThread { _ = try log.append("b \(round)") }
        }
        isOver.withLock { $0 = true }
        try await group.waitForAll()
      }
    }
    let ours = try texts(log).filter { $0.contains(" ") }
    #expect(ours == (0..<10).flatMap { ["t \($0)", "t \($0)", "a \($0)", "b \($0)"] })
  }

  @Test func tasksThatContendForTheTurnAreAllServed() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    try await withinLimit {
      try await withThrowingTaskGroup { group in
        for number in 0..<16 {
          group.addTask {
            for round in 0..<500 {
              try await log.transaction { transaction in
                try await transaction.append("\(number) \(round)")
                if round % 7 == 0 { await Task.yield() }
              }
            }
          }
        }
        try await group.waitForAll()
      }
    }
    #expect(log.count == 16 * 500)
  }

  @Test func cancellingWhileWaitingForTheTurnAppendsNothingAndTheOthersGoOn() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let transaction = try await log.beginTransaction()
    let first = await startWaiting { try await log.append("first") }
    let cancelled = await startWaiting { try await log.append("cancelled") }
    let cancelledToo = await startWaiting { try await log.transaction { try await $0.append("cancelled too") } }
    let last = await startWaiting { try await log.append("last") }
    cancelled.cancel()
    cancelledToo.cancel()
    // While the turn is still held: cancellation does not wait for it.
    await #expect(throws: CancellationError.self) { try await value(of: cancelled) }
    await #expect(throws: CancellationError.self) { try await value(of: cancelledToo) }
    transaction.rollBack()
    #expect(try await value(of: first).sequence == 0)
    #expect(try await value(of: last).sequence == 1)
    #expect(try texts(log) == ["first", "last"])
  }

  @Test func aCancellationThatMeetsTheBeginningOfTheWaitIsNotLost() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let transaction = try await log.beginTransaction()
    for round in 0..<3_000 {
      let started = Box(false)
      let task = Task {
        started.withLock { $0 = true }
        return try await log.append("never")
      }
      while !started.withLock({ $0 }) { await Task.yield() }
      for _ in 0..<(round % 50) { _ = started.withLock { $0 } }
      task.cancel()
      await #expect(throws: CancellationError.self) { try await value(of: task, within: .seconds(20)) }
    }
    transaction.rollBack()
    #expect(log.count == 0)
  }

  @Test func codeThatIsNotAsyncWaitsForATaskThatHasTheTurn() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let transaction = try await log.beginTransaction()
    try await transaction.append("task")
    let isDone = Box(false)
    let thread = Task {
      try await onThread {
        try log.transaction { transaction in
          try transaction.append("thread, first")
          try transaction.append("thread, second")
        }
        isDone.withLock { $0 = true }
      }
    }
    // Long enough for a thread that does not wait to be found out.
    try await Task.sleep(for: .milliseconds(30))
    #expect(!isDone.withLock { $0 } && log.count == 0)
    try await transaction.commit()
    try await value(of: thread)
    #expect(try texts(log) == ["task", "thread, first", "thread, second"])
  }

  @Test func aTaskWaitsForCodeThatIsNotAsyncAndHasTheTurn() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let hasTurn = Box(false)
    let mayEnd = Box(false)
    let thread = Task {
      try await onThread {
        try log.transaction { transaction in
          try transaction.append("thread")
          hasTurn.withLock { $0 = true }
          while !mayEnd.withLock({ $0 }) { _ = hasTurn.withLock { $0 } }
        }
      }
    }
    #expect(await eventually { hasTurn.withLock { $0 } })
    let task = await startWaiting { try await log.append("task") }
    #expect(log.count == 0)
    mayEnd.withLock { $0 = true }
    #expect(try await value(of: task).sequence == 1)
    try await value(of: thread)
    #expect(try texts(log) == ["thread", "task"])
  }
}
