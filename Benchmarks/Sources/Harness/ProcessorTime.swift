import Foundation

/// The time that the processors have worked, since some moment: for this process and those it has waited for, and for all.
/// In the system's clock ticks.
struct ProcessorTime {
  private let ours: Double
  private let all: Double
  /// Of all processors, worked or not.
  private let passed: Double

  /// What the system counts now; nil where it does not tell.
  static var now: ProcessorTime? {
    guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8),
      let line = text.split(separator: "\n").first
    else { return nil }
    // user nice system idle iowait irq softirq steal; what follows is in these already.
    let ticks = line.split(separator: " ").dropFirst().prefix(8).compactMap { Double($0) }
    if ticks.count < 8 { return nil }
    let passed = ticks.reduce(0, +)
    return ProcessorTime(ours: ownTicks, all: passed - ticks[3] - ticks[4], passed: passed)
  }

  /// What part of the processors' time others took since then.
  func othersShare(until now: ProcessorTime) -> Double {
    let others = (now.all - all) - (now.ours - ours)
    return max(others / max(now.passed - passed, .leastNonzeroMagnitude), 0)
  }

  private static var ownTicks: Double {
    var own = tms()
    guard times(&own) != -1 else { return 0 }
    return Double(own.tms_utime + own.tms_stime + own.tms_cutime + own.tms_cstime)
  }
}
