import Foundation

/// Pieces of a page.
package enum Markdown {
  /// A table whose first column is text and whose others are numbers, but for one that names others.
  package static func table(_ titles: [String], _ rows: [[String]]) -> String {
    let rule = titles.indices.map { $0 == 0 || titles[$0].hasPrefix("others") ? "---" : "---:" }
    return ([titles, rule] + rows).map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
  }

  package static var today: String { Date.now.formatted(.iso8601.year().month().day()) }
}
