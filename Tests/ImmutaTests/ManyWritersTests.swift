import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Sixty-four tasks append at once, while others read: for `IMMUTA_SECONDS` seconds, 2 by default. Meant for the thread
/// sanitizer, where a minute of it must leave no report.
@Suite(.timeLimit(.minutes(10))) struct ManyWritersTests {
  private static let writers = 64

  @Test func sequencesAreDenseAndNothingIsLost() async throws {
    let seconds = ProcessInfo.processInfo.environment["IMMUTA_SECONDS"].flatMap(Double.init) ?? 2
    let directory = TemporaryDirectory()
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    let log = try storage.log("log")
    let end = ContinuousClock.now + .seconds(seconds)
    let appended = try await withThrowingTaskGroup(of: [Int].self) { group in
      for writer in 0..<Self.writers {
        group.addTask { try await append(to: log, as: writer, until: end) }
      }
      for _ in 0..<4 { group.addTask { try await follow(log, until: end) } }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    #expect(appended.sorted() == Array(0..<log.count))
    storage.close()

    let reopened = try Storage(directory: directory.path, namespaces: ["log"])
    defer { reopened.close() }
    let report = try await reopened.verify("log")
    #expect(report.records == appended.count)
    var next = Array(repeating: 0, count: Self.writers)
    let closed = try reopened.log("log")
    for record in try closed.records(in: 0..<closed.count) {
      let fields = record.text.split(separator: " ")
      let writer = try #require(fields.first.flatMap { Int($0) })
      #expect(fields.count > 1 && fields[1] == "\(next[writer])", "each writer's records are in its order")
      next[writer] += 1
    }
  }
}

/// Appends one by one, and now and then in transactions; returns the numbers of the records.
private func append(to log: Log, as writer: Int, until end: ContinuousClock.Instant) async throws -> [Int] {
  var sequences: [Int] = []
  while ContinuousClock.now < end {
    if sequences.count % 10 < 8 {
      sequences.append(try await log.append("\(writer) \(sequences.count)").sequence)
    } else {
      let first = sequences.count
      sequences += try await log.transaction { transaction in
        [
          try await transaction.append("\(writer) \(first)").sequence,
          try await transaction.append("\(writer) \(first + 1) " + String(repeating: "x", count: 3_000)).sequence,
        ]
      }
    }
  }
  return sequences
}

/// Reads along, and sees that no number is left out.
private func follow(_ log: Log, until end: ContinuousClock.Instant) async throws -> [Int] {
  var stream = log.stream()
  var expected = 0
  while ContinuousClock.now < end {
    guard let record = try await stream.next(timeout: .milliseconds(10)) else { continue }
    #expect(record.sequence == expected)
    expected += 1
  }
  return []
}
