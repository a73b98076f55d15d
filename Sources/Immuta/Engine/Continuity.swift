import Locking

/// How much two states of a log's files have in common: those that were read, and those that are there now.
struct Continuity {
  private let old: FollowedFiles
  private let new: FollowedFiles
  /// Whether both say that they are the same log. Then times tell records apart, too, and what differs once differs from
  /// there on.
  let isSameLog: Bool

  init(from old: FollowedFiles, to new: FollowedFiles) {
    self.old = old
    self.new = new
    isSameLog = old.identity != nil && old.identity == new.identity
  }

  /// How many records, from the first on, are sure to be the same in both. O(log records) for states of one log, O(records)
  /// of two.
  func shared() throws(ImmutaError) -> Int {
    let end = min(old.reader.count, new.reader.count)
    if end == 0 { return 0 }
    let anchors = old.state.withLock { $0.anchors }
    if try !canCompareAll(anchors) {
      if let shared = try anchors.shared(with: new.reader, isSame) { return min(shared, end) }
      return try countBefore(anchors)
    }
    if !isSameLog { return try firstDifference(before: end) }
    var (lower, upper) = (0, end)
    while lower < upper {
      let middle = (lower + upper + 1) / 2
      if try isSame(at: middle - 1) { lower = middle } else { upper = middle - 1 }
    }
    return lower
  }

  /// Whether what was known can still be looked at: not where the same file was written over.
  private func canCompareAll(_ anchors: Anchors) throws(ImmutaError) -> Bool {
    if old.reader.hasOwnEntries { return true }
    return old.companionFile == new.companionFile ? false : try anchors.areAll(in: old.reader)
  }

  private func isSame(_ one: CompanionEntry, _ other: CompanionEntry) -> Bool {
    one.index == other.index && one.recordChecksum == other.recordChecksum && (!isSameLog || one.time == other.time)
  }

  private func isSame(at number: Int) throws(ImmutaError) -> Bool {
    guard let one = try old.reader.entries(number..<number + 1).first ?? nil,
      let other = try new.reader.entries(number..<number + 1).first ?? nil
    else { return false }
    return isSame(one, other)
  }

  private func firstDifference(before end: Int) throws(ImmutaError) -> Int {
    var number = 0
    while number < end {
      let range = number..<min(end, number + 4096)
      let (ones, others) = (try old.reader.entries(range), try new.reader.entries(range))
      for (one, other) in zip(ones, others) {
        guard let one, let other, isSame(one, other) else { return number }
        number += 1
      }
      // A file that is shorter than it was.
      if number < range.upperBound { return number }
    }
    return end
  }

  /// Records of one log that are older than all that is remembered of it: those were there when it was.
  private func countBefore(_ anchors: Anchors) throws(ImmutaError) -> Int {
    guard isSameLog, let time = anchors.firstTime else { return 0 }
    var (lower, upper) = (0, min(anchors.first, new.reader.count))
    while lower < upper {
      let middle = (lower + upper) / 2
      if let entry = try new.reader.entries(middle..<middle + 1).first ?? nil, entry.time < time {
        lower = middle + 1
      } else {
        upper = middle
      }
    }
    return lower
  }
}
