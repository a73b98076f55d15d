import Floors
import Foundation
import Immuta

/// Consumers that acknowledge what they take, and the records of one key. What is read is in the page cache.
enum ConsumeWork {
  static let perAcknowledgement = 64

  static let all = [
    Workload("next and acknowledge, 100 B, one by one", .consume) { bench, directory in
      try acknowledging(bench.scaled(64_000), perCall: 1, directory)
    },
    Workload("next × 64 and acknowledge, 100 B", .consume) { bench, directory in
      try acknowledging(bench.scaled(512_000), perCall: perAcknowledgement, directory)
    },
    Workload("a key's 100 records of 1M in 10 segments, 100 B", .consume, unit: .time(per: "key")) { bench, directory in
      try await ofAKey(100 * bench.scaled(10_000), directory)
    },
  ]

  private static func acknowledging(_ records: Int, perCall: Int, _ directory: String) throws -> [Contender] {
    let payloads = Payloads(size: 100)
    try ImmutaLog(directory).append(payloads, records, perCommit: 1_000)
    let perRecord = 1 / Double(records)
    return [
      Contender("Immuta", .ours) { _ in
        let log = try ImmutaLog(directory)
        try log.log.seekConsumer("bench", to: .beginning)
        let consumer = try log.log.consumer("bench")
        return try nanoseconds { try acknowledge(consumer, records, perCall: perCall) } * perRecord
      },
      Contender("pwrite of 512 B for each acknowledgement", .floor) { directory in
        try positions(records / perCall, to: directory) * perRecord
      },
      Contender("the same records without acknowledging", .other) { _ in
        let log = try ImmutaLog(directory)
        return try nanoseconds { _ = try log.streamAtOnce(records) } * perRecord
      },
    ]
  }

  private static func acknowledge(_ consumer: Consumer, _ records: Int, perCall: Int) throws {
    var left = records
    while left > 0 {
      var last: Record?
      for _ in 0..<min(perCall, left) {
        guard let record = try consumer.nextAtOnce() else { throw BenchError("a record is missing") }
        last = record
        left -= 1
      }
      if let last { try consumer.acknowledge(last) }
    }
    if consumer.position != records { throw BenchError("the consumer is at \(consumer.position)") }
  }

  /// Nanoseconds of so many small writes, to two places in turn.
  private static func positions(_ count: Int, to directory: String) throws -> Double {
    guard let file = FileHandle(creating: "\(directory)/position") else { throw BenchError("no file") }
    let bytes = [UInt8](repeating: 7, count: 512)
    return try nanoseconds {
      for number in 0..<count where pwrite(file.fileDescriptor, bytes, bytes.count, off_t(number & 1) * 2048) < 0 {
        throw BenchError("pwrite failed")
      }
    }
  }

  private static func ofAKey(_ records: Int, _ directory: String) async throws -> [Contender] {
    let (keys, size, asked) = (records / 100, 100, 50)
    let storage = try Storage(directory: directory, namespaces: [ImmutaLog.namespace])
    let log = try storage.log(ImmutaLog.namespace)
    for number in 0..<records {
      let text = "key-\(number % keys) \(number) "
      try log.appendText(text + String(repeating: "x", count: size - text.utf8.count))
      if (number + 1) % (records / 10) == 0, number + 1 < records { try await log.roll() }
    }
    let keyed = try keyed(log)
    _ = try await keyed.count(of: Array("key-0".utf8))
    storage.close()
    let perKey = 1 / Double(asked)
    return [
      Contender("Immuta", .ours) { _ in
        let log = try ImmutaLog(directory)
        let keyed = try Self.keyed(log.log)
        _ = try await keyed.count(of: Array("key-0".utf8))
        return try await nanoseconds {
          for ask in 0..<asked {
            var count = 0
            for try await record in keyed.records(of: Array("key-\(ask * 7_919 % keys)".utf8)) {
              count += record.size > 0 ? 1 : 0
            }
            if count != 100 { throw BenchError("a key has \(count) records") }
          }
        } * perKey
      },
      Contender("pread of each record", .floor) { _ in
        // As many, as far apart, of the first segment.
        let offsets = (0..<100).map { Int64(16 + $0 * (records / 1_000) * (size + 8) + 8) }
        var sum: UInt64 = 0
        var time = 0.0
        for _ in 0..<asked {
          time += try BenchError.check(
            floor_read_at("\(directory)/\(ImmutaLog.namespace).log", offsets, 100, size, &sum))
        }
        return time * perKey
      },
    ]
  }

  /// By the first word.
  private static func keyed(_ log: Log) throws -> KeyedLog<[UInt8]> {
    try log.keyed("key") { payload in
      payload.firstIndex(of: UInt8(ascii: " ")).map { Array(payload[..<$0]) }
    }
  }
}

extension Log {
  /// From async code, without waiting for a turn.
  fileprivate func appendText(_ text: String) throws { try append(text) }
}
