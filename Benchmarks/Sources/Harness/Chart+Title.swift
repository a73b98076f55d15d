/// What can be said of a chart's lines in its title: it says what to see, so it depends on what was measured.
extension [Chart.Series] {
  /// How many times as high our line is as another one, where both have a point: the least and the most. Nil if one of them has
  /// no point in common with the other.
  package func ratios(to other: Style) -> ClosedRange<Double>? {
    guard let ours = first(where: { $0.style == .ours }), let others = first(where: { $0.style == other }) else {
      return nil
    }
    let ratios = ours.points.compactMap { point in
      others.points.first { $0.x == point.x && $0.y > 0 }.map { point.y / $0.y }
    }
    guard let least = ratios.min(), let most = ratios.max() else { return nil }
    return least...most
  }
}

extension Chart.Series {
  /// Whether the highest point is at most so many times the lowest one.
  package func isFlat(within factor: Double) -> Bool {
    guard let low = points.map(\.y).min(), let high = points.map(\.y).max() else { return false }
    return high <= low * factor
  }

  /// The value at a mark, if there is a point.
  package func value(at x: Double) -> Double? {
    // The mark may be computed another way than the point.
    points.first { abs($0.x / x - 1) < 1e-6 }?.y
  }

  package var highest: (x: Double, y: Double)? { points.max { $0.y < $1.y } }
}
