import Foundation
import Harness
import Immuta

/// What an append and a read cost as a log grows, and what it costs to open it.
package struct GrowthPoint: Sendable {
  package let records: Int
  /// Nanoseconds for a record of 100 B: appended and committed by itself, read at random, read in order.
  package let append: Double
  package let readAtRandom: Double
  package let stream: Double
  package let open: Outcome
}

package enum GrowthWork {
  private static let payloads = Payloads(size: 100)
  /// SQLite is filled up to here.
  private static let largestDatabase = 1_000_000

  /// One log, ten times as large from point to point, up to the run's largest.
  package static func run(_ bench: Bench, progress: (String) -> Void) async throws -> [GrowthPoint] {
    let directory = try bench.makeDirectory("growth")
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var points: [GrowthPoint] = []
    var size = 10_000
    while size <= bench.largestLog {
      progress("a log that grows: \(size.formatted(.number)) records")
      points.append(try await point(bench, size, directory, progress))
      size *= 10
    }
    return points
  }

  private static func point(
    _ bench: Bench, _ size: Int, _ directory: String, _ progress: (String) -> Void
  ) async throws -> GrowthPoint {
    // The last tenth or so is appended record by record, and measured; what is before it only has to be there.
    let measured = min(size / 2, 200_000)
    let reads = min(size, 20_000)
    let (append, read, stream) = try await measure(size, measured, reads, directory)
    let database = size <= largestDatabase ? directory : nil
    if database != nil {
      let sqlite = try SQLiteLog(creatingIn: directory, .off)
      try sqlite.append(payloads, size - size / 10, perCommit: 1_000)
      try sqlite.close()
    }
    let open = try await bench.run(OpenWork.workload(size, in: directory, sqlite: database), progress: progress)
    return GrowthPoint(records: size, append: append, readAtRandom: read, stream: stream, open: open)
  }

  private static func measure(
    _ size: Int, _ measured: Int, _ reads: Int, _ directory: String
  ) async throws -> (append: Double, read: Double, stream: Double) {
    let log = try ImmutaLog(directory)
    try log.append(payloads, size - measured - log.log.count, perCommit: 1_000)
    // The median of stretches: what the disk does meanwhile hits only some.
    let stretches = 10
    let append = try (0..<stretches).map { _ in
      try nanoseconds { try log.append(payloads, measured / stretches) } / Double(measured / stretches)
    }
    let numbers = ReadWork.randomNumbers(reads, below: size)
    let read = try await nanoseconds { _ = try await log.read(numbers) } / Double(reads)
    let stream = try await nanoseconds { _ = try await log.stream(measured, from: size - measured) } / Double(measured)
    return (append.median, read, stream)
  }
}
