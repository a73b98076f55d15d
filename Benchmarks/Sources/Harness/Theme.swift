/// The colours of a page. Those of the lines are Okabe and Ito's, which people who see fewer colours can tell apart, a
/// little lighter on a dark ground.
package struct Theme: Sendable {
  package let name: String
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

  func colour(_ style: Style) -> String {
    switch style {
    case .ours: ours
    case .floor: floor
    case .first: first
    case .second: second
    }
  }
}

/// A colour, a dash and a shape that go together, so that colour alone never tells lines apart.
package enum Style: CaseIterable, Sendable {
  case ours, floor, first, second
}
