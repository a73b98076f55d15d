import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// A file system that is full: four megabytes in memory, mounted for the test, which only root may do.
@Suite(.timeLimit(.minutes(2))) struct DiskFullTests {
  @Test(arguments: [TestedDurability.buffered, .synced], LogFormat.allCases)
  func aFullDiskLosesNothingAndMayBeMadeRoomOn(_ durability: TestedDurability, _ format: LogFormat) async throws {
    try await onASmallDisk { try await fill($0, durability.configuration(format)) }
  }

  @Test(arguments: [TestedDurability.buffered, .synced], LogFormat.allCases)
  func aLogThatRollsOnAFullDiskLosesNothingAndMayDropItsFront(
    _ durability: TestedDurability, _ format: LogFormat
  ) async throws {
    var configuration = durability.configuration(format)
    for bytes in [20_000, 300_000] {
      configuration.segments.maximumBytes = bytes
      try await onASmallDisk { [configuration] in try await fillRolling($0, configuration) }
    }
  }

  private func onASmallDisk(_ body: (_ disk: String) async throws -> Void) async throws {
    let directory = TemporaryDirectory()
    let disk = try directory.subdirectory("disk")
    guard try MountedDisk.run("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]) == 0 else {
      print("SKIPPED: the full disk is not tested, since mounting a file system is not permitted here")
      return
    }
    let result = await Result { try await body(disk) }
    #expect(try MountedDisk.run("umount", [disk]) == 0)
    try result.get()
  }

  private func fill(_ disk: String, _ configuration: Storage.Configuration) async throws {
    let filler = "\(disk)/filler"
    try FileBytes.write([UInt8](repeating: 1, count: 1 << 20), to: filler)
    let logs = "\(disk)/logs"
    let model = LogModel()
    do {
      let storage = try Storage(directory: logs, namespaces: ["events"], configuration: configuration)
      defer { storage.close() }
      let log = try storage.log("events")
      try await appendUntilFull(log, model, size: 10_000)
      #expect(log.count > 200)
      try await check(log, model)

      let count = log.count
      await #expect(throws: ImmutaError.self) {
        try await log.transaction { transaction in
          try await transaction.append("there may be room for this")
          try await transaction.append([UInt8](repeating: 2, count: 2 << 20))
        }
      }
      #expect(log.count == count, "a transaction that does not fit leaves nothing")
      try await appendUntilFull(log, model, size: 10)
      try await check(log, model)

      try FileManager.default.removeItem(atPath: filler)
      try await append(log, model, size: 100_000)
      try await append(log, model, size: 10_000)
      try await appendUntilFull(log, model, size: 9_999)
      try await check(log, model)
    }
    // It was closed on a full disk, too.
    let format = try #require(configuration.format)
    let bytes = try #require(try FileBytes.read(format.testFiles(of: "events", in: logs).log))
    let storage = try Storage(directory: logs, namespaces: ["events"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("events")
    let last = try await log.record(at: log.count - 1)
    #expect(bytes.count == last.index + format.recordHeaderSize + last.size, "the file ends with its last record")
    try await check(log, model)
    #expect(try log.details.openingNote == nil)
  }

  private func fillRolling(_ disk: String, _ configuration: Storage.Configuration) async throws {
    let logs = "\(disk)/logs"
    let model = LogModel()
    for round in 0..<3 {
      let storage = try Storage(directory: logs, namespaces: ["events"], configuration: configuration)
      defer { storage.close() }
      let log = try storage.log("events")
      if round > 0 { #expect(try log.details.openingNote == nil, "it was closed on a full disk, too") }
      try await check(log, model)
      try await appendUntilFull(log, model, size: 10_000)
      try await check(log, model)
      try await appendUntilFull(log, model, size: 10)
      try await check(log, model)
      // What makes room is to drop the oldest: all but the newest segment, as many small records have little room to give.
      let before = log.count
      model.removes(before: before)
      let first = try await log.removeRecords(before: before)
      #expect(first > 0 && first <= before)
      try model.begins(with: first)
      try await check(log, model)
      for _ in 0..<10 { try await append(log, model, size: 10_000) }
      try await appendUntilFull(log, model, size: 9_999)
      try await check(log, model)
    }
    let storage = try Storage(directory: logs, namespaces: ["events"], configuration: configuration)
    defer { storage.close() }
    try await check(storage.log("events"), model)
  }

  /// Appends until there is no room, which must be what the error says and must change nothing.
  private func appendUntilFull(_ log: Log, _ model: LogModel, size: Int) async throws {
    for _ in 0..<1_000_000 {
      let count = log.count
      do {
        try await append(log, model, size: size)
      } catch ImmutaError.io(let number, _, _) where number == ENOSPC {
        guard log.count == count else { throw Finding("no room, and count went from \(count) to \(log.count)") }
        return
      }
    }
    throw Finding("the disk is never full")
  }

  private func append(_ log: Log, _ model: LogModel, size: Int) async throws {
    let content = Content(identity: UInt64(log.count) &* 0x9E37_79B9_7F4A_7C15, size: size)
    // What found no room is not there: the model learns of a record when it is.
    let receipt = try await log.append(content.bytes)
    try model.succeeded(model.begins([content]), first: receipt.sequence)
  }

  private func check(_ log: Log, _ model: LogModel) async throws {
    let first = log.firstSequence
    _ = try await model.snapshot.check(count: log.count, first: first, isUp: true) { try await log.record(at: $0) }
    let report = try await log.verify()
    #expect(report.records == model.count - first)
  }
}
