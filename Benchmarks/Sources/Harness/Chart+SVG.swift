import Foundation

extension Chart {
  private static let (width, height) = (760.0, 440.0)
  /// The plot; to its right stand the lines' names.
  private static let (left, right, top, bottom) = (78.0, 560.0, 104.0, 376.0)
  private static let lineHeight = 17.0
  /// Between two labels of an axis, at least.
  private static let gap = 14.0

  package func svg(_ theme: Theme) -> String {
    var svg = SVG(width: Self.width, height: Self.height, label: "\(title). \(subtitle)")
    svg.rectangle(0, 0, Self.width, Self.height, fill: theme.ground)
    svg.text(title, 20, 32, size: 17, fill: theme.text, weight: 600)
    svg.text(subtitle, 20, 54, size: 12.5, fill: theme.faint)
    drawAxes(&svg, theme)
    for line in series.reversed() { draw(line, &svg, theme) }
    drawNames(&svg, theme)
    return svg.document
  }

  private func drawAxes(_ svg: inout SVG, _ theme: Theme) {
    for mark in y.marks {
      let at = vertical(mark)
      svg.line(Self.left, at, Self.right, at, stroke: theme.grid)
      svg.text(y.text(mark), Self.left - 10, at + 4, size: 12, fill: theme.faint, anchor: "end")
    }
    var nextLabel = Double.infinity
    // From the end: the last mark has its label in any case, and one that would touch it has none.
    for mark in x.marks.reversed() {
      let (at, text) = (horizontal(mark), x.text(mark))
      svg.line(at, Self.bottom, at, Self.bottom + 5, stroke: theme.faint)
      let half = SVG.width(of: text, size: 12) / 2
      if at + half + Self.gap > nextLabel { continue }
      svg.text(text, at, Self.bottom + 21, size: 12, fill: theme.faint, anchor: "middle")
      nextLabel = at - half
    }
    svg.line(Self.left, Self.bottom, Self.right, Self.bottom, stroke: theme.faint)
    svg.text(
      x.label, (Self.left + Self.right) / 2, Self.bottom + 46, size: 12.5, fill: theme.text, anchor: "middle")
    svg.text(y.label, Self.left - 58, Self.top - 16, size: 12.5, fill: theme.text)
  }

  private func draw(_ line: Series, _ svg: inout SVG, _ theme: Theme) {
    let colour = theme.colour(line.style)
    let points = line.points.map { (horizontal($0.x), vertical($0.y)) }
    svg.path(points, stroke: colour, width: line.style == .ours ? 2.75 : 2, dash: line.style.dash)
    // Points that crowd are a line, and need no marks.
    if points.count > 12 { return }
    for (x, y) in points { svg.mark(line.style, x, y, fill: colour, ground: theme.ground) }
  }

  /// The name of each line at its end. Where a line ends early, beside its last point; else in a column to the right of the
  /// plot, moved apart where two would overlap.
  private func drawNames(_ svg: inout SVG, _ theme: Theme) {
    var column: [(line: Series, end: (x: Double, y: Double))] = []
    for line in series {
      guard let last = line.points.last else { continue }
      let end = (x: horizontal(last.x), y: vertical(last.y))
      if hasRoom(forNameOf: line, beside: end) {
        name(line, end.x + 10, end.y + 4, &svg, theme)
      } else {
        column.append((line, end))
      }
    }
    column.sort { $0.end.y < $1.end.y }
    var heights = column.map(\.end.y)
    for index in heights.indices.dropFirst() {
      heights[index] = max(heights[index], heights[index - 1] + Self.lineHeight)
    }
    let excess = max((heights.last ?? 0) - Self.bottom, 0)
    for (index, (line, end)) in column.enumerated() {
      let at = heights[index] - excess
      // What leads to a name that was moved is grey and outside the plot, so that it is not taken for data.
      if abs(at - end.y) > 2 { svg.line(Self.right + 7, end.y, Self.right + 16, at, stroke: theme.faint, opacity: 0.6) }
      name(line, Self.right + 20, at + 4, &svg, theme)
    }
  }

  private func name(_ line: Series, _ x: Double, _ y: Double, _ svg: inout SVG, _ theme: Theme) {
    svg.text(
      line.name, x, y, size: 12.5, fill: theme.colour(line.style), weight: line.style == .ours ? 700 : 500)
  }

  /// Whether the line ends inside the plot, and no other line passes where its name would be.
  private func hasRoom(forNameOf line: Series, beside end: (x: Double, y: Double)) -> Bool {
    let ownRight = end.x + 10 + SVG.width(of: line.name, size: 12.5)
    guard end.x < Self.right - Self.lineHeight else { return false }
    return series.allSatisfy { other in
      let points = other.points.map { (x: horizontal($0.x), y: vertical($0.y)) }
      return zip(points, points.dropFirst()).allSatisfy { from, to in
        let (first, last) = (max(from.x, end.x + 1), min(to.x, ownRight))
        if first >= last { return true }
        let distances = [first, last].map { height(of: (from, to), at: $0) - end.y }
        // On one side of the name, and far enough.
        return distances.allSatisfy { $0 > Self.lineHeight / 2 + 3 }
          || distances.allSatisfy { $0 < -Self.lineHeight / 2 - 3 }
      }
    }
  }

  /// Where a piece of a line is at x.
  private func height(of piece: (from: (x: Double, y: Double), to: (x: Double, y: Double)), at x: Double) -> Double {
    piece.from.y + (piece.to.y - piece.from.y) * (x - piece.from.x) / (piece.to.x - piece.from.x)
  }

  private func horizontal(_ value: Double) -> Double {
    Self.left + Self.share(value, x) * (Self.right - Self.left)
  }

  private func vertical(_ value: Double) -> Double {
    Self.bottom - Self.share(value, y) * (Self.bottom - Self.top)
  }

  /// Where a value stands between an axis's ends.
  private static func share(_ value: Double, _ axis: Axis) -> Double {
    guard let low = axis.marks.first, let high = axis.marks.last, high > low else { return 0 }
    if axis.isLinear { return (value - low) / (high - low) }
    return value > 0 ? log(value / low) / log(high / low) : 0
  }
}

extension Style {
  var dash: String? {
    switch self {
    case .ours, .first: nil
    case .floor: "6 4"
    case .second: "2 4"
    }
  }
}
