import ImmutaLocking

/// How much two states of a log's files have in common: the files that were read, and the files that exist now.
struct Continuity {
  private let old: FollowedFiles
  private let new: FollowedFiles
  /// Whether both say that they are the same log. Then times distinguish records, too, and from the first difference on all
  /// records differ.
  let isSameLog: Bool

  init(from old: FollowedFiles, to new: FollowedFiles) {
    self.old = old
    self.new = new
    isSameLog = old.reader.identity != nil && old.reader.identity == new.reader.identity
  }

  /// How many records, from the first on, are sure to be the same in both. O(log records) for states of one log, O(records)
  /// of two, or O(bytes) where their entries are made.
  ///
  /// - Parameter known: how many the old state has.
  func shared(_ known: Int) throws(ImmutaError) -> Int {
    let end = min(known, new.reader.count)
    if end == 0 { return 0 }
    let anchors = old.state.withLock { $0.anchors }
    // For logs that have rolled, the newest segments of both are compared.
    if max(old.reader.first, new.reader.first) >= end { return try isContinued(anchors) ? known : 0 }
    do throws(ImmutaError) {
      if try canCompareAll(anchors) { return try sharedOfAll(end) }
    } catch {
      // The old file may have been overwritten before it was replaced, or it was at rest and nobody has it open: only the anchors
      // show what was in it.
      guard old.reader.ownEntries?.isContradicted == true || error.isLogMoved else { throw error }
    }
    return try sharedOfAnchors(anchors, end)
  }

  /// Whether the new state is the old one, rolled: the last record that was known is in a segment that was sealed since, or
  /// was removed since.
  private func isContinued(_ anchors: Anchors) throws(ImmutaError) -> Bool {
    guard isSameLog, let last = anchors.last, let known = last.entry, last.number < new.reader.first else {
      return false
    }
    do throws(ImmutaError) {
      let found = try new.sealed.reader(of: last.number).entries(last.number..<last.number + 1).first ?? nil
      return found.map { isSame(known, $0) } ?? false
    } catch .recordRemoved {
      return true
    }
  }

  private func sharedOfAnchors(_ anchors: Anchors, _ end: Int) throws(ImmutaError) -> Int {
    // In one log, if a record is the same, all before it are. In another log, only the compared records are known.
    if isSameLog { return min(try anchors.sharedUpToLast(with: new.reader, isSame), end) }
    if old.reader.hasOwnEntries { return min(try anchors.sharedInFile(with: new.reader, isSame), end) }
    return try anchors.first > 0 ? 0 : anchors.sharedFromFirst(with: new.reader, isSame)
  }

  private func sharedOfAll(_ end: Int) throws(ImmutaError) -> Int {
    let start = max(old.reader.first, new.reader.first)
    if !isSameLog { return start > 0 ? 0 : try firstDifference(in: 0..<end) }
    var (lower, upper) = (start, end)
    while upper - lower > Self.piece {
      let middle = (lower + upper) / 2
      switch try isSame(around: middle) {
      case .some(true): lower = middle
      case .some(false): upper = middle
      // Entries that are damaged prove nothing.
      case nil: return try firstDifference(in: lower..<upper)
      }
    }
    return try firstDifference(in: lower..<upper)
  }

  private static var piece: Int { 4096 }

  /// Whether the old records can still be read: not if the same file was overwritten.
  private func canCompareAll(_ anchors: Anchors) throws(ImmutaError) -> Bool {
    // Entries that are made fit whatever the file holds by now: another file must be read, and this one as it was.
    if let own = old.reader.ownEntries {
      return old.logFile == new.logFile || own.isContradicted ? false : try anchors.areAll(in: old.reader)
    }
    return old.companionFile == new.companionFile ? false : try anchors.areAll(in: old.reader)
  }

  private func isSame(_ one: CompanionEntry, _ other: CompanionEntry) -> Bool {
    one.isOfSameRecord(as: other) && (!isSameLog || one.time == other.time || one.isMade || other.isMade)
  }

  /// Whether the records just before a number are the same; nil where no entry says so.
  private func isSame(around number: Int) throws(ImmutaError) -> Bool? {
    let range = max(old.reader.first, new.reader.first, number - 64)..<number
    for (one, other) in zip(try old.reader.entries(range), try new.reader.entries(range)).reversed() {
      if let one, let other { return isSame(one, other) }
    }
    return nil
  }

  /// Up to which record of a range all are the same, as far as their entries say.
  private func firstDifference(in all: Range<Int>) throws(ImmutaError) -> Int {
    var same = all.lowerBound
    var number = all.lowerBound
    while number < all.upperBound {
      let range = number..<min(all.upperBound, number + Self.piece)
      for (one, other) in zip(try old.reader.entries(range), try new.reader.entries(range)) {
        number += 1
        guard let one, let other else { continue }
        guard isSame(one, other) else { return same }
        same = number
      }
      // A file that is shorter than it was.
      if number < range.upperBound { break }
    }
    return same
  }
}
