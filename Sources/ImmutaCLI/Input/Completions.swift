import ArgumentParser
import Immuta

/// What a shell offers for an argument when Tab is pressed.
enum Completions {
  /// The namespaces of the directory that the command line names.
  static let namespaces = CompletionKind.custom { words, _, _ in
    (try? Storage.namespaces(in: directory(of: words))) ?? []
  }

  /// The directory of logs that the words of a command line name: as far as they are typed, and as a shell would take them.
  static func directory(of words: [String]) -> String {
    let words = words.map(unquoted)
    // They name it without an option.
    if words.count > 2, ["backup", "restore"].contains(words[1]) {
      return words.dropFirst(2).first { !$0.hasPrefix("-") } ?? "."
    }
    let option = "--dir"
    for (position, word) in words.enumerated() {
      if word == option, position + 1 < words.count { return words[position + 1] }
      if word.hasPrefix("\(option)=") { return String(word.dropFirst(option.count + 1)) }
    }
    return DirectoryOption.usual
  }

  /// A word without its quotes and backslashes, and with the user's directory for a tilde.
  private static func unquoted(_ word: String) -> String {
    var text = ""
    var quote: Character?
    var isEscaped = false
    for character in word {
      if isEscaped {
        isEscaped = false
        text.append(character)
      } else if character == "\\", quote != "'" {
        isEscaped = true
      } else if character == quote {
        quote = nil
      } else if quote == nil, character == "'" || character == "\"" {
        quote = character
      } else {
        text.append(character)
      }
    }
    guard word.hasPrefix("~/"), let home = System.variable("HOME") else { return text }
    return home + text.dropFirst()
  }
}
