/// Which segments a log need not keep. The same rule decides what is removed, and what is announced beforehand.
struct RetentionPlan {
  /// The first records of the segments before the newest, in order.
  let firsts: [Int]
  /// The first record of the newest segment, which stays in any case.
  let newest: Int
  /// How many records the log has, including those that were removed.
  let count: Int

  /// Where the segments before the newest end: the next one's first record.
  private var ends: [Int] { Array(firsts.dropFirst()) + [newest] }

  /// The first record that is left when the records before a number are removed in whole segments; nil if none can be removed.
  func firstToKeep(before number: Int) -> Int? { firsts.isEmpty ? nil : ends.last { $0 <= number } }

  /// The number before which nothing need be kept; nil if everything must be kept.
  ///
  /// - Parameters:
  ///   - now: by the clock of this machine, in nanoseconds since 1970.
  ///   - bytes: the size of a segment's log file, by the segment's first record.
  ///   - lastTime: when a segment's last record was appended, by the segment's end; nil if unknown: then the segment is kept.
  func firstToKeep(
    _ retention: Retention, now: Int64, bytes: (_ first: Int) throws(ImmutaError) -> Int,
    lastTime: (_ end: Int) -> Int64?
  ) throws(ImmutaError) -> Int? {
    if firsts.isEmpty { return nil }
    var kept: Int?
    if let most = retention.maximumRecords { kept = firstToKeep(records: most) }
    if let most = retention.maximumBytes { kept = Self.later(kept, try firstToKeep(bytes: most, bytes)) }
    if let age = retention.maximumAge {
      kept = Self.later(kept, firstToKeep(since: now.subtractingHeld(age.nanoseconds), lastTime))
    }
    return kept
  }

  private static func later(_ one: Int?, _ other: Int?) -> Int? {
    guard let one, let other else { return one ?? other }
    return max(one, other)
  }

  /// The first segment to keep so that the log has at most so many records.
  private func firstToKeep(records most: Int) -> Int? {
    if count - (firsts.first ?? newest) <= most { return nil }
    return ends.first { count - $0 <= most } ?? newest
  }

  /// The first segment to keep so that the log has at most so many bytes; nil if it has no more now.
  func firstToKeep(
    bytes most: Int, _ bytes: (_ first: Int) throws(ImmutaError) -> Int
  ) throws(ImmutaError) -> Int? {
    var sizes: [Int] = []
    for first in firsts { sizes.append(try bytes(first)) }
    var total = sizes.reduce(try bytes(newest), +)
    var kept: Int?
    for (size, end) in zip(sizes, ends) where total > most {
      total -= size
      kept = end
    }
    return kept
  }

  private func firstToKeep(since oldest: Int64, _ lastTime: (_ end: Int) -> Int64?) -> Int? {
    var kept: Int?
    for end in ends {
      guard let time = lastTime(end), time < oldest else { break }
      kept = end
    }
    return kept
  }
}
