import Floors
import Foundation
import Harness
import Immuta

/// How long each single append of 100 B takes, from one that is as fast as most to the slowest ones.
package enum LatencyWork {
  package struct Distribution: Sendable {
    package let name: String
    /// Nanoseconds, sorted.
    let sorted: [Double]

    /// The time that this share of the appends, from 0 to 1, does not exceed.
    package func time(at share: Double) -> Double { sorted[min(Int(share * Double(sorted.count)), sorted.count - 1)] }
  }

  package static func run(_ bench: Bench) throws -> [Distribution] {
    let payloads = Payloads(size: 100)
    let records = bench.scaled(500_000)
    let directory = try bench.makeDirectory("latency")
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try PageCache.warm(3 * payloads.size * records, in: bench.directory)

    let log = try ImmutaLog(directory)
    let ours = try eachOf(records) { number in try log.log.append(payloads[number]) }

    var latencies = [Int64](repeating: 0, count: records)
    let time = floor_append(
      "\(directory)/floor.log", payloads.noise, Payloads.variants, payloads.size, Int64(records), 1, FLOOR_NO_FLUSH,
      &latencies)
    _ = try BenchError.check(time)

    let sqlite = try SQLiteLog(creatingIn: directory, .off)
    let others = try sqlite.latencies(payloads, records / 10)
    try sqlite.close()
    return [
      Distribution(name: "Immuta", sorted: ours.sorted()),
      Distribution(name: "floor", sorted: latencies.map(Double.init).sorted()),
      Distribution(name: "GRDB, synchronous OFF", sorted: others.sorted()),
    ]
  }

  /// The time of each call, from the end of the one before.
  static func eachOf(_ count: Int, _ body: (Int) throws -> Void) rethrows -> [Double] {
    var times: [Double] = []
    times.reserveCapacity(count)
    var before = floor_now()
    for number in 0..<count {
      try body(number)
      let now = floor_now()
      times.append(Double(now - before))
      before = now
    }
    return times
  }
}
