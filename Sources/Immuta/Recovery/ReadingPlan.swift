/// How readers find a log's records. Decided by what was read from the files, without another look at them.
enum ReadingPlan: Equatable {
  /// By the companion, which has all of their entries. O(1).
  case byCompanion(count: Int, end: Int, lastTime: Int64)
  /// As opening for appending does, but nothing is changed.
  case byRecovery

  /// The last record that is committed, by its entry and its size field.
  struct Last: Equatable {
    var index: Int
    var end: Int
    var time: Int64
  }

  /// - Parameters:
  ///   - committed: how many records there are, by COUNT or by the entries; nil where nothing says so.
  ///   - last: nil where its entry is damaged, or its size field does not fit the file.
  ///   - companion: the header of the companion, of the log's format.
  ///   - fileSize: the log's.
  ///   - isDoubted: whether the files say that more was committed than `committed`.
  init(
    committed: Int?, last: Last?, companion: CompanionHeader?, header: LogHeader?, _ format: LogFormat, fileSize: Int,
    isDoubted: Bool
  ) {
    self = .byRecovery
    guard !isDoubted, let committed, let companion, committed >= companion.stableCount,
      !companion.isClean || committed == companion.stableCount
    else { return }
    let none = Last(index: 0, end: format.headerSize, time: 0)
    guard let last = committed == 0 ? none : last else { return }
    // A log that was closed is also held to the rest of its header, or to its size; a writer at work changes them under
    // our eyes.
    if companion.isClean {
      if let header {
        if header.denies(lastIndex: last.index) { return }
      } else if fileSize != last.end {
        return
      }
    }
    self = .byCompanion(count: committed, end: last.end, lastTime: last.time)
  }
}
