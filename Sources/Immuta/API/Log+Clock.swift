extension Log {
  /// When a record was committed, by the system's clock at that time.
  ///
  /// That is the record's timestamp, with two exceptions. First, timestamps never go down: after a record that was committed
  /// while the clock was far ahead, the timestamps of the next records go on slowly from there. For these records, this is what
  /// the clock really said, to a microsecond. Second, a timestamp that is more than a minute later than the clock is now cannot
  /// be right, if nothing more is known about it.
  ///
  /// - Returns: nil if the time is not known, or if no ``Timestamp`` can hold it: 64 bits of nanoseconds end in April
  ///   2262.
  /// - Complexity: O(1). If the timestamp is not later than the clock, reading the clock is the only system call.
  public func clockTime(of record: Record) -> Timestamp? {
    let time = record.timestamp
    // The earliest and the latest value stand for all times beyond them.
    if time.nanosecondsSince1970 == .max || time.nanosecondsSince1970 == .min { return nil }
    if !time.isDoubtful { return time }
    guard let slow = try? companionHeader()?.slowTime, slow.covers(record.sequence) else { return nil }
    return slow.clock(at: time.nanosecondsSince1970).map(Timestamp.init(nanosecondsSince1970:))
  }

  /// Number of the first record that was committed at or after a moment; ``count`` when all were committed before it.
  ///
  /// That is the first record whose ``Record/timestamp`` is not earlier. Where a clock was wrong, it is the first whose
  /// ``clockTime(of:)`` is not earlier, as far as that is known. The reason: timestamps after one from a clock that was years
  /// ahead are in the future, so by their timestamps all those records would be later than any moment of today. A record whose
  /// time is not known, because its entry is damaged or the clock was wrong when it was committed, is passed over only if a later
  /// record is known to be too early. To find a record by a timestamp that is itself in the future, its timestamp counts.
  ///
  /// Records that another program appended all have the time at which the log file was last changed when they were found.
  ///
  /// - Complexity: O(log n) small reads.
  /// - Throws: `.storageClosed`, `.io`; where the log is open for reading only also `.corrupted`, if its files are being
  ///   changed.
  public func sequence(at moment: Timestamp) throws(ImmutaError) -> Int {
    do throws(ImmutaError) {
      try open.refresh()
      let reader = reader
      do throws(ImmutaError) {
        return try open.firstRecord(at: moment, in: 0..<reader.count, of: reader)
      } catch {
        // The file may have been changed or replaced.
        guard try open.isDueToChange(error, of: reader) else { throw error }
        let other = self.reader
        return try open.firstRecord(at: moment, in: 0..<other.count, of: other)
      }
    } catch {
      throw error.of(namespace)
    }
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
    // Records whose times cannot be read are passed over towards the end.
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
