// Finding a record by the moment of its commit, while clocks may be wrong.

extension OpenLog {
  /// The companion's header as it is on file; nil when there is none that is whole.
  func companionHeader() throws(ImmutaError) -> CompanionHeader? {
    if let writer { return writer.flusher.companionHeader }
    return try follower?.files.companion?.companionHeader()
  }

  /// The first of a range of records that was committed at or after a moment; the end of the range where none was.
  ///
  /// A record's time counts. But a time that is later than the clock is now cannot be right: the clock was ahead when a
  /// record was committed, and times went on slowly from there (see ``SlowTime``). Where none but such records are late
  /// enough, and it is known what the clock said, that counts. What nobody knows the time of is not skipped.
  ///
  /// O(log n) reads.
  func firstRecord(
    at moment: Timestamp, in range: Range<Int>, of reader: LogReader
  ) throws(ImmutaError) -> Int {
    let moment = moment.nanosecondsSince1970
    let first = try reader.firstRecord(in: range) { $0 >= moment }
    let limit = Clocks.wallClock().addingHeld(ClockDoubt.tolerance)
    // Who asks for such a time has it from such a record.
    guard moment <= limit, first < range.upperBound, let time = try reader.knownTime(of: first), time > limit,
      let slow = try companionHeader()?.slowTime
    else { return first }
    let begin = max(first, slow.first)
    let end = min(slow.end ?? .max, range.upperBound)
    guard begin < end else { return first }
    let late = try reader.firstRecord(in: begin..<end) { (slow.clock(at: $0) ?? .max) >= moment }
    // Those between `first` and `begin` were committed before the one at `begin`; when, nobody knows.
    return late == begin ? first : late
  }
}
