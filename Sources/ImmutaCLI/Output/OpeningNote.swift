import Immuta

extension Log {
  /// Says on standard error what opening found that people should know, if anything.
  func sayOpeningNote(_ kind: LogKind) { kind.say(openingNote: openingNote, of: namespace) }
}

extension LogKind {
  /// The same, of a log that is known by its name only.
  func say(openingNote: String?, of name: String) {
    if let openingNote { Failure.say("note: \(label(name)) \(openingNote)") }
  }
}
