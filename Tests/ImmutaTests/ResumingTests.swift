import Immuta
import ImmutaTestSupport
import Testing

/// Nobody is resumed while a lock is held: whoever is resumed may run at once, and call back.
@Suite(.timeLimit(.minutes(3))) struct ResumingTests {
  /// Runs what is resumed on the thread that resumes it, before the call that resumes returns.
  private final class InlineExecutor: TaskExecutor {
    func enqueue(_ job: consuming ExecutorJob) {
      UnownedJob(job).runSynchronously(on: asUnownedTaskExecutor())
    }
  }

  @Test func whoIsWokenByAnAppendMayAppendAtOnce() async throws {
    await #expect(processExitsWith: .success) {
      let open = try await OpenLog(0)
      let log = open.log
      let reader = Task(executorPreference: InlineExecutor()) {
        var stream = log.stream()
        _ = try await stream.next()
        try await log.append("answer")
      }
      try await log.append("question")
      try await value(of: reader)
      #expect(try texts(log) == ["question", "answer"])
      open.close()
    }
  }

  @Test func whoGetsTheTurnMayUseItAtOnce() async throws {
    await #expect(processExitsWith: .success) {
      let open = try await OpenLog(0)
      let log = open.log
      let transaction = try await log.beginTransaction()
      let next = Task(executorPreference: InlineExecutor()) {
        try await log.transaction { try await $0.append("next") }
        return try await log.append("and more").sequence
      }
      transaction.rollBack()
      #expect(try await value(of: next) == 1)
      open.close()
    }
  }

  @Test func whoIsToldOfTheClosingMayCloseAtOnce() async throws {
    await #expect(processExitsWith: .success) {
      let open = try await OpenLog(1)
      let log = open.log
      let transaction = try await log.beginTransaction()
      let reader = Task(executorPreference: InlineExecutor()) {
        var stream = log.stream(from: .latest)
        await #expect(throws: ImmutaError.storageClosed) { try await stream.next() }
        open.close()
      }
      let waiting = Task(executorPreference: InlineExecutor()) {
        await #expect(throws: ImmutaError.storageClosed) { try await log.append("x") }
        open.close()
      }
      open.close()
      transaction.rollBack()
      await reader.value
      await waiting.value
    }
  }

  @Test func whoFollowsAnotherWriterMayWaitAgainAtOnce() async throws {
    await #expect(processExitsWith: .success) {
      let open = try await OpenLog(1)
      let storage = try open.directory.open(access: .readOnly)
      let log = try storage.log("log")
      let reader = Task(executorPreference: InlineExecutor()) {
        var stream = log.stream(from: .skipping(1))
        for number in 1..<4 {
          let record = try await stream.next()
          #expect(record?.text == "\(number)")
        }
      }
      for number in 1..<4 {
        try await Task.sleep(for: .milliseconds(10))
        try await open.log.append("\(number)")
      }
      try await value(of: reader)
      storage.close()
      open.close()
    }
  }
}
