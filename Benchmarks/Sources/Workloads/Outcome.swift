import Harness

/// What came out of a workload: a value per contender and round.
package struct Outcome: Sendable {
  package let workload: Workload
  package private(set) var entries: [Entry]

  package struct Entry: Sendable {
    package let name: String
    package let role: Contender.Role
    package fileprivate(set) var values: [Double] = []

    package var median: Double { values.median }
  }

  init(workload: Workload, contenders: [Contender]) {
    self.workload = workload
    entries = contenders.map { Entry(name: $0.name, role: $0.role) }
  }

  mutating func add(_ value: Double, of contender: Int) { entries[contender].values.append(value) }

  package var ours: Double? { entries.first { $0.role == .ours }?.median }
  package var floor: Double? { entries.first { $0.role == .floor }?.median }
  package var others: [Entry] { entries.filter { $0.role == .other } }

  /// How many times the floor's time somebody took: the median over the rounds, each with the floor of the same round.
  package func ratio(of entry: Entry) -> Double? { ratio(of: entry, to: .floor) }

  /// The same, of Immuta's time.
  package func ratioToOurs(of entry: Entry) -> Double? { ratio(of: entry, to: .ours) }

  private func ratio(of entry: Entry, to role: Contender.Role) -> Double? {
    guard let base = entries.first(where: { $0.role == role }), !entry.values.isEmpty, !base.values.isEmpty else {
      return nil
    }
    return zip(entry.values, base.values).map { $0 / $1 }.median
  }

  package var ratio: Double? { entries.first { $0.role == .ours }.flatMap(ratio) }

  /// Whether the bar is held; nil where there is none.
  package var isHeld: Bool? {
    guard let ours, let bar = workload.bar else { return nil }
    switch bar {
    case .timesFloor(let most): return ratio.map { $0 <= most }
    case .timesFloorRate(let least): return ratio.map { 1 / $0 >= least }
    case .over(let name, let most):
      return entries.first { $0.name == name }.map { ours - $0.median <= most }
    case .atMost(let most): return ours <= most
    }
  }
}
