import ArgumentParser

/// What arguments that make no sense may have meant: a subcommand or an option whose name is nearly theirs.
struct UsageAdvice {
  /// The subcommand that the arguments name; the tool itself if they name none.
  private let command: any ParsableCommand.Type
  /// The first argument after the subcommand's name.
  private let word: String?

  init(_ arguments: [String]) {
    var command: any ParsableCommand.Type = ImmutaTool.self
    var words = arguments[...]
    while let word = words.first, let next = Self.subcommands(of: command)[word] {
      (command, words) = (next, words.dropFirst())
    }
    (self.command, word) = (command, words.first)
  }

  /// The message of an error with a better guess, if there is one.
  func improve(_ message: String) -> String {
    ofSubcommand(message) ?? ofOption(message) ?? message
  }

  private func ofSubcommand(_ message: String) -> String? {
    let names = Self.subcommands(of: command).keys
    guard let word, !word.hasPrefix("-"), !names.isEmpty else { return nil }
    let suggestion = Suggestion(for: word, among: names)
    if command.configuration.defaultSubcommand != nil {
      // The word may be an argument of that one.
      return suggestion.map { "\(message); did you mean the subcommand “\($0.name)”?" }
    }
    return "there is no subcommand “\(word)”\(suggestion.asked(after: ": "))"
  }

  /// The parser guesses what was mistyped. It does not guess what was left unfinished.
  private func ofOption(_ message: String) -> String? {
    let start = "Unknown option '"
    guard message.hasPrefix(start) else { return nil }
    let typed = message.dropFirst(start.count).prefix { $0 != "'" }
    let finished = options.filter { $0.hasPrefix(typed) }
    guard finished.count == 1, let option = finished.first else { return nil }
    return "\(start)\(typed)'. Did you mean '\(option)'?"
  }

  /// The names of the command's options, as its help lists them.
  private var options: Set<String> {
    let rows = ImmutaTool.helpMessage(for: command).split(separator: "\n").map { $0.drop { $0 == " " } }
    let names = rows.filter { $0.hasPrefix("-") }.flatMap { $0.split { $0 == " " || $0 == "," } }
    return Set(names.filter { $0.hasPrefix("--") && $0.count > 2 }.map(String.init))
  }

  private static func subcommands(of command: any ParsableCommand.Type) -> [String: any ParsableCommand.Type] {
    let named = command.configuration.subcommands.map { ($0._commandName, $0) }
    return Dictionary(named) { first, _ in first }
  }
}
