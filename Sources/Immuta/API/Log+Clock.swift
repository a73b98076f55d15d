extension Log {
  /// When a record was committed, by the system's clock at that time.
  ///
  /// That is the record's timestamp, with two exceptions. Timestamps never go down: after a record that was committed
  /// while the clock was far ahead, those of the next records go on slowly from there. For these, this is what the
  /// clock really said, to a microsecond. And a timestamp that is more than a minute later than the clock is now,
  /// without more being known about it, cannot be right.
  ///
  /// - Returns: nil if the time is not known, or if no ``Timestamp`` can hold it: 64 bits of nanoseconds end in April
  ///   2262.
  /// - Complexity: O(1). If the timestamp is not later than the clock, reading the clock is the only system call.
  public func clockTime(of record: Record) -> Timestamp? {
    let time = record.timestamp
    // The ends of what it can say stand for all that is beyond them.
    if time.nanosecondsSince1970 == .max || time.nanosecondsSince1970 == .min { return nil }
    if !time.isDoubtful { return time }
    guard let slow = try? companionHeader()?.slowTime, slow.covers(record.sequence) else { return nil }
    return slow.clock(at: time.nanosecondsSince1970).map(Timestamp.init(nanosecondsSince1970:))
  }

  /// What makes the log's times doubtful, as things are now.
  func clockDoubts() throws(ImmutaError) -> [ClockDoubt] {
    var doubts: [ClockDoubt] = []
    let now = Clocks.wallClock()
    let count = reader.count
    if count > firstSequence, let last = time(of: count - 1), last.subtractingHeld(now) > ClockDoubt.tolerance {
      let by = Duration.nanoseconds(last.subtractingHeld(now))
      doubts.append(.recordsAhead(from: firstRecord(after: now, count), by: by))
    }
    if let modified = try io(currentFiles.directory.status(of: currentFiles.log)?.modified),
      modified.subtractingHeld(now) > ClockDoubt.tolerance
    {
      doubts.append(.fileAhead(by: .nanoseconds(modified.subtractingHeld(now))))
    }
    if let set = writer?.clockSet { doubts.append(set) }
    return doubts
  }

  private func firstRecord(after now: Int64, _ count: Int) -> Int {
    // Of records whose times cannot be read nobody knows; they are passed over towards the end.
    var (low, high) = (firstSequence, count - 1)
    while low < high {
      let middle = (low + high) / 2
      if let time = time(of: middle), time.subtractingHeld(now) > ClockDoubt.tolerance {
        high = middle
      } else {
        low = middle + 1
      }
    }
    return low
  }

  private func time(of number: Int) -> Int64? {
    try? open.reader(of: number, reader).timestamp(of: number).nanosecondsSince1970
  }
}
