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
}

extension Unicode.Scalar {
  fileprivate var isUnprintable: Bool {
    switch value {
    // C0, DEL and C1; marks of direction, overrides and isolates; line and paragraph separators.
    case 0..<0x20, 0x7F..<0xA0, 0x61C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
