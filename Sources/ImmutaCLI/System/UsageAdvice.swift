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
    while let word = words.first, let next = command.subcommand(word) {
      (command, words) = (next, words.dropFirst())
    }
    (self.command, word) = (command, words.first)
  }

  /// The error for a subcommand that `help` is asked about, and that does not exist; nil where the arguments ask for something else.
  static func unknownTopic(in arguments: [String]) -> String? {
    guard arguments.first == "help" else { return nil }
    let advice = UsageAdvice(arguments.dropFirst().filter { !$0.hasPrefix("-") })
    guard let word = advice.word, word != "help", ExternalCommand.missing([word]) == nil else { return nil }
    return missing(word, Suggestion(for: word, among: advice.command.subcommandNames))
  }

  private static func missing(_ word: String, _ suggestion: Suggestion?) -> String {
    "there is no subcommand “\(word)”\(suggestion.asked(after: ": "))"
  }

  /// The message of an error with a better guess, if there is one.
  func improve(_ message: String) -> String {
    ofSubcommand(message) ?? ofOption(message) ?? message
  }

  private func ofSubcommand(_ message: String) -> String? {
    let names = command.subcommandNames
    guard let word, !word.hasPrefix("-"), word != "help", !names.isEmpty else { return nil }
    let suggestion = Suggestion(for: word, among: names)
    if command.configuration.defaultSubcommand != nil {
      // The word may be an argument of that one, which then has another fault.
      guard suggestion != nil, message.hasPrefix(Self.unknownOption) || message.contains("nexpected argument") else {
        return nil
      }
    }
    return Self.missing(word, suggestion)
  }

  private static let unknownOption = "Unknown option '"

  /// The parser guesses what was mistyped. It does not guess what was left unfinished.
  private func ofOption(_ message: String) -> String? {
    guard message.hasPrefix(Self.unknownOption) else { return nil }
    let typed = message.dropFirst(Self.unknownOption.count).prefix { $0 != "'" }
    let finished = options.filter { $0.hasPrefix(typed) }.sorted()
    guard typed.hasPrefix("--"), let last = finished.last, finished.count <= 6 else { return nil }
    let others = finished.dropLast().joined(separator: ", ")
    let question = others.isEmpty ? "Did you mean '\(last)'?" : "It may be \(others) or \(last)."
    return "\(Self.unknownOption)\(typed)'. \(question)"
  }

  /// The names of the command's options, as its help lists them.
  private var options: Set<String> {
    let command = self.command.configuration.defaultSubcommand ?? self.command
    let rows = ImmutaTool.helpMessage(for: command).split(separator: "\n").filter { $0.hasPrefix("  -") }
    // What an option is for follows its names after two spaces.
    let names = rows.map { $0.dropFirst(2) }.flatMap { row in
      row[..<(row.firstRange(of: "  ")?.lowerBound ?? row.endIndex)].split { $0 == " " || $0 == "," }
    }
    return Set(names.filter { $0.hasPrefix("--") && $0.count > 2 }.map(String.init))
  }
}

extension ParsableCommand {
  /// What the subcommands are called.
  static var subcommandNames: [String] { configuration.subcommands.map { $0._commandName } }

  /// The subcommand of a name.
  fileprivate static func subcommand(_ name: String) -> (any ParsableCommand.Type)? {
    configuration.subcommands.first { $0._commandName == name }
  }
}
