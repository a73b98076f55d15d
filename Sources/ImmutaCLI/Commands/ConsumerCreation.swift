import ArgumentParser

/// Whether a consumer is made whose name is nearly that of another: most likely, that one is meant.
struct ConsumerCreation: ParsableArguments {
  @Flag(help: "Make the consumer if there is none, also if its name is most likely another one, mistyped.")
  var create = false

  /// The consumer that a name would make; nil if one has that name already.
  ///
  /// - Throws: if the name is most likely one of the others, mistyped, and nobody said that it is to be made.
  func allows(_ name: String, besides others: [String]) throws -> NewConsumer? {
    guard let new = NewConsumer(name, besides: create ? [] : others), !others.contains(name) else { return nil }
    if let suggestion = new.suggestion, new.isMistyped {
      throw ToolError("there is no consumer “\(name)”: \(suggestion.question) To make it, add --create")
    }
    return new
  }
}

/// A consumer that is made because none has its name.
struct NewConsumer {
  let name: String
  /// The consumer that may have been meant.
  let suggestion: Suggestion?

  /// Nil if the name is one of the others.
  init?(_ name: String, besides others: [String]) {
    if others.contains(name) { return nil }
    self.name = name
    // Who counts consumers means each of them.
    let isCounted = others.contains { Self.letters(of: $0) == Self.letters(of: name) }
    suggestion = isCounted ? nil : Suggestion(for: name, among: others)
  }

  private static func letters(of name: String) -> String { name.filter { !$0.isNumber } }

  /// Whether a slip of one finger makes one name of the other, and not only of its end: shard-a and shard-b are two.
  var isMistyped: Bool {
    guard let other = suggestion?.name, name.count >= 4 else { return false }
    return Suggestion.distance(Array(name.lowercased()), Array(other.lowercased())) <= 1
      && name.dropLast() != other.dropLast()
  }

  /// Says that it is new, on standard error.
  func say() { Failure.say("note: the consumer “\(name)” is new\(suggestion.asked(after: "; "))") }

  /// The same, with the command that removes it, if another one may have been meant.
  func sayIfDoubted(removedBy command: String) {
    guard let suggestion else { return }
    Failure.say("note: the consumer “\(name)” is new; \(suggestion.question) Then remove this one: `\(command)`")
  }
}
