import Floors
import Foundation
import Harness
import Immuta

/// What an append and a read cost as a log grows, and what it costs to open it.
package struct GrowthPoint: Sendable {
  package let records: Int
  /// What the log and its companion take on the disk, in bytes.
  package let bytes: Int
  /// Nanoseconds for a record of 100 B: appended and committed by itself; read at random; read in order, at the end that
  /// was just written and at the other, which the page cache may have let go.
  package let append: Double
  package let readAtRandom: Double
  package let streamNewest: Double
  package let streamOldest: Double
  /// Bytes of heap that the open log takes after all this.
  package let heap: Int
  package let open: Outcome
}

package enum GrowthWork {
  private static let payloads = Payloads(size: 100)
  /// SQLite is filled up to here.
  private static let largestDatabase = 1_000_000

  /// One log, ten times as large from point to point, up to the run's largest, which is the last point.
  package static func run(_ bench: Bench, progress: (String) -> Void) async throws -> [GrowthPoint] {
    let directory = try bench.makeDirectory("growth")
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var points: [GrowthPoint] = []
    var size = min(10_000, bench.largestLog)
    while true {
      progress("a log that grows: \(size.formatted(.number)) records")
      points.append(try await point(bench, size, directory, progress))
      if size == bench.largestLog { return points }
      size = min(size * 10, bench.largestLog)
    }
  }

  private static func point(
    _ bench: Bench, _ size: Int, _ directory: String, _ progress: (String) -> Void
  ) async throws -> GrowthPoint {
    let costs = try await costs(size, directory)
    let database = size <= largestDatabase ? directory : nil
    if database != nil {
      let sqlite = try SQLiteLog(creatingIn: directory, .off)
      try sqlite.append(payloads, size - size / 10, perCommit: 1_000)
      try sqlite.close()
    }
    let open = try await bench.run(OpenWork.workload(size, in: directory, sqlite: database), progress: progress)
    let bytes = try [ImmutaLog.namespace + ".log", ImmutaLog.namespace + ".idx"].map { name in
      try URL(filePath: "\(directory)/\(name)").resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0
    }
    return GrowthPoint(
      records: size, bytes: bytes.reduce(0, +), append: costs.append, readAtRandom: costs.read,
      streamNewest: costs.newest, streamOldest: costs.oldest, heap: costs.heap, open: open)
  }

  private struct Costs {
    let append, read, newest, oldest: Double
    let heap: Int
  }

  /// Fills the log up to the size, record by record at its end, and reads.
  private static func costs(_ size: Int, _ directory: String) async throws -> Costs {
    let measured = min(size / 2, 200_000)
    let heap = Int(floor_heap_in_use())
    let log = try ImmutaLog(directory)
    try log.append(payloads, size - measured - log.log.count, perCommit: 1_000)
    // The median of stretches: what the disk does meanwhile hits only some.
    let stretches = 10
    let append = try (0..<stretches).map { _ in
      try nanoseconds { try log.append(payloads, measured / stretches) } / Double(measured / stretches)
    }
    let numbers = ReadWork.randomNumbers(min(size, 20_000), below: size)
    let read = try await nanoseconds { _ = try await log.read(numbers) } / Double(numbers.count)
    let newest = try await nanoseconds { _ = try await log.stream(measured, from: size - measured) }
    let oldest = try await nanoseconds { _ = try await log.stream(measured) }
    return Costs(
      append: append.median, read: read, newest: newest / Double(measured), oldest: oldest / Double(measured),
      heap: Int(floor_heap_in_use()) - heap)
  }
}
