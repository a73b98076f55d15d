import Floors
import Immuta

/// Immuta, doing the work. Noncopyable, so that it is closed at the end of the scope that opened it, and not before.
struct ImmutaLog: ~Copyable {
  static let namespace = "events"

  let storage: Storage
  let log: Log

  init(_ directory: String, durability: Durability = .buffered) throws {
    let opened = try Storage(
      directory: directory, namespaces: [Self.namespace], configuration: .init(durability: durability))
    log = try opened.log(Self.namespace)
    storage = opened
  }

  deinit { storage.close() }

  /// Commits each record by itself, from code that is not async.
  func append(_ payloads: Payloads, _ records: Int) throws {
    for number in 0..<records { try log.append(payloads[number]) }
  }

  /// Commits as many records at a time as said, from code that is not async.
  func append(_ payloads: Payloads, _ records: Int, perCommit: Int) throws {
    for first in stride(from: 0, to: records, by: perCommit) {
      try log.transaction { transaction in
        for number in first..<min(first + perCommit, records) { try transaction.append(payloads[number]) }
      }
    }
  }

  /// Reads records in order and sums every byte.
  func stream(_ records: Int, from first: Int = 0) async throws -> UInt64 {
    var sum: UInt64 = 0
    var left = records
    for try await record in log.stream(from: .skipping(first)) {
      record.payload.withUnsafeBytes { sum &+= floor_sum($0.baseAddress, $0.count) }
      left -= 1
      if left == 0 { break }
    }
    return sum
  }

  /// The same, without looking for cancellation before each record: as many as there are, if those are fewer.
  func streamAtOnce(_ records: Int) throws -> UInt64 {
    var sum: UInt64 = 0
    var left = records
    var stream = log.stream()
    while left > 0, let record = try stream.nextAtOnce() {
      record.payload.withUnsafeBytes { sum &+= floor_sum($0.baseAddress, $0.count) }
      left -= 1
    }
    return sum
  }

  /// The same, some records at a time; the bytes are borrowed, so no record is made of them.
  func streamBatches(_ records: Int) async throws -> UInt64 {
    var sum: UInt64 = 0
    var left = records
    for try await batch in log.stream().batches() {
      try batch.forEachPayload { _, bytes in bytes.withUnsafeBytes { sum &+= floor_sum($0.baseAddress, $0.count) } }
      left -= batch.count
      if left <= 0 { break }
    }
    return sum
  }

  /// The same, some records at a time, each as a record.
  func streamRecordsOfBatches(_ records: Int) async throws -> UInt64 {
    var sum: UInt64 = 0
    var left = records
    for try await batch in log.stream().batches() {
      for record in batch { record.payload.withUnsafeBytes { sum &+= floor_sum($0.baseAddress, $0.count) } }
      left -= batch.count
      if left <= 0 { break }
    }
    return sum
  }

  /// Reads the records with these numbers and sums every byte.
  func read(_ numbers: [Int]) async throws -> UInt64 {
    var sum: UInt64 = 0
    for number in numbers {
      let record = try await log.record(at: number)
      record.payload.withUnsafeBytes { sum &+= floor_sum($0.baseAddress, $0.count) }
    }
    return sum
  }
}

extension Log {
  /// From async code, without waiting for a turn or for anything else.
  func appendAtOnce(_ bytes: [UInt8]) throws { try append(bytes) }
}
