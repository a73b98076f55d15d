extension String {
  /// The text with certain characters written as `\u{…}`: those that a terminal would obey, or that would make it show other
  /// text. These are control characters, line breaks of any kind, and marks that change the direction of writing. For messages
  /// that contain text from files. O(length).
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

  /// The text as ``printable``, in quotes: for a name that comes from a file.
  package var quoted: String { "“\(printable)”" }
}

extension Unicode.Scalar {
  /// Control characters; marks of direction, and other invisible ones; line and paragraph separators.
  fileprivate var isUnprintable: Bool {
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }
}
