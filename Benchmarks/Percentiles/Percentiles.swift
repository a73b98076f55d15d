import Benchmark
import Workloads

/// Every workload as a benchmark of the ordo-one package, for its percentiles, baselines and thresholds.
///
/// An iteration is a round: each contender once, in turn. Its metrics are what a contender takes, in nanoseconds (or
/// bytes) per record, and the ratio of ours to the floor in thousandths, which is what to compare between machines.
let benchmarks: @Sendable () -> Void = {
  let bench = Bench(directory: ".build/percentiles")
  for workload in Workload.all {
    Benchmark(workload.name, configuration: .round(of: workload)) { benchmark, staged in
      var ours: Double?
      var floor: Double?
      for (index, value) in try await staged.round(benchmark.currentIteration) {
        let contender = staged.contenders[index]
        benchmark.measurement(.contender(contender.name), Int(value))
        switch contender.role {
        case .ours: ours = value
        case .floor: floor = value
        case .other: break
        }
      }
      if let ours, let floor { benchmark.measurement(.ratio, Int(ours / floor * 1_000)) }
    } setup: {
      try await bench.stage(workload)
    } teardown: {
      bench.remove()
    }
  }
}

extension Benchmark.Configuration {
  static func round(of workload: Workload) -> Self {
    Self(
      metrics: [.ratio, .contender("Immuta"), .contender("floor")], warmupIterations: 0, maxDuration: .seconds(10),
      maxIterations: 20, thresholds: [.ratio: BenchmarkThresholds(relative: [.p50: 25])])
  }
}

extension BenchmarkMetric {
  static let ratio = custom("Immuta / floor, thousandths", polarity: .prefersSmaller, useScalingFactor: false)

  static func contender(_ name: String) -> Self { custom(name, polarity: .prefersSmaller, useScalingFactor: false) }
}
