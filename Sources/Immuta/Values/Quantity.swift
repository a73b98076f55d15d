/// Numbers with their nouns, for people.
package enum Quantity {
  static func records(_ count: Int) -> String { of(count, "record") }
  /// By their numbers.
  static func records(_ sequences: Range<Int>) -> String {
    sequences.count == 1
      ? "record \(sequences.lowerBound)" : "records \(sequences.lowerBound) to \(sequences.upperBound - 1)"
  }

  static func bytes(_ count: Int) -> String { of(count, "byte") }

  package static func of(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}
