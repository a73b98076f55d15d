import Foundation

/// The documentation's article about sizes and rates: written by hand, but for what stands between two comments.
struct Article {
  static let catalog = "../Sources/ImmutaTransforms/ImmutaTransforms.docc"
  static let name = "SizesAndRates.md"
  private static let path = "\(catalog)/\(name)"
  private static let begin = "<!-- What follows is written by `make bench-codecs`. -->\n"
  private static let end = "<!-- What was written by `make bench-codecs` ends here. -->\n"

  private let before: Substring
  private let after: Substring

  /// Read before anything is measured: what cannot be written in the end should not take minutes to say so.
  init() throws {
    guard let text = try? String(contentsOfFile: Self.path, encoding: .utf8) else {
      throw CodecsError("\(Self.path) cannot be read: run this program in the folder Benchmarks")
    }
    guard let begin = text.firstRange(of: Self.begin), let end = text.firstRange(of: Self.end),
      begin.upperBound <= end.lowerBound
    else { throw CodecsError("\(Self.path) has lost the comments between which the tables go") }
    before = text[..<begin.upperBound]
    after = text[end.lowerBound...]
  }

  func write(measured: String) throws {
    try "\(before)\n\(measured)\n\n\(after)".write(toFile: Self.path, atomically: true, encoding: .utf8)
  }
}
