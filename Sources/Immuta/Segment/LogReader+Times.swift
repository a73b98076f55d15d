// When a segment's records were committed, where nothing is known of some of them.

extension LogReader {
  /// The time of a committed record of the segment; nil where its entry is damaged.
  func knownTime(of number: Int) throws(ImmutaError) -> Int64? {
    // Not its entry, where that is made: it takes as long as reading the record.
    if let own = ownEntries {
      return try numbered(from: first) { () throws(ImmutaError) in try own.time(of: number - first) }
    }
    return try entries(number..<number + 1).first??.time
  }

  /// The first of a range of records of the segment whose time is known. O(1) where that is the first one.
  func firstKnownTime(in range: Range<Int>) throws(ImmutaError) -> (number: Int, time: Int64)? {
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
    if hasOwnEntries {
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
