import Foundation

/// A line chart with logarithmic axes, drawn as SVG: in one version for light pages and one for dark ones.
struct Chart {
  let file: String
  let title: String
  let subtitle: String
  let x: Axis
  let y: Axis
  let series: [Series]

  struct Axis {
    let label: String
    /// Where a mark stands, smallest first; also the axis's ends.
    let marks: [Double]
    let text: (Double) -> String
  }

  struct Series {
    let name: String
    let style: Style
    let points: [(x: Double, y: Double)]
  }

  /// A colour, a dash and a shape that go together, so that colour alone never tells lines apart.
  enum Style: CaseIterable {
    case ours, floor, first, second
  }

  /// Marks at the powers of ten that hold all the values.
  static func powers(around values: [Double]) -> [Double] {
    let positive = values.filter { $0 > 0 && $0.isFinite }
    let low = Int(log10(positive.min() ?? 1).rounded(.down))
    let high = Int(log10(positive.max() ?? 10).rounded(.up))
    return (low...max(high, low + 1)).map { pow(10, Double($0)) }
  }
}

/// The colours of a page. Those of the lines are Okabe and Ito's, which people who see fewer colours can tell apart, a
/// little lighter on a dark ground.
struct Theme {
  let name: String
  let ground: String
  let text: String
  let faint: String
  let grid: String
  let ours: String
  let floor: String
  let first: String
  let second: String

  static let light = Theme(
    name: "light", ground: "#ffffff", text: "#1f2328", faint: "#59636e", grid: "#e4e7eb",
    ours: "#0072b2", floor: "#6e7781", first: "#d55e00", second: "#007a5a")
  static let dark = Theme(
    name: "dark", ground: "#0d1117", text: "#f0f6fc", faint: "#9198a1", grid: "#262c36",
    ours: "#56b4e9", floor: "#9198a1", first: "#f0913a", second: "#3ddc9a")

  func colour(_ style: Chart.Style) -> String {
    switch style {
    case .ours: ours
    case .floor: floor
    case .first: first
    case .second: second
    }
  }
}
