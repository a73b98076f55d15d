import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// A file system that is full: four megabytes in memory, mounted for the test, which only root may do.
@Suite(.timeLimit(.minutes(2))) struct DiskFullTests {
  @Test(arguments: [TestedDurability.buffered, .synced], LogFormat.allCases)
  func aFullDiskLosesNothingAndMayBeMadeRoomOn(_ durability: TestedDurability, _ format: LogFormat) async throws {
    let directory = TemporaryDirectory()
    let disk = try directory.subdirectory("disk")
    guard try MountedDisk.run("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]) == 0 else {
      print("SKIPPED: the full disk is not tested, since mounting a file system is not permitted here")
      return
    }
    let result = await Result { try await fill(disk, durability.configuration(format)) }
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
    _ = try await model.snapshot.check(count: log.count, isUp: true) { try await log.record(at: $0) }
    let report = try await log.verify()
    #expect(report.records == model.count)
  }
}
