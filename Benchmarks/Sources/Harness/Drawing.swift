import Foundation

/// A chart, drawn as SVG: in one version for light pages and one for dark ones.
package protocol Drawing {
  /// What its files' names begin with.
  var file: String { get }
  func svg(_ theme: Theme) -> String
}

/// What a drawing's two files are called.
package enum DrawingNames: Sendable {
  /// `name-light.svg` and `name-dark.svg`, for a page that names both.
  case byTheme
  /// `name.svg` and `name~dark.svg`, between which DocC chooses.
  case catalog

  func name(_ file: String, _ theme: Theme) -> String {
    switch self {
    case .byTheme: "\(file)-\(theme.name).svg"
    case .catalog: theme.name == Theme.dark.name ? "\(file)~dark.svg" : "\(file).svg"
    }
  }
}

extension Drawing {
  /// Writes both versions into the folder, which is made if it is not there.
  package func write(to folder: String, named names: DrawingNames) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for theme in [Theme.light, .dark] {
      let path = "\(folder)/\(names.name(file, theme))"
      try svg(theme).write(toFile: path, atomically: true, encoding: .utf8)
    }
  }
}
