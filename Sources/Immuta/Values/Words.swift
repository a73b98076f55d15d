/// Numbers with their nouns, for people.
package enum Words {
  static func records(_ count: Int) -> String { of(count, "record") }
  /// By their numbers.
  static func records(_ sequences: Range<Int>) -> String {
    sequences.count == 1
      ? "record \(sequences.lowerBound)" : "records \(sequences.lowerBound) to \(sequences.upperBound - 1)"
  }

  /// A name that a file says, in quotes: without what would steer a terminal.
  package static func quoted(_ name: String) -> String { "“\(printable(name))”" }

  /// Control characters are shown by their numbers.
  package static func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    return text.unicodeScalars.map { isControl($0) ? "\\u{\(String($0.value, radix: 16))}" : String($0) }.joined()
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }

  static func bytes(_ count: Int) -> String { of(count, "byte") }

  package static func of(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}
