/// What a repair found, and what it did or would do.
public struct RepairReport: Hashable, Sendable {
  /// Records next to each other that are lost.
  public struct LostRange: Hashable, Sendable {
    /// Their numbers.
    public internal(set) var sequences: Range<Int>
    /// Byte offset of the first of them in the log; nil when that is unknown, too.
    public internal(set) var index: Int?
    /// What is wrong with the first of them.
    public internal(set) var reason: LossReason
  }

  /// The namespace's name.
  public let namespace: String
  /// Records that the log or its companion claims.
  public internal(set) var promised: Int
  /// Records that are whole.
  public internal(set) var sound: Int
  /// Sound records whose checksum was taken when they were appended. About the others, only one thing is known: they lie where a
  /// record must. Their bytes may have been changed before their checksums were made.
  public internal(set) var verifiable: Int
  /// Records that are not whole, in order.
  public internal(set) var lost: [LostRange]
  /// What the repair did, or would do; empty when there is nothing to do.
  public internal(set) var actions: [Action]
  /// What is wrong with the log's files beside its records, such as a file that does not belong to it. Each problem says what to
  /// do; repair does nothing about it.
  public internal(set) var problems: [Corruption] = []
  /// Whether the actions were done.
  public internal(set) var isApplied: Bool
  /// Files with the bytes that were cut off or replaced.
  public internal(set) var saved: [String]
  /// Another format that the log may have: then nothing is done until the format is stated. Nil where only damage explains what
  /// was found.
  public internal(set) var possibleFormat: LogFormat?
  /// Whether opening for appending recovers the log by itself, as after a crash: then nothing needs to be applied.
  package internal(set) var opensAsItIs = false

  /// Whether the log needs no repair. A missing companion does not count: opening makes one.
  public var isHealthy: Bool { lost.isEmpty && actions.isEmpty && problems.isEmpty }
}

extension RepairReport: CustomStringConvertible {
  /// Several lines for people.
  public var description: String {
    var lines = ["\(namespace): \(sound) of \(promised) records are whole"]
    if verifiable < sound {
      lines.append("  not verifiable: \(sound - verifiable) of them have no checksum from when they were appended")
    }
    for range in lost {
      let place = range.index.map { " at byte \($0)" } ?? ""
      lines.append("  lost: \(Quantity.records(range.sequences))\(place): \(range.reason)")
    }
    for problem in problems { lines.append("  problem: \(problem)") }
    for action in actions { lines.append("  \(isApplied ? "did" : "would"): \(action)") }
    if let possibleFormat { lines.append("  unless it is a log of the format \(possibleFormat)") }
    for file in saved { lines.append("  saved: \(file)") }
    if isHealthy { lines.append("  nothing to repair") }
    return lines.map(\.printable).joined(separator: "\n")
  }
}
