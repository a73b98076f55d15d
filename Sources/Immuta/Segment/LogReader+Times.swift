// Finding a record by its time.

extension LogReader {
  /// The first of a range of records whose time is late enough; the end of the range where none is.
  ///
  /// The time of a record is not known if its entry is damaged: such a record is passed over only if one that comes after it
  /// is too early. So none is skipped that may be late enough. Within a log times never go down. If they do all the same, in
  /// a companion that somebody else has made, this is one of the places where early times meet late ones.
  ///
  /// O(log n) reads of an entry; with damaged entries also O(those).
  func firstRecord(in range: Range<Int>, where isLate: (Int64) -> Bool) throws(ImmutaError) -> Int {
    try checkOpen()
    // Nothing below `low` is wanted; at and after `high` nothing is known to be too early.
    var (low, high) = (range.lowerBound, range.upperBound)
    while low < high {
      let middle = low + (high - low) / 2
      if let known = try firstKnownTime(in: middle..<high), !isLate(known.time) {
        low = known.number + 1
      } else {
        high = middle
      }
    }
    return low
  }

  /// The time of a committed record; nil where its entry is damaged.
  func knownTime(of number: Int) throws(ImmutaError) -> Int64? {
    // Not its entry, where that is made: it takes as long as reading the record.
    if let own = ownEntries { return try own.time(of: number) }
    return try entries(number..<number + 1).first??.time
  }

  /// The first record of a range whose time is known.
  private func firstKnownTime(in range: Range<Int>) throws(ImmutaError) -> (number: Int, time: Int64)? {
    // Nearly always the first one is whole.
    if let first = range.first, let time = try knownTime(of: first) { return (first, time) }
    var number = range.lowerBound + 1
    while number < range.upperBound {
      let end = min(number + 1024, range.upperBound)
      if let known = try firstKnownTime(of: number..<end) { return known }
      number = end
    }
    return nil
  }

  private func firstKnownTime(of block: Range<Int>) throws(ImmutaError) -> (number: Int, time: Int64)? {
    if ownEntries != nil {
      for number in block {
        if let time = try knownTime(of: number) { return (number, time) }
      }
      return nil
    }
    for (number, entry) in zip(block, try entries(block)) {
      if let entry { return (number, entry.time) }
    }
    return nil
  }
}
