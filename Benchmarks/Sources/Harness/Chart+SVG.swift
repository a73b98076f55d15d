import Foundation

extension Chart {
  private static let (width, height) = (760.0, 440.0)
  /// The plot; to its right stand the lines' names.
  private static let (left, right, top, bottom) = (78.0, 560.0, 104.0, 376.0)
  private static let lineHeight = 17.0

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
    for mark in x.marks {
      let at = horizontal(mark)
      svg.line(at, Self.bottom, at, Self.bottom + 5, stroke: theme.faint)
      svg.text(x.text(mark), at, Self.bottom + 21, size: 12, fill: theme.faint, anchor: "middle")
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

  /// The name of each line at its end, moved apart where two would overlap.
  private func drawNames(_ svg: inout SVG, _ theme: Theme) {
    let lines = series.filter { !$0.points.isEmpty }
    let ends = lines.map { ($0, $0.points.last.map { vertical($0.y) } ?? 0) }.sorted { $0.1 < $1.1 }
    var heights = ends.map(\.1)
    for index in heights.indices.dropFirst() {
      heights[index] = max(heights[index], heights[index - 1] + Self.lineHeight)
    }
    let excess = max((heights.last ?? 0) - Self.bottom, 0)
    for (index, (line, end)) in ends.enumerated() {
      let colour = theme.colour(line.style)
      let at = heights[index] - excess
      let from = line.points.last.map { horizontal($0.x) } ?? Self.right
      svg.line(from + 7, end, Self.right + 16, at, stroke: colour, opacity: 0.45)
      svg.text(
        line.name, Self.right + 20, at + 4, size: 12.5, fill: colour, weight: line.style == .ours ? 700 : 500)
    }
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
