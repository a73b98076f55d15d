import Immuta

extension LogPromise {
  static func manyTasks<Place: LogPlace>(_ place: Place, _ name: String) async throws {
    let logs = [try await place.open(name), try await place.open(name)]
    let (tasks, each) = (8, 25)
    try await bounded("appending by \(tasks) tasks") {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for task in 0..<tasks {
          group.addTask {
            var last = -1
            for number in 0..<each {
              let receipt = try await logs[task % 2].append("\(task) \(number)")
              try demand(receipt.sequence > last, "an append after another one got a lower number")
              last = receipt.sequence
            }
          }
        }
        try await group.waitForAll()
      }
    }
    var next = [Int](repeating: 0, count: tasks)
    for text in try await texts(tasks * each, of: logs[0]) {
      let numbers = text.split(separator: " ").compactMap { Int($0) }
      try demand(numbers.count == 2, "a record that nobody appended: \(text)")
      try demand(numbers[1] == next[numbers[0]], "task \(numbers[0]) appended \(next[numbers[0]]), not \(numbers[1])")
      next[numbers[0]] += 1
    }
    try await demandCount(tasks * each, of: logs[1])
  }

  static func failedExpectation(_ place: some LogPlace, _ name: String) async throws {
    let log = try await place.open(name)
    try await log.append("one", expecting: 0)
    try await log.append([2, 2] as [UInt8], expecting: 1)
    for wrong in [0, 1, 3, 100] {
      try await demandError({ $0 == .unexpectedCount(expected: wrong, actual: 2) }, "2 records, \(wrong) expected") {
        try await log.append("never", expecting: wrong)
      }
      try await demandError({ $0 == .unexpectedCount(expected: wrong, actual: 2) }, "2 records, \(wrong) expected") {
        try await log.append(contentsOf: ["never", "ever"], expecting: wrong)
      }
    }
    try await demandCount(2, of: log)
    try demand(
      try await texts(3, of: log) == ["one", "\u{2}\u{2}", "the last"], "an append that failed left something")
  }

  static func race<Place: LogPlace>(_ place: Place, _ name: String) async throws {
    let writers = [try await place.open(name), try await place.open(name)]
    for round in 0..<50 {
      let attempts = writers.enumerated().map { number, writer in
        Task { try await writes("\(round) by \(number)", at: round, writer) }
      }
      var winners: [Int] = []
      for (number, attempt) in attempts.enumerated() {
        if try await bounded("a race", { try await attempt.value }) { winners.append(number) }
      }
      try demand(winners.count == 1, "\(winners.count) of two won round \(round)")
      let found = try await writers[winners[0]].record(at: round).text
      try demand(found == "\(round) by \(winners[0])", "\(winners[0]) won round \(round), and the record is: \(found)")
    }
    try await demandCount(50, of: writers[0])
  }

  /// Whether a record was appended as the one that the caller expected.
  private static func writes(_ text: String, at number: Int, _ log: some AppendOnlyLog) async throws -> Bool {
    do {
      let receipt = try await log.append(text, expecting: number)
      try demand(receipt.sequence == number, "the winner got number \(receipt.sequence), not \(number)")
      return true
    } catch let error as ImmutaError {
      guard case .unexpectedCount(expected: number, actual: _, in: _) = error else { throw error }
      return false
    }
  }

  static func wholeBatches<Place: LogPlace>(_ place: Place, _ name: String) async throws {
    let logs = [try await place.open(name), try await place.open(name)]
    let (size, rounds) = (min(10, logs[0].limits.maximumBatchRecords ?? 10), 20)
    try await bounded("appending batches") {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (task, log) in logs.enumerated() {
          group.addTask {
            for round in 0..<rounds {
              let receipts = try await log.append(
                contentsOf: (0..<size).map { "\(task) \(round) \($0)" }, expecting: nil)
              try demand(receipts.count == size, "\(receipts.count) receipts for \(size) records")
            }
          }
        }
        try await group.waitForAll()
      }
    }
    let found = try await texts(2 * rounds * size, of: logs[0])
    for first in stride(from: 0, to: found.count, by: size) {
      let batch = found[first].dropLast(2)
      for number in 0..<size {
        try demand(found[first + number] == "\(batch) \(number)", "\(found[first + number]) is within batch \(batch)")
      }
    }
    let none = try await logs[0].append(contentsOf: [] as [String], expecting: nil)
    try demand(none.isEmpty && none.count == 0, "nothing was appended, and has receipts")
    let expected = try await logs[0].append(contentsOf: ["a"], expecting: found.count)
    try demand(expected.sequences == found.count..<found.count + 1, "the batch has the numbers \(expected.sequences)")
    try await demandCount(found.count + 1, of: logs[1])
  }

  static func refusedBatches(_ place: some LogPlace, _ name: String) async throws {
    let log = try await place.open(name)
    try await log.append("one")
    try await demandError({ $0 == .unexpectedCount(expected: 7, actual: 1) }, "1 record, 7 expected") {
      try await log.append(contentsOf: [[1], [2], [3]] as [[UInt8]], expecting: 7)
    }
    if let limit = log.limits.maximumRecordBytes {
      try await demandError({ $0 == .recordTooLarge }, "the second of three is too large") {
        try await log.append(
          contentsOf: [[1], [UInt8](repeating: 2, count: limit + 1), [3]] as [[UInt8]], expecting: nil)
      }
    }
    if let limit = log.limits.maximumBatchRecords {
      try await demandError({ $0 == .batchTooLarge(maximum: limit) }, "more records than a batch may have") {
        try await log.append(contentsOf: (0...limit).map { "\($0)" }, expecting: nil)
      }
    }
    try await demandCount(1, of: log)
  }

  static func limits(_ place: some LogPlace, _ name: String) async throws {
    let log = try await place.open(name)
    var count = 0
    if let limit = log.limits.maximumRecordBytes {
      try demand(limit > 0, "a record may have \(limit) bytes")
      try await demandError({ $0 == .recordTooLarge }, "a byte more than allowed") {
        try await log.append([UInt8](repeating: 1, count: limit + 1))
      }
      if limit <= 16 << 20 {
        try await log.append([UInt8](repeating: 1, count: limit))
        let found = try await log.record(at: 0).payload.count
        try demand(found == limit, "\(limit) bytes were appended and \(found) found")
        count += 1
      }
    }
    if let limit = log.limits.maximumBatchRecords {
      try demand(limit > 0, "a batch may have \(limit) records")
      try await log.append(contentsOf: (0..<limit).map { "\($0)" }, expecting: count)
      count += limit
    } else {
      try await log.append(contentsOf: (0..<5000).map { "\($0)" }, expecting: count)
      count += 5000
    }
    try await demandCount(count, of: log)
  }

  static func unknownAppend(_ place: some LogPlace, _ name: String) async throws {
    let log = try await place.open(name)
    try await log.append("one")
    let never = UnknownAppend(namespace: name, id: "never-\(name)", count: 1, earliest: 0, isExpecting: true)
    let outcome = try await bounded("asking for an outcome") { try await log.outcome(of: never) }
    try demand(outcome == .notAppended, "record 0 is another one, and of the append was said: \(outcome)")
  }
}
