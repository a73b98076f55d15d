extension String {
  /// The text with what a terminal would obey, or what would make it show other text than there is, as `\u{…}`: control
  /// characters, line breaks of any kind, and marks that turn the direction of writing. For messages around text that
  /// comes from files. O(length).
  package var printable: String {
    guard unicodeScalars.contains(where: \.isUnprintable) else { return self }
    var text = ""
    for scalar in unicodeScalars {
      if scalar.isUnprintable {
        text += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }

  /// The text as ``printable``, in quotes: a name that a file says.
  package var quoted: String { "“\(printable)”" }
}

extension Unicode.Scalar {
  /// Control characters; marks of direction, and others that are not seen; line and paragraph separators.
  fileprivate var isUnprintable: Bool {
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }
}
