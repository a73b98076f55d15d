import Foundation

/// The few elements of SVG that a chart needs.
struct SVG {
  private var body: [String] = []
  private let head: String
  private static let font = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"

  init(width: Double, height: Double, label: String) {
    head =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(Int(width))\" height=\"\(Int(height))\" "
      + "viewBox=\"0 0 \(Int(width)) \(Int(height))\" font-family=\"\(Self.font)\" role=\"img\" "
      + "aria-label=\"\(Self.escaped(label))\">"
  }

  var document: String { ([head] + body + ["</svg>"]).joined(separator: "\n") + "\n" }

  mutating func rectangle(
    _ x: Double, _ y: Double, _ width: Double, _ height: Double, fill: String, radius: Double = 8, opacity: Double = 1
  ) {
    let opacity = opacity < 1 ? " fill-opacity=\"\(opacity)\"" : ""
    body.append(
      "<rect x=\"\(n(x))\" y=\"\(n(y))\" width=\"\(n(width))\" height=\"\(n(height))\" rx=\"\(short(radius))\" "
        + "fill=\"\(fill)\"\(opacity)/>")
  }

  mutating func line(
    _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, stroke: String, opacity: Double = 1
  ) {
    body.append(
      "<line x1=\"\(n(x1))\" y1=\"\(n(y1))\" x2=\"\(n(x2))\" y2=\"\(n(y2))\" stroke=\"\(stroke)\" "
        + "stroke-opacity=\"\(opacity)\"/>")
  }

  /// About how wide a text is: what fonts there are is not known here.
  static func width(of text: String, size: Double) -> Double { 0.6 * size * Double(text.count) }

  mutating func text(
    _ text: String, _ x: Double, _ y: Double, size: Double, fill: String, weight: Int = 400, anchor: String = "start"
  ) {
    body.append(
      "<text x=\"\(n(x))\" y=\"\(n(y))\" font-size=\"\(size)\" fill=\"\(fill)\" font-weight=\"\(weight)\" "
        + "text-anchor=\"\(anchor)\">\(Self.escaped(text))</text>")
  }

  mutating func path(_ points: [(Double, Double)], stroke: String, width: Double, dash: String?) {
    let steps = points.enumerated().map { "\($0 == 0 ? "M" : "L")\(n($1.0)) \(n($1.1))" }.joined(separator: " ")
    let dashes = dash.map { " stroke-dasharray=\"\($0)\"" } ?? ""
    body.append(
      "<path d=\"\(steps)\" fill=\"none\" stroke=\"\(stroke)\" stroke-width=\"\(width)\" stroke-linejoin=\"round\" "
        + "stroke-linecap=\"round\"\(dashes)/>")
  }

  /// A point of a line: each style has a shape of its own.
  mutating func mark(_ style: Style, _ x: Double, _ y: Double, fill: String, ground: String) {
    let shape =
      switch style {
      case .ours: "<circle cx=\"\(n(x))\" cy=\"\(n(y))\" r=\"4.5\""
      case .floor: "<rect x=\"\(n(x - 3.5))\" y=\"\(n(y - 3.5))\" width=\"7\" height=\"7\""
      case .first: "<path d=\"M\(n(x)) \(n(y - 5)) L\(n(x + 5)) \(n(y + 4)) L\(n(x - 5)) \(n(y + 4)) Z\""
      case .second: "<path d=\"M\(n(x)) \(n(y - 5)) L\(n(x + 5)) \(n(y)) L\(n(x)) \(n(y + 5)) L\(n(x - 5)) \(n(y)) Z\""
      }
    body.append("\(shape) fill=\"\(fill)\" stroke=\"\(ground)\" stroke-width=\"1.5\"/>")
  }

  private func short(_ value: Double) -> String { String(format: "%g", value) }

  private func n(_ value: Double) -> String { String(format: "%.1f", value) }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("\"", with: "&quot;")
  }
}
