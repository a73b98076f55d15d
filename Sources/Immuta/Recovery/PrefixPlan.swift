/// What to do so that a copy of a log has the log's first records, decided by the segments that the two have. Pure.
///
/// A copy has the same segments as the log, under the same names. It may have older ones that were removed from the log since.
struct PrefixPlan: Hashable, Sendable {
  /// The log, as far as it is to be copied.
  struct Source: Hashable, Sendable {
    var identity: LogIdentity?
    var format: LogFormat
    /// The first records of its segments, in order; at least one.
    var firsts: [Int]
    /// The number of the first record that is not to be copied.
    var count: Int
  }

  /// What a copy contains.
  struct Copy: Hashable, Sendable {
    var identity: LogIdentity?
    var format: LogFormat
    /// The first records of its segments, in order; at least one.
    var firsts: [Int]
    /// The number of the first record that it does not have.
    var count: Int
  }

  /// A segment that is made, or gets more records, or has all and is looked at once more.
  struct Part: Hashable, Sendable {
    /// Its first record.
    var first: Int
    /// The record after the last one that it has afterwards.
    var end: Int
  }

  /// Why nothing is copied.
  enum Refusal: Error, Hashable, Sendable {
    /// Their identities differ.
    case otherLog
    case otherFormat(LogFormat)
    /// The copy has records that the log does not have.
    case longer(copy: Int)
    /// Records that neither has: they were removed from the log before they were copied.
    case gap(Range<Int>)
    /// They differ in whether they have a segment that begins with this record.
    case otherSegments(first: Int)
    /// The records that were asked for were removed from the log.
    case removed(first: Int)
  }

  /// The segments to write, in order. The last one is the newest that the copy has afterwards.
  private(set) var parts: [Part]
  /// The first record that the copy has afterwards.
  private(set) var first: Int
  /// The segments of the copy to remove, in order, once all parts are copied.
  private(set) var dropped: [Int]

  /// - Parameters:
  ///   - copy: nil where there is none yet.
  ///   - follows: whether records that were removed from the log are removed from the copy.
  ///   - mayBeginAnew: whether nobody relies on what the copy has.
  init(_ source: Source, _ copy: Copy?, follows: Bool, mayBeginAnew: Bool = false) throws(Refusal) {
    precondition(!source.firsts.isEmpty && copy?.firsts.isEmpty != true, "a log has a segment")
    // The newest may have no record yet: a copy has it only where it has no other.
    let withRecords = source.firsts.filter { $0 < source.count }
    let firsts = withRecords.isEmpty ? Array(source.firsts.filter { $0 <= source.count }.prefix(1)) : withRecords
    guard let sourceFirst = firsts.first else { throw .removed(first: source.firsts[0]) }
    let ends = firsts.dropFirst() + [source.count]
    parts = zip(firsts, ends).map { Part(first: $0, end: $1) }
    (first, dropped) = (sourceFirst, [])
    guard let copy else { return }

    if let known = copy.identity, let wanted = source.identity, known != wanted { throw .otherLog }
    if copy.format != source.format { throw .otherFormat(copy.format) }
    if copy.count > source.count { throw .longer(copy: copy.count) }
    if copy.count < sourceFirst {
      guard follows || mayBeginAnew else { throw .gap(copy.count..<sourceFirst) }
      dropped = copy.firsts
      return
    }
    // The shared part must have the same segments. A segment without records may be missing.
    let shared = firsts.filter { $0 < copy.count }
    let own = copy.firsts.filter { $0 >= sourceFirst && $0 < copy.count }
    if let odd = Set(shared).symmetricDifference(own).min() { throw .otherSegments(first: odd) }
    if let empty = copy.firsts.last, empty == copy.count, !source.firsts.contains(empty) {
      throw .otherSegments(first: empty)
    }
    let older = copy.firsts.filter { $0 < sourceFirst }
    let newest = copy.firsts[copy.firsts.count - 1]
    parts.removeAll { $0.end <= copy.count && $0.first != newest }
    if follows { dropped = older } else { first = min(first, copy.firsts[0]) }
  }
}
