/// Horizontal bars in groups, each group with a bar of each kind.
package struct BarChart: Drawing {
  package let file: String
  let title: String
  let subtitle: String
  /// The bars of a group, from above; also the legend.
  let kinds: [(name: String, style: Style)]
  let groups: [Group]
  let axis: Axis

  package init(
    file: String, title: String, subtitle: String, kinds: [(name: String, style: Style)], groups: [Group], axis: Axis
  ) {
    precondition(groups.allSatisfy { $0.values.count == kinds.count }, "each group has a bar of each kind")
    self.file = file
    self.title = title
    self.subtitle = subtitle
    self.kinds = kinds
    self.groups = groups
    self.axis = axis
  }

  package struct Group {
    let name: String
    let values: [Double]
    /// Whether it is there to compare the others with: drawn paler.
    let isReference: Bool

    package init(name: String, values: [Double], isReference: Bool) {
      self.name = name
      self.values = values
      self.isReference = isReference
    }
  }

  package struct Axis {
    /// Where a mark stands, beginning with zero; the last is the axis's end.
    let marks: [Double]
    /// The mark that stands out: what the bars are measured by.
    let whole: Double
    let text: (Double) -> String

    package init(marks: [Double], whole: Double, text: @escaping (Double) -> String) {
      self.marks = marks
      self.whole = whole
      self.text = text
    }
  }
}

extension BarChart {
  private static let width = 760.0
  private static let (left, right, top) = (216.0, 710.0, 126.0)
  private static let (bar, gapOfBars, gapOfGroups) = (11.0, 1.0, 13.0)
  private static let paleness = 0.6

  private var groupHeight: Double { Double(kinds.count) * (Self.bar + Self.gapOfBars) + Self.gapOfGroups }
  private var bottom: Double { Self.top + Double(groups.count) * groupHeight }

  package func svg(_ theme: Theme) -> String {
    let height = bottom + 20
    var svg = SVG(width: Self.width, height: height, label: "\(title). \(subtitle)")
    svg.rectangle(0, 0, Self.width, height, fill: theme.ground)
    svg.text(title, 20, 32, size: 17, fill: theme.text, weight: 600)
    svg.text(subtitle, 20, 54, size: 12.5, fill: theme.faint)
    drawLegend(&svg, theme)
    drawAxis(&svg, theme)
    for (number, group) in groups.enumerated() {
      draw(group, at: Self.top + Double(number) * groupHeight + Self.gapOfGroups / 2, &svg, theme)
    }
    return svg.document
  }

  private func drawLegend(_ svg: inout SVG, _ theme: Theme) {
    var x = Self.left
    for (name, style) in kinds {
      svg.rectangle(x, 74, 12, 12, fill: theme.colour(style), radius: 2)
      svg.text(name, x + 18, 84.5, size: 12.5, fill: theme.text)
      // About the width of the letters.
      x += 18 + 7 * Double(name.count) + 26
    }
  }

  private func drawAxis(_ svg: inout SVG, _ theme: Theme) {
    for mark in axis.marks {
      let at = horizontal(mark)
      let isMain = mark == 0 || mark == axis.whole
      svg.line(at, Self.top, at, bottom, stroke: isMain ? theme.faint : theme.grid)
      svg.text(axis.text(mark), at, Self.top - 8, size: 12, fill: theme.faint, anchor: "middle")
    }
  }

  private func draw(_ group: Group, at top: Double, _ svg: inout SVG, _ theme: Theme) {
    let middle = top + Double(kinds.count) * (Self.bar + Self.gapOfBars) / 2
    svg.text(
      group.name, Self.left - 12, middle + 4, size: 12.5, fill: group.isReference ? theme.faint : theme.text,
      anchor: "end")
    for (number, (kind, value)) in zip(kinds, group.values).enumerated() {
      let y = top + Double(number) * (Self.bar + Self.gapOfBars)
      let end = horizontal(value)
      svg.rectangle(
        Self.left, y, end - Self.left, Self.bar, fill: theme.colour(kind.style), radius: 1.5,
        opacity: group.isReference ? Self.paleness : 1)
      svg.text(axis.text(value), end + 5, y + 9.2, size: 10, fill: theme.faint)
    }
  }

  private func horizontal(_ value: Double) -> Double {
    guard let end = axis.marks.last, end > 0 else { return Self.left }
    return Self.left + min(value / end, 1) * (Self.right - Self.left)
  }
}
