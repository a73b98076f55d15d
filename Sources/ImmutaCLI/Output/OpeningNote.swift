import Immuta

extension Log.Details {
  /// Says on standard error what opening found that people should know, if anything.
  func sayOpeningNote(_ kind: LogKind) {
    if let openingNote { Failure.say("note: \(kind.label(namespace)) \(openingNote)") }
  }
}
