/// Takes time, and looks now and then whether the user wants the tool to stop.
enum Stopwatch {
  /// Records between two looks.
  static let stretch = 64

  /// Nanoseconds that the body takes.
  static func nanoseconds(_ body: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try body()
    return start.duration(to: .now) / .nanoseconds(1)
  }

  /// Nanoseconds that the body takes.
  static func nanoseconds(_ body: () async throws -> Void) async rethrows -> Double {
    let start = ContinuousClock.now
    try await body()
    return start.duration(to: .now) / .nanoseconds(1)
  }

  /// The middle one of some values, or the mean of the two in the middle.
  static func median(_ values: [Double]) -> Double {
    precondition(!values.isEmpty, "there is no median of nothing")
    let sorted = values.sorted()
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }
}
