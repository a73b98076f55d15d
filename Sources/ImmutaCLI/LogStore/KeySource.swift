import ArgumentParser

/// Where a message's key is in a line of input.
enum KeySource: Equatable {
  /// All messages have this one.
  case fixed(String)
  /// Before the line's first tab; the message is what follows it.
  case beforeTab
  /// In this member of the line, which is a JSON object; the message is the whole line.
  case member(String)

  var isFixed: Bool { if case .fixed = self { true } else { false } }

  /// Whether lines are JSON objects.
  var isInJSON: Bool { if case .member = self { true } else { false } }

  /// A line's key and its message.
  func split(_ line: ArraySlice<UInt8>) throws(LineRefusal) -> (key: [UInt8], payload: ArraySlice<UInt8>) {
    switch self {
    case .fixed(let key): return (Array(key.utf8), line)
    case .beforeTab:
      guard let tab = line.firstIndex(of: UInt8(ascii: "\t")) else {
        throw LineRefusal(
          reason: "has no tab after its key: make it KEY<TAB>VALUE, or give --key or --key-field")
      }
      return (Array(line[..<tab]), line[(tab + 1)...])
    case .member(let name):
      if let key = try JSONLine(line).textOrNumber(name) { return (key, line) }
      throw LineRefusal(
        reason: "has no text or number as its member “\(name)”: correct it, or give another --key-field")
    }
  }
}

/// The options that say where keys are.
struct KeyOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The key of all messages; each line is a message.", valueName: "key"))
  var key: String?

  @Option(
    help: ArgumentHelp(
      """
      The member of each line, a JSON object, that holds its key: a text, or a number, whose key is its digits as they \
      are written (1 and 1.0 are two keys). The message is the whole line.
      """,
      valueName: "member"))
  var keyField: String?

  @Flag(help: "The key is what is before each line's first tab, and the message only what follows it.")
  var keyBeforeTab = false

  func validate() throws {
    if [key != nil, keyField != nil, keyBeforeTab].count(where: { $0 }) > 1 {
      throw ValidationError("use only one of --key, --key-field and --key-before-tab")
    }
  }

  /// Where they are; nil where it was not said.
  var source: KeySource? {
    if let key { return .fixed(key) }
    if let keyField { return .member(keyField) }
    return keyBeforeTab ? .beforeTab : nil
  }
}
