import Harness
import Workloads

extension Quantity {
  static func value(_ value: Double, _ unit: Workload.Unit) -> String {
    switch unit {
    case .time: time(value)
    case .memory: value < 10_240 ? "\(digits(value)) B" : "\(digits(value / 1024)) KiB"
    }
  }

  static func bar(_ bar: Bar, _ unit: Workload.Unit) -> String {
    switch bar {
    case .timesFloor(let most): "≤ \(fixed(most, 2)) ×"
    case .timesFloorRate(let least): "≤ \(fixed(1 / least, 3)) × (\(fixed(least, 0)) × the rate)"
    case .over(let contender, let most): "\(contender) + \(value(most, unit))"
    case .atMost(let most): "≤ \(value(most, unit))"
    }
  }
}
