import ArgumentParser

/// Whether a consumer is made whose name is nearly that of another: most likely, that one is meant.
struct ConsumerCreation: ParsableArguments {
  @Flag(help: "Make the consumer if there is none, also if another has nearly the same name.")
  var create = false

  /// What is made, if a name is none of those that exist; nil if it is one of them.
  ///
  /// - Throws: if the name is nearly one of the others, and nobody said that it is to be made.
  func allows(_ name: String, besides others: [String]) throws -> NewConsumer? {
    guard let new = NewConsumer(name, besides: others) else { return nil }
    if let suggestion = new.suggestion, !create {
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
    let letters = name.filter { !$0.isNumber }
    suggestion = Suggestion(for: name, among: others.filter { $0.filter { !$0.isNumber } != letters })
  }

  /// Says that it is new, if another one may have been meant.
  func sayIfMistyped() { if suggestion != nil { say() } }

  /// Says that it is new, on standard error.
  func say() { Failure.say("note: the consumer “\(name)” is new\(suggestion.asked(after: "; "))") }
}
