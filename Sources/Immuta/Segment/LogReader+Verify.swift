/// What verifying found of a run of sound records of one segment.
struct VerifiedRecords: Sendable {
  var count = 0
  /// How many have the checksum that was taken when they were appended.
  var verifiable = 0
  /// Of the first such record, and of the last; nil where there is none.
  var times: ClosedRange<Timestamp>?
  /// Payload bytes of the smallest record, and of the largest.
  var sizes = (smallest: Int.max, largest: 0)
  /// Where the first record begins, and where the last one does; 0 where there is none.
  var (firstIndex, lastIndex) = (0, 0)
  /// Where the last record ends; nil where there is none.
  var end: Int?
}

extension LogReader {
  /// Reads and checks committed records of the segment: each by itself, and beside the one before. Gives other tasks a turn now and
  /// then. O(bytes).
  ///
  /// - Parameters:
  ///   - end: where the committed records of the segment end, by number.
  ///   - verified: nothing; then what was found sound, also of the records before the one that is not.
  /// - Throws: `.corrupted`, `.undecodable` of the first record that is not sound; `.storageClosed`, `.io`; `CancellationError`.
  func verify(_ numbers: Range<Int>, of end: Int, into verified: inout VerifiedRecords) async throws {
    let check = check.verifyingChecksums(true)
    // The time of an entry that was made is that of the file, which may be later than that of the next segment.
    let hasTimes = !hasOwnEntries
    var number = numbers.lowerBound
    while number < numbers.upperBound {
      try Task.checkCancellation()
      try self.check(
        from: number, to: numbers.upperBound, count: end, check
      ) { (record, isMade) throws(ImmutaError) in
        if let end = verified.end, record.index != end {
          throw check.corrupted(.order, number, record.index, "the record before ends at byte \(end)")
        }
        if !isMade, hasTimes {
          let times = verified.times ?? record.timestamp...record.timestamp
          if record.timestamp < times.upperBound {
            throw check.corrupted(.order, number, record.index, "its time is before that of the record before")
          }
          verified.times = times.lowerBound...record.timestamp
        }
        if verified.count == 0 { verified.firstIndex = record.index }
        verified.sizes.smallest = min(verified.sizes.smallest, record.size)
        verified.sizes.largest = max(verified.sizes.largest, record.size)
        verified.lastIndex = record.index
        verified.end = record.index + format.recordHeaderSize + record.size
        verified.count += 1
        if !isMade { verified.verifiable += 1 }
        number += 1
      }
      await Task.yield()
    }
  }
}
