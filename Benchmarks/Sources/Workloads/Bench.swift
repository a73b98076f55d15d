import Floors
import Foundation
import Harness

/// Where and how large a run is.
package struct Bench: Sendable {
  /// A directory on a real disk; everything below it is removed when a measurement is over.
  package let directory: String
  package let rounds: Int
  /// The largest log of the measurements of a growing log, in records.
  package let largestLog: Int
  private let divisor: Int

  /// A whole run, or one of a tenth of the work that only shows that everything works.
  package init(directory: String, isQuick: Bool = false, largestLog: Int? = nil) {
    self.directory = directory
    rounds = isQuick ? 3 : 5
    divisor = isQuick ? 10 : 1
    self.largestLog = largestLog ?? (isQuick ? 100_000 : 10_000_000)
  }

  /// How many of a whole run's `count` this run does: a multiple of 64, which is what a batch holds.
  func scaled(_ count: Int) -> Int { max(count / divisor / 64, 1) * 64 }

  /// Every contender in turn, round after round.
  package func run(_ workload: Workload, progress: (String) -> Void = { _ in }) async throws -> Outcome {
    let staged = try await stage(workload)
    defer { staged.remove() }
    var outcome = Outcome(workload: workload, contenders: staged.contenders)
    for round in 0..<rounds {
      progress("\(workload.name): round \(round + 1) of \(rounds)")
      for (contender, value) in try await staged.round(round) { outcome.add(value, of: contender) }
    }
    return outcome
  }

  /// A workload with all that it needs made.
  package func stage(_ workload: Workload) async throws -> StagedWorkload {
    let fixtures = try makeDirectory("fixtures")
    do {
      let contenders = try await workload.prepare(self, fixtures)
      return StagedWorkload(bench: self, contenders: contenders, fixtures: fixtures)
    } catch {
      try? FileManager.default.removeItem(atPath: fixtures)
      throw error
    }
  }

  /// Removes the directory, and whatever a run left in it.
  package func remove() { try? FileManager.default.removeItem(atPath: directory) }

  func makeDirectory(_ name: String) throws -> String {
    let path = "\(directory)/\(name)-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }
}

/// A workload whose files are there, ready to be measured.
package struct StagedWorkload: Sendable {
  let bench: Bench
  package let contenders: [Contender]
  let fixtures: String

  /// One measurement of each contender; another one begins in each round.
  package func round(_ number: Int) async throws -> [(contender: Int, value: Double)] {
    var values: [(Int, Double)] = []
    for turn in contenders.indices {
      let index = (turn + number) % contenders.count
      let contender = contenders[index]
      let directory = try bench.makeDirectory("work")
      defer { try? FileManager.default.removeItem(atPath: directory) }
      if contender.writes > 0 { try PageCache.warm(2 * contender.writes, in: bench.directory) }
      values.append((index, try await contender.measure(directory)))
    }
    return values
  }

  package func remove() { try? FileManager.default.removeItem(atPath: fixtures) }
}

struct BenchError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }

  /// The time that a floor took.
  static func check(_ time: Int64) throws -> Double {
    if time < 0 { throw BenchError("a floor failed: \(String(cString: strerror(Int32(-time))))") }
    return Double(time)
  }
}

extension FileHandle {
  convenience init?(creating path: String) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    if descriptor < 0 { return nil }
    self.init(fileDescriptor: descriptor, closeOnDealloc: true)
  }
}

/// Nanoseconds that the body takes.
func nanoseconds(_ body: () throws -> Void) rethrows -> Double {
  let start = floor_now()
  try body()
  return Double(floor_now() - start)
}

func nanoseconds(_ body: () async throws -> Void) async rethrows -> Double {
  let start = floor_now()
  try await body()
  return Double(floor_now() - start)
}
