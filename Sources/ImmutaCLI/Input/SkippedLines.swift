/// Lines of input that cannot be used: the first ends it, or, where the user asked for that, each is passed over and
/// counted.
final class SkippedLines {
  private let isAllowed: Bool
  private(set) var count = 0
  private var first: String?

  init(isAllowed: Bool) {
    self.isAllowed = isAllowed
  }

  /// A line cannot be used, for this reason.
  func take(_ reason: String) throws(ToolError) {
    guard isAllowed else { throw ToolError(reason) }
    count += 1
    first = first ?? reason
  }

  /// Throws where lines were passed over and none is left: that is no success.
  ///
  /// - Parameter used: how many records came of the others.
  func check(used: Int) throws(ToolError) {
    if used == 0, count > 0 {
      throw ToolError("nothing was appended: none of \(Quantities.counted(count, "line")) could be used")
    }
  }

  /// Begins to count again.
  func reset() {
    (count, first) = (0, nil)
  }

  /// Says on standard error how many there were, and what was wrong with the first.
  func say() {
    guard let first else { return }
    Failure.say("skipped \(Quantities.counted(count, "line")), the first because \(first)")
  }
}
