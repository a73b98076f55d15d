import ImmutaTestSupport

/// What writers were told of their appends, for comparing with what readers see. Pure.
///
/// Each writer appends its records one after the other, each with a text that no other record has.
struct History {
  /// The text of each record that was acknowledged, by its number in the log.
  private(set) var acknowledged: [Int: String] = [:]
  /// Texts whose outcome nobody could tell: each is in the log once, or not at all.
  private(set) var unknown: Set<String> = []

  /// An append returned this number, or the log said so later.
  mutating func acknowledge(_ text: String, as sequence: Int) throws {
    if let other = acknowledged.updateValue(text, forKey: sequence) {
      throw Finding("record \(sequence) was acknowledged twice, as “\(other)” and as “\(text)”")
    }
  }

  /// What the error said of each text that is not to be in the log.
  private(set) var refused: [String: String] = [:]

  /// An append was said not to have been stored.
  mutating func refuse(_ text: String, because reason: String) { refused[text] = reason }

  /// An append ended with an error, and nobody could tell what became of it.
  mutating func leaveOpen(_ text: String) { unknown.insert(text) }

  /// How many records the log has at least.
  var leastCount: Int { (acknowledged.keys.max() ?? -1) + 1 }

  /// Sees that a log has what was acknowledged, each record where it was acknowledged, and none that was not appended or that is
  /// there twice.
  func check(_ log: [String]) throws {
    guard log.count >= leastCount else {
      throw Finding("record \(leastCount - 1) was acknowledged, and the log has \(log.count) records")
    }
    var seen: Set<String> = []
    for (sequence, text) in log.enumerated() {
      guard seen.insert(text).inserted else {
        throw Finding("“\(text)” is there twice, the second time as \(sequence)")
      }
      if let promised = acknowledged[sequence] {
        guard promised == text else {
          throw Finding("record \(sequence) is “\(text)”, and “\(promised)” was acknowledged")
        }
      } else if !unknown.contains(text) {
        throw Finding("record \(sequence) is “\(text)”: \(whatWasSaid(of: text))")
      }
    }
  }

  /// Why a text is not to be where it is.
  private func whatWasSaid(of text: String) -> String {
    if let sequence = acknowledged.first(where: { $0.value == text })?.key {
      return "acknowledged as record \(sequence)"
    }
    return refused[text].map { "it was said not to be stored: \($0)" } ?? "nobody appended it"
  }
}
