import Foundation
import ImmutaTestSupport
import Testing

@testable import Immuta

/// Only if nothing came between.
@Suite(.timeLimit(.minutes(3))) struct ExpectingTests {
  private static let chunks = ChunkSource(chunks: [[1], [2, 3]])

  /// Each way to append one record, or several, on a condition.
  private static let calls: [(String, @Sendable (OpenLog, Int) async throws -> any Sendable)] = [
    ("text", { try await $0.log.append("x", expecting: $1) }),
    ("bytes", { try await $0.log.append([1] as [UInt8], expecting: $1) }),
    ("chunks", { try await $0.log.append(chunks, expecting: $1) }),
    ("texts", { try await $0.log.append(contentsOf: ["x"], expecting: $1) }),
    ("many bytes", { try await $0.log.append(contentsOf: [[1]] as [[UInt8]], expecting: $1) }),
    ("transaction", { try await $0.log.transaction(expecting: $1) { try await $0.append("x") } }),
    ("text, by name", { try await $0.storage.append("x", to: "log", expecting: $1) }),
    ("bytes, by name", { try await $0.storage.append([1] as [UInt8], to: "log", expecting: $1) }),
    ("chunks, by name", { try await $0.storage.append(chunks, to: "log", expecting: $1) }),
    ("texts, by name", { try await $0.storage.append(contentsOf: ["x"], to: "log", expecting: $1) }),
    ("many bytes, by name", { try await $0.storage.append(contentsOf: [[1]] as [[UInt8]], to: "log", expecting: $1) }),
    (
      "transaction, by name",
      { try await $0.storage.transaction(in: "log", expecting: $1) { try await $0.append("x") } }
    ),
    ("text, blocking", { open, count in try await onThread { try open.log.append("x", expecting: count) } }),
    (
      "bytes, blocking",
      { open, count in try await onThread { try open.log.append([1] as [UInt8], expecting: count) } }
    ),
    (
      "texts, blocking",
      { open, count in try await onThread { try open.log.append(contentsOf: ["x"], expecting: count) } }
    ),
    (
      "many bytes, blocking",
      { open, count in try await onThread { try open.log.append(contentsOf: [[1]] as [[UInt8]], expecting: count) } }
    ),
    (
      "transaction, blocking",
      { open, count in try await onThread { try open.log.transaction(expecting: count) { try $0.append("x") } } }
    ),
    (
      "text, by name, blocking",
      { open, count in try await onThread { try open.storage.append("x", to: "log", expecting: count) } }
    ),
    (
      "bytes, by name, blocking",
      { open, count in try await onThread { try open.storage.append([1] as [UInt8], to: "log", expecting: count) } }
    ),
    (
      "texts, by name, blocking",
      { open, count in try await onThread { try open.storage.append(contentsOf: ["x"], to: "log", expecting: count) } }
    ),
    (
      "transaction, by name, blocking",
      { open, count in
        try await onThread { try open.storage.transaction(in: "log", expecting: count) { try $0.append("x") } }
      }
    ),
  ]

  @Test(arguments: calls.map(\.0)) func aRecordIsAppendedIfTheLogHasThatManyRecords(name: String) async throws {
    let call = try #require(Self.calls.first { $0.0 == name }?.1)
    let open = try await OpenLog(3)
    defer { open.close() }
    for wrong in [2, 4, 0, -1, .min, .max] {
      do {
        _ = try await call(open, wrong)
        Issue.record("\(name) appended with \(wrong)")
      } catch let error as ImmutaError {
        #expect(error == .unexpectedCount(expected: wrong, actual: 3) && error.namespace == "log")
      }
      #expect(open.log.count == 3)
    }
    _ = try await call(open, 3)
    #expect(open.log.count == 4)
    // The turn was given back each time.
    try await open.log.append("after")
    #expect(try await open.log.verify().records == 5)
  }

  @Test func nothingOnFileChangesWhenTheCountIsAnother() async throws {
    let directory = TemporaryDirectory()
    try await directory.fill([[0], [1]])
    let before = try directory.allFiles()
    let storage = try directory.open()
    defer { storage.close() }
    await #expect(throws: ImmutaError.unexpectedCount(expected: 1, actual: 2)) {
      try await storage.append("x", to: "log", expecting: 1)
    }
    await #expect(throws: ImmutaError.unexpectedCount(expected: 3, actual: 2)) {
      try await storage.append(contentsOf: [String](), to: "log", expecting: 3)
    }
    #expect(try directory.allFiles() == before, "the log is not even marked as open")
  }

  @Test func theClosureOfATransactionIsNotCalledInVain() async throws {
    let open = try await OpenLog(1)
    defer { open.close() }
    let calls = Box(0)
    for count in [0, 2] {
      await #expect(throws: ImmutaError.unexpectedCount(expected: count, actual: 1)) {
        try await open.log.transaction(expecting: count) { transaction in
          calls.withLock { $0 += 1 }
          try await transaction.append("x")
        }
      }
    }
    #expect(calls.withLock { $0 } == 0)
    // And one that throws takes its records back, as any does.
    await #expect(throws: SourceFailed()) {
      try await open.log.transaction(expecting: 1) { transaction in
        try await transaction.append("x")
        throw SourceFailed()
      }
    }
    #expect(open.log.count == 1)
  }

  @Test func aSourceIsNotAskedForWhatCannotBeAppended() async throws {
    let open = try await OpenLog(5)
    defer { open.close() }
    let source = ChunkSource(chunks: [[1]], failure: SourceFailed())
    await #expect(throws: ImmutaError.unexpectedCount(expected: 4, actual: 5)) {
      try await open.log.append(source, expecting: 4)
    }
    await #expect(throws: SourceFailed()) { try await open.log.append(source, expecting: 5) }
  }

  @Test(arguments: [3, 3 << 20]) func recordsMayComeWhileTheChunksDo(size: Int) async throws {
    let open = try await OpenLog(1)
    defer { open.close() }
    let log = open.log
    // The count is compared once all has come.
    let source = AsyncStream<[UInt8]> { continuation in
      continuation.yield(pattern(size))
      continuation.finish()
    }
    let appending = source.map { chunk in
      try await log.append("between")
      return chunk
    }
    try await log.append(appending, expecting: 2)
    #expect(log.count == 3)
    let again = AsyncStream<[UInt8]> { continuation in
      continuation.yield(pattern(size))
      continuation.finish()
    }
    await #expect(throws: ImmutaError.unexpectedCount(expected: 3, actual: 4)) {
      try await log.append(
        again.map { chunk in
          try await log.append("between")
          return chunk
        }, expecting: 3)
    }
    #expect(log.count == 4)
  }

  /// The count is compared with the turn held: of all who expect the same, one appends.
  @Test func ofManyWhoExpectTheSameOneAppends() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let log = open.log
    let others = 16
    for round in 0..<300 {
      let count = log.count
      let winners = await withTaskGroup(of: Int.self) { group in
        for other in 0..<others {
          group.addTask {
            do {
              switch (round + other) % 4 {
              case 0: try await log.append("\(other)", expecting: count)
              case 1: try await log.append(contentsOf: ["\(other)"], expecting: count)
              case 2:
                try await log.transaction(expecting: count) { transaction in
                  await Task.yield()
                  try await transaction.append("\(other)")
                }
              default: _ = try await onThread { try log.append("\(other)", expecting: count) }
              }
              return 1
            } catch ImmutaError.unexpectedCount(expected: count, actual: count + 1, in: _) {
              return 0
            } catch {
              return others
            }
          }
        }
        return await group.reduce(0, +)
      }
      guard winners == 1, log.count == count + 1 else {
        Issue.record("round \(round): \(winners) won, and there are \(log.count - count) more records")
        return
      }
    }
    #expect(try await log.verify().records == 300)
  }

  @Test func whoeverTriesAgainIsServedInTheEnd() async throws {
    let open = try await OpenLog(0)
    defer { open.close() }
    let log = open.log
    await withTaskGroup(of: Void.self) { group in
      for other in 0..<8 {
        group.addTask {
          for number in 0..<50 {
            while true {
              let count = log.count
              do {
                try await log.append("\(other) \(number) \(count)", expecting: count)
                break
              } catch ImmutaError.unexpectedCount {
                continue
              } catch {
                Issue.record("\(error)")
                return
              }
            }
          }
        }
      }
    }
    // Each record is where its writer meant it to be.
    let found = try texts(log)
    #expect(found.count == 400)
    #expect(found.enumerated().allSatisfy { $1.hasSuffix(" \($0)") })
  }
}
