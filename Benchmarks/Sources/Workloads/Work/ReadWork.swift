import Floors
import Foundation
import Immuta

/// Reading what is in the page cache, every byte checked by Immuta, and summed by everybody.
enum ReadWork {
  static let all = [
    Workload("stream 500k × 1 KiB, verified", .read, bar: .timesFloor(1.4)) { bench, directory in
      try inOrder(Payloads(size: 1024), bench.scaled(500_000), directory)
    },
    Workload("stream 1M × 100 B, verified", .read, bar: .atMost(60)) { bench, directory in
      try inOrder(Payloads(size: 100), bench.scaled(1_000_000), directory)
    },
    Workload("record at a random number, 1 KiB of 500k", .read, bar: .timesFloor(2)) { bench, directory in
      try atRandom(Payloads(size: 1024), bench.scaled(500_000), reads: bench.scaled(50_000), directory)
    },
  ]

  /// A log of so many records, and the same in SQLite; returns what the sum over all payloads must be.
  private static func fill(_ payloads: Payloads, _ records: Int, _ directory: String) throws -> UInt64 {
    try ImmutaLog(directory).append(payloads, records, perCommit: 1_000)
    let sqlite = try SQLiteLog(creatingIn: directory, .off)
    try sqlite.append(payloads, records, perCommit: 1_000)
    try sqlite.close()
    return (0..<records).reduce(into: UInt64(0)) { $0 &+= sums(payloads)[$1 % Payloads.variants] }
  }

  private static func sums(_ payloads: Payloads) -> [UInt64] {
    payloads.arrays.map { array in array.withUnsafeBytes { floor_sum($0.baseAddress, $0.count) } }
  }

  private static func inOrder(_ payloads: Payloads, _ records: Int, _ directory: String) throws -> [Contender] {
    let expected = try fill(payloads, records, directory)
    let path = "\(directory)/\(ImmutaLog.namespace).log"
    let perRecord = 1 / Double(records)
    return [
      Contender("Immuta", .ours) { _ in
        let log = try ImmutaLog(directory)
        return try await nanoseconds { try check(await log.stream(records), expected) } * perRecord
      },
      Contender("floor", .floor) { _ in
        var sum: UInt64 = 0
        return try BenchError.check(floor_read(path, &sum)) * perRecord
      },
      Contender("Immuta, nextAtOnce()", .other) { _ in
        let log = try ImmutaLog(directory)
        return try nanoseconds { try check(log.streamAtOnce(records), expected) } * perRecord
      },
      Contender("Immuta, batches()", .other) { _ in
        let log = try ImmutaLog(directory)
        return try await nanoseconds { try check(await log.streamRecordsOfBatches(records), expected) } * perRecord
      },
      Contender("Immuta, batches(), bytes borrowed", .other) { _ in
        let log = try ImmutaLog(directory)
        return try await nanoseconds { try check(await log.streamBatches(records), expected) } * perRecord
      },
      Contender("GRDB", .other) { _ in
        let log = try SQLiteLog(directory)
        let time = try nanoseconds { try check(log.readAll(), expected) }
        try log.close()
        return time * perRecord
      },
      Contender("FileHandle, 1 MiB pieces", .other) { _ in
        try nanoseconds { try check(PlainFile.readAll(path, from: 16), expected) } * perRecord
      },
    ]
  }

  private static func atRandom(
    _ payloads: Payloads, _ records: Int, reads: Int, _ directory: String
  ) throws -> [Contender] {
    _ = try fill(payloads, records, directory)
    let path = "\(directory)/\(ImmutaLog.namespace).log"
    let perRecord = 1 / Double(reads)
    let numbers = randomNumbers(reads, below: records)
    let expected = numbers.reduce(into: UInt64(0)) { [sums = sums(payloads)] in $0 &+= sums[$1 % Payloads.variants] }
    let offsets = numbers.map { Int64(16 + $0 * (payloads.size + 8) + 8) }
    return [
      Contender("Immuta", .ours) { _ in
        let log = try ImmutaLog(directory)
        return try await nanoseconds { try check(await log.read(numbers), expected) } * perRecord
      },
      Contender("floor", .floor) { _ in
        var sum: UInt64 = 0
        let time = floor_read_at(path, offsets, Int64(reads), payloads.size, &sum)
        let nanoseconds = try BenchError.check(time)
        try check(sum, expected)
        return nanoseconds * perRecord
      },
      Contender("GRDB", .other) { _ in
        let log = try SQLiteLog(directory)
        let time = try nanoseconds { try check(log.read(numbers), expected) }
        try log.close()
        return time * perRecord
      },
    ]
  }

  /// The same numbers in every run.
  static func randomNumbers(_ count: Int, below limit: Int) -> [Int] {
    var state: UInt64 = 42
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 32) % UInt64(limit))
    }
  }

  private static func check(_ sum: UInt64, _ expected: UInt64) throws {
    if sum != expected { throw BenchError("what was read is not what was written") }
  }
}
