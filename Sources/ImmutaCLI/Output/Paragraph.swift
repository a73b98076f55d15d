/// Text in lines of at most so many characters, as terminals have them.
enum Paragraph {
  static let width = 80

  /// The lines of a text, broken at spaces; all but the first begin with two more. A word that is longer than a line has
  /// one of its own.
  static func lines(_ text: String) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if line.isEmpty {
        line = String(word)
      } else if line.count + 1 + word.count <= width {
        line += " \(word)"
      } else {
        lines.append(line)
        line = "  \(word)"
      }
    }
    return line.isEmpty ? lines : lines + [line]
  }
}
