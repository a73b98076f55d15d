import CImmutaCRC32C
import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// A large file is verified in several pieces at once: what is said of it is what one who reads it from its beginning would say.
@Suite(.timeLimit(.minutes(3))) struct VerifiedPiecesTests {
  private static let count = 70
  private static let size = 1 << 20

  private func write(_ directory: TemporaryDirectory) async throws {
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    defer { storage.close() }
    for number in 0..<Self.count {
      try await storage.append([UInt8](repeating: UInt8(number), count: Self.size), to: "log")
    }
  }

  private func verify(_ directory: TemporaryDirectory) async throws -> (report: VerificationReport, last: Int) {
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    defer { storage.close() }
    var seen = [0]
    let report = try await storage.log("log").verify { done, count in
      #expect(count == Self.count && done > seen[seen.count - 1])
      seen.append(done)
    }
    // More than one piece, or this suite says nothing.
    #expect(seen.count > 2)
    return (report, seen[seen.count - 1])
  }

  @Test func allOfItIsCounted() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    try await write(directory)
    let (report, last) = try await verify(directory)
    #expect(report.records == Self.count && report.verifiable == Self.count && last == Self.count)
    #expect(report.bytes == 16 + Self.count * (8 + Self.size))
    #expect(report.smallestPayload == Self.size && report.largestPayload == Self.size)
  }

  /// Whatever is found first, and by which processor.
  @Test(arguments: [[0], [31], [69], [69, 40], [40, 3], [33, 30]]) func theFirstDamagedRecordIsNamed(
    damaged: [Int]
  ) async throws {
    let directory = TemporaryDirectory(inMemory: true)
    try await write(directory)
    let file = try #require(FileHandle(forUpdatingAtPath: directory.file("log.log")))
    for number in damaged {
      try file.seek(toOffset: UInt64(16 + number * (8 + Self.size) + 500))
      try file.write(contentsOf: [0xFF])
    }
    try file.close()
    let damage = await corruption { _ = try await verify(directory) }
    #expect(damage?.sequence == damaged.min() && damage?.reason.code == .checksum)
  }

  /// Where one piece ends and another begins, and elsewhere, nothing lies between two records.
  @Test(arguments: 28...36) func aGapBetweenTwoRecordsIsNoticedWhereverItIs(number: Int) async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let payload = [UInt8](repeating: 7, count: Self.size)
    let header = withUnsafeBytes(of: Int64(Self.size).littleEndian) { [UInt8]($0) }
    let checksum = (header + payload).withUnsafeBytes { crc32c_extend(0, $0.baseAddress, $0.count) }
    var log: [UInt8] = []
    var entries: [UInt8] = []
    for record in 0..<Self.count {
      if record == number { log += [UInt8](repeating: 0, count: 8) }
      var entry = [UInt8](repeating: 0, count: CompanionEntry.size)
      let index = 16 + log.count
      entry.withUnsafeMutableBytes { bytes in
        CompanionEntry(index: index, time: 1, recordChecksum: checksum).encode(into: bytes, number: record)
      }
      entries += entry
      log += header + payload
    }
    let last = 16 + log.count - payload.count - header.count
    try FileBytes.write(
      LogHeader(.v2, count: Self.count, lastIndex: last).encoded(format: .v2) + log, to: directory.file("log.log"))
    var companion = CompanionHeader(format: .v2)
    companion.stableCount = Self.count
    companion.identity = .random()
    companion.mark = .closed
    try FileBytes.write(
      companion.encoded() + [UInt8](repeating: 0, count: TwoSlots.slotSize) + entries, to: directory.file("log.idx"))
    let damage = await corruption { _ = try await verify(directory) }
    #expect(damage?.sequence == number - 1 && damage?.reason.code == .sizeField)
  }

  // MARK: Meanwhile

  /// A log whose records are each a segment, and what happens to it once the first of them is verified.
  private func verify(
    _ happening: (Log) throws -> Void
  ) async throws -> (report: VerificationReport, count: Int) {
    let directory = TemporaryDirectory(inMemory: true)
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<30 {
      try await log.append("\(number)")
      try await log.roll()
    }
    try await log.append("newest")
    let count = log.count
    var hasHappened = false
    let report = try await log.verify { _, _ in
      if hasHappened { return }
      hasHappened = true
      do { try happening(log) } catch { Issue.record(error) }
    }
    #expect(hasHappened)
    return (report, count)
  }

  @Test func aLogMayLoseAllOfItsRecordsWhileItIsVerified() async throws {
    let (report, count) = try await verify { log in
      for _ in 0..<3 {
        try log.append("later")
        try log.roll()
      }
      try log.removeRecords(before: log.count)
    }
    #expect(report.records < count)
  }

  @Test func aLogMayRollWhileItIsVerified() async throws {
    let (report, count) = try await verify { log in
      try log.append("later")
      try log.roll()
      try log.append("later")
    }
    #expect(report.records == count && report.verifiable == count)
  }
}
