import Workloads

/// All that a run found out.
struct Findings {
  var outcomes: [Outcome] = []
  var growth: [GrowthPoint] = []
  var latencies: [LatencyWork.Distribution] = []

  func outcomes(of section: Workload.Section) -> [Outcome] {
    (outcomes + growth.map(\.open)).filter { $0.workload.section == section }
  }
}
