// Finding a record by the moment of its commit, over all segments, while clocks may be wrong.

extension OpenLog {
  /// The header of the newest segment's companion, as it is on file; nil when there is none, or it is damaged.
  func companionHeader() throws(ImmutaError) -> CompanionHeader? {
    if let writer { return writer.flusher.companionHeader }
    return try follower?.files.companion?.companionHeader()
  }

  /// The first of a range of records that was committed at or after a moment; the end of the range where none was.
  ///
  /// A record's time counts. But a time that is later than the clock is now cannot be right: the clock was ahead when a record
  /// was committed, and times went on slowly from there (see ``SlowTime``). If only such records are late enough, and the clock's
  /// own times are known, those count. A record whose time is unknown is not skipped.
  ///
  /// O(log n) reads, and O(log segments) segments are opened.
  ///
  /// - Parameter newest: what is read from now.
  func firstRecord(
    at moment: Timestamp, in range: Range<Int>, of newest: LogReader
  ) throws(ImmutaError) -> Int {
    follower?.noteRemoved()
    let moment = moment.nanosecondsSince1970
    let first = try firstRecord(in: range, of: newest) { $0 >= moment }
    let limit = Clocks.wallClock().addingHeld(ClockDoubt.tolerance)
    // A caller that asks for such a time has it from such a record.
    guard moment <= limit, first < range.upperBound,
      let time = try segment(of: first, newest)?.knownTime(of: first), time > limit,
      let slow = try companionHeader()?.slowTime
    else { return first }
    let begin = max(first, slow.first)
    let end = min(slow.end ?? .max, range.upperBound)
    guard begin < end else { return first }
    let late = try firstRecord(in: begin..<end, of: newest) { (slow.clock(at: $0) ?? .max) >= moment }
    // The records between `first` and `begin` were committed before the one at `begin`; their times are unknown.
    return late == begin ? first : late
  }

  /// The first of a range of records whose time is late enough; the end of the range where none is.
  ///
  /// The time of a record is not known if its entry or its segment is damaged: such a record is passed over only if a later one
  /// is too early. So no record is skipped that may be late enough. Within a log times never go down. If they do all the same, in
  /// a companion that another program has made, the result is one of the places where early times meet late ones.
  private func firstRecord(
    in range: Range<Int>, of newest: LogReader, where isLate: (Int64) -> Bool
  ) throws(ImmutaError) -> Int {
    try newest.checkOpen()
    // The records below `low` are not wanted; at and after `high` no record is known to be too early.
    var (low, high) = (max(range.lowerBound, firstSequence), range.upperBound)
    while low < high {
      let middle = low + (high - low) / 2
      do throws(ImmutaError) {
        if let known = try firstKnownTime(in: middle..<high, newest), !isLate(known.time) {
          low = known.number + 1
        } else {
          high = middle
        }
      } catch .recordRemoved(_, let first, _) {
        // Removed meanwhile; so the first record is after `middle`.
        low = first
      }
    }
    return low
  }

  private func firstKnownTime(
    in range: Range<Int>, _ newest: LogReader
  ) throws(ImmutaError) -> (number: Int, time: Int64)? {
    var number = range.lowerBound
    while number < range.upperBound {
      if let segment = try segment(of: number, newest) {
        let end = min(range.upperBound, segment.count)
        if let known = try segment.firstKnownTime(in: number..<end) { return known }
        number = end
      } else {
        let (firsts, end) = sealed.list
        number = firsts.first { $0 > number } ?? max(end, number + 1)
      }
    }
    return nil
  }

  /// The segment of a record; nil where it is missing or damaged.
  private func segment(of number: Int, _ newest: LogReader) throws(ImmutaError) -> LogReader? {
    do throws(ImmutaError) {
      return try reader(of: number, newest)
    } catch .corrupted {
      return nil
    }
  }
}
