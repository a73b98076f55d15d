import Foundation

/// Numbers as a person reads them.
package enum Quantity {
  /// Nanoseconds, in the unit that suits.
  package static func time(_ nanoseconds: Double) -> String {
    switch nanoseconds {
    case ..<10_000: "\(digits(nanoseconds)) ns"
    case ..<10_000_000: "\(digits(nanoseconds / 1e3)) µs"
    default: "\(digits(nanoseconds / 1e6)) ms"
    }
  }

  /// In the decimal unit that suits.
  package static func bytes(_ count: Int) -> String {
    let value = Double(count)
    return switch abs(value) {
    case ..<1e4: "\(digits(value)) B"
    case ..<1e6: "\(digits(value / 1e3)) kB"
    case ..<1e9: "\(digits(value / 1e6)) MB"
    default: "\(digits(value / 1e9)) GB"
    }
  }

  package static func ratio(_ ratio: Double) -> String { "\(ratio < 10 ? fixed(ratio, 2) : fixed(ratio, 1)) ×" }

  /// Three digits that count, and whole numbers in groups of three.
  package static func digits(_ value: Double) -> String {
    switch abs(value) {
    case ..<10: fixed(value, 2)
    case ..<100: fixed(value, 1)
    default: grouped(Int(value.rounded()))
    }
  }

  package static func grouped(_ number: Int) -> String {
    var digits = String(abs(number))
    var groups: [String] = []
    while digits.count > 3 {
      groups.insert(String(digits.suffix(3)), at: 0)
      digits.removeLast(3)
    }
    return (number < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
  }

  package static func fixed(_ value: Double, _ places: Int) -> String { String(format: "%.\(places)f", value) }

  /// For the marks of an axis: "10 k", "1 M".
  package static func short(_ value: Double) -> String {
    switch value {
    case 1e9...: "\(trimmed(value / 1e9)) G"
    case 1e6...: "\(trimmed(value / 1e6)) M"
    case 1e3...: "\(trimmed(value / 1e3)) k"
    default: trimmed(value)
    }
  }

  package static func shortTime(_ nanoseconds: Double) -> String {
    switch nanoseconds {
    case 1e9...: "\(trimmed(nanoseconds / 1e9)) s"
    case 1e6...: "\(trimmed(nanoseconds / 1e6)) ms"
    case 1e3...: "\(trimmed(nanoseconds / 1e3)) µs"
    default: "\(trimmed(nanoseconds)) ns"
    }
  }

  private static func trimmed(_ value: Double) -> String {
    value == value.rounded() ? String(Int(value)) : String(format: "%g", value)
  }

  package static func percent(_ share: Double) -> String { String(format: "%g %%", share * 100) }
}
