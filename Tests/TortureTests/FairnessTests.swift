import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Whoever waits for the turn is served in order, whatever is wanted and whoever else comes.
@Suite(.timeLimit(.minutes(10))) struct FairnessTests {
  /// What is wanted by one who waits.
  fileprivate enum Wish {
    case append, large, transaction, blockingAppend, blockingTransaction, cancelled

    static func random(_ random: inout SeededGenerator) -> Wish {
      switch Int.random(in: 0..<100, using: &random) {
      case 0..<70: .append
      case 70..<72: .large
      case 72..<80: .transaction
      case 80..<86: .blockingAppend
      case 86..<90: .blockingTransaction
      default: .cancelled
      }
    }

    /// Whether it needs no turn of its own.
    var isSmall: Bool { self == .append || self == .blockingAppend }
  }

  @Test func whoeverWaitsIsServedInOrderAndBeforeAllWhoComeLater() async throws {
    try await Rounds.run(default: 30, "waiting for the turn") { seed in
      var random = SeededGenerator(seed: seed)
      let directory = TemporaryDirectory(inMemory: true)
      let storage = try Storage(directory: directory.path, namespaces: ["log"])
      defer { storage.close() }
      let log = try storage.log("log")
      for _ in 0..<Int.random(in: 0...300, using: &random) { try await log.append("before") }
      let first = log.count
      let transaction = try await log.beginTransaction()

      let wishes = (0..<Int.random(in: 1...150, using: &random)).map { _ in Wish.random(&random) }
      var tasks: [Task<Int, any Error>] = []
      for (number, wish) in wishes.enumerated() {
        tasks.append(Task { try await serve(wish, log) })
        while try log.details.turn?.waiting != number + 1 { await Task.yield() }
      }
      for (task, wish) in zip(tasks, wishes) where wish == .cancelled { task.cancel() }
      let waiting = wishes.count { $0 != .cancelled }
      while try log.details.turn?.waiting != waiting { await Task.yield() }

      transaction.rollBack()
      let served = log.count - first
      let small = wishes.filter { $0 != .cancelled }.prefix { $0.isSmall }.count
      if served < small {
        throw Finding("\(served) small appends were done when the turn ended, of \(small) that waited first")
      }
      let late = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<64 {
          group.addTask {
            let number = try await log.append("late").sequence
            for _ in 0..<20 { try await log.append("later") }
            return number
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }

      var sequences: [Int] = []
      for (task, wish) in zip(tasks, wishes) {
        switch (await task.result, wish) {
        case (.success(let sequence), _): sequences.append(sequence)
        case (.failure(is CancellationError), .cancelled): break
        case (.failure(let error), _): throw error
        }
      }
      if sequences != sequences.sorted() {
        throw Finding("those who waited were served in another order: \(sequences)")
      }
      if let last = sequences.last, let early = late.min(), early < last {
        throw Finding("one who came later got record \(early), before the last of those who waited got \(last)")
      }
      let count = first + sequences.count + 64 * 21
      if log.count != count { throw Finding("there are \(log.count) records instead of \(count)") }
    }
  }
}

/// The number of the record that was appended.
private func serve(_ wish: FairnessTests.Wish, _ log: Log) async throws -> Int {
  switch wish {
  case .append, .cancelled: try await log.append("small").sequence
  case .large: try await log.append([UInt8](repeating: 7, count: 3 << 19)).sequence
  case .transaction: try await log.transaction { try await $0.append("in a transaction").sequence }
  case .blockingAppend: try await onThread { try log.append("small").sequence }
  case .blockingTransaction:
    try await onThread { try log.transaction { try $0.append("in a transaction").sequence } }
  }
}

/// Runs code that is not async on a thread of its own, where it may block.
private func onThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
  try await withCheckedThrowingContinuation { continuation in
    Foundation.Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
  }
}
