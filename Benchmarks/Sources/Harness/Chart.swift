import Foundation

/// A line chart, with logarithmic axes if nobody says otherwise.
package struct Chart: Drawing {
  package let file: String
  let title: String
  let subtitle: String
  let x: Axis
  let y: Axis
  package let series: [Series]

  package init(file: String, title: String, subtitle: String, x: Axis, y: Axis, series: [Series]) {
    self.file = file
    self.title = title
    self.subtitle = subtitle
    self.x = x
    self.y = y
    self.series = series
  }

  package struct Axis {
    let label: String
    /// Where a mark stands, smallest first; also the axis's ends.
    let marks: [Double]
    let text: (Double) -> String
    let isLinear: Bool

    package init(label: String, marks: [Double], isLinear: Bool = false, text: @escaping (Double) -> String) {
      self.label = label
      self.marks = marks
      self.isLinear = isLinear
      self.text = text
    }
  }

  package struct Series {
    package let name: String
    package let style: Style
    package let points: [(x: Double, y: Double)]

    package init(name: String, style: Style, points: [(x: Double, y: Double)]) {
      self.name = name
      self.style = style
      self.points = points
    }
  }

  /// Marks at the powers of ten that hold all the values.
  package static func powers(around values: [Double]) -> [Double] {
    let positive = values.filter { $0 > 0 && $0.isFinite }
    let low = Int(log10(positive.min() ?? 1).rounded(.down))
    let high = Int(log10(positive.max() ?? 10).rounded(.up))
    return (low...max(high, low + 1)).map { pow(10, Double($0)) }
  }
}
