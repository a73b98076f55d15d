import ImmutaLocking

/// The segments of a log before the one that is appended to: finds the one that has a record, and opens it when it is read.
/// A few stay open.
final class SealedSegments: Sendable {
  private let state: Lock<State>
  private let open: Opener
  private let path: String
  private let removedNow: @Sendable () -> Int
  private let strays: @Sendable () throws(ImmutaError) -> [Int]

  /// Opens the segment that begins with record `first`. The segment after it begins with record `end`. Nil where its companion
  /// does not say so, and it is not to be looked at closely.
  typealias Opener = @Sendable (_ first: Int, _ end: Int, _ closely: Bool) throws(ImmutaError) -> LogReader?

  private struct State {
    /// The first records of the segments, in order.
    var firsts: [Int]
    /// Where the last of them ends.
    var end: Int
    /// The first record that was not removed.
    var removed: Int
    /// The readers that were used last, the latest at the end.
    var readers: [LogReader] = []
    var isClosed = false
    /// Whether files that do not belong to the log were looked for.
    var hasLookedForStrays = false

    /// The segment that a record would be in.
    func place(of number: Int) -> Int? {
      var (low, high) = (0, firsts.count)
      while low < high {
        let middle = (low + high) / 2
        if firsts[middle] <= number { low = middle + 1 } else { high = middle }
      }
      return low == 0 || number >= end ? nil : low - 1
    }

    func end(at place: Int) -> Int { place + 1 < firsts.count ? firsts[place + 1] : end }
  }

  /// Readers that are kept. Their descriptors are let go when others need theirs.
  private static var mostKept: Int { 32 }

  /// - Parameters:
  ///   - firsts: the first records of the segments before the newest.
  ///   - end: that of the newest.
  ///   - removed: the first record that was not removed from the log.
  ///   - path: the log's, for errors.
  ///   - removedNow: the first record that was not removed by now, where another process may remove some.
  ///   - strays: the first records of files that are called like segments and lie within others. O(segments).
  init(
    _ firsts: [Int], end: Int, removed: Int, path: String, removedNow: @escaping @Sendable () -> Int,
    strays: @escaping @Sendable () throws(ImmutaError) -> [Int], open: @escaping Opener
  ) {
    state = Lock(State(firsts: firsts, end: end, removed: removed))
    self.open = open
    self.path = path
    self.removedNow = removedNow
    self.strays = strays
  }

  /// The first record that was not removed.
  var firstSequence: Int { state.withLock { $0.removed } }

  /// The first records of the segments, and where the last of them ends.
  var list: (firsts: [Int], end: Int) { state.withLock { ($0.firsts, $0.end) } }

  /// The reader of the segment that has a record which is not in the newest.
  ///
  /// - Throws: `.recordRemoved`; `.corrupted` where the record's segment is missing, or is not what its name says.
  func reader(of number: Int) throws(ImmutaError) -> LogReader {
    let (known, first, end, removed) = state.withLock { state -> (LogReader?, Int?, Int, Int) in
      guard number >= state.removed, let place = state.place(of: number) else { return (nil, nil, 0, state.removed) }
      let first = state.firsts[place]
      guard let position = state.readers.lastIndex(where: { $0.first == first }) else {
        return (nil, first, state.end(at: place), state.removed)
      }
      let known = state.readers.remove(at: position)
      state.readers.append(known)
      return (known, first, state.end(at: place), state.removed)
    }
    if number < removed { throw .recordRemoved(sequence: number, first: removed) }
    guard let first else {
      let (firsts, end) = list
      throw missing(removed..<(firsts.first ?? end))
    }
    let reader: LogReader
    if let known {
      reader = known
    } else {
      do throws(ImmutaError) {
        guard let opened = try openPlaced(first, end) else { return try self.reader(of: number) }
        reader = keep(opened)
      } catch {
        // It may have been removed meanwhile.
        noteRemoved()
        let removed = firstSequence
        if number < removed { throw .recordRemoved(sequence: number, first: removed) }
        throw error
      }
    }
    if number >= reader.count { throw missing(reader.count..<end) }
    return reader
  }

  /// Nil where files were left out that do not belong to the log: then the record is looked for again.
  private func openPlaced(_ first: Int, _ end: Int) throws(ImmutaError) -> LogReader? {
    if let reader = try open(first, end, false) { return reader }
    // It, or the one after it, may have come from elsewhere: its records must not get the numbers of others.
    if try leaveOutStrays() { return nil }
    guard let reader = try open(first, end, true) else {
      preconditionFailure("a segment is opened, or it is said why not")
    }
    return reader
  }

  /// Looks, once, for files that do not belong to the log; false where there are none.
  private func leaveOutStrays() throws(ImmutaError) -> Bool {
    let hasLooked = state.withLock { state in
      defer { state.hasLookedForStrays = true }
      return state.hasLookedForStrays
    }
    if hasLooked { return false }
    let strays = Set(try strays())
    return state.withLock { state in
      let count = state.firsts.count
      state.firsts.removeAll { strays.contains($0) }
      state.readers.removeAll { strays.contains($0.first) }
      return state.firsts.count < count
    }
  }

  private func missing(_ numbers: Range<Int>) -> ImmutaError { .corrupted(.missing(numbers, of: path)) }

  private func keep(_ reader: LogReader) -> LogReader {
    let (kept, dropped) = state.withLock { state -> (LogReader, LogReader?) in
      // Another caller may have been faster.
      if let known = state.readers.last(where: { $0.first == reader.first }) { return (known, reader) }
      if state.isClosed { return (reader, nil) }
      state.readers.append(reader)
      return (reader, state.readers.count > Self.mostKept ? state.readers.removeFirst() : nil)
    }
    _ = dropped
    return kept
  }

  // MARK: Changes

  /// The newest segment was sealed: the next one begins with record `end`.
  func add(_ reader: LogReader, end: Int) {
    state.withLock { state in
      precondition(reader.first == state.end, "segments follow each other")
      state.firsts.append(reader.first)
      state.end = end
      state.readers.append(reader)
      if state.readers.count > Self.mostKept { state.readers.removeFirst() }
    }
  }

  /// Closes the segment's files; the next read opens them again.
  func forget(_ first: Int) {
    state.withLock { $0.readers.removeAll { $0.first == first } }
  }

  /// Takes note of segments that another process removed.
  func noteRemoved() {
    // The newest segment is never removed, whatever the files say.
    let removed = min(removedNow(), list.end)
    if removed > firstSequence { _ = remove(before: removed) }
  }

  /// The records before a segment's first were removed. Returns the first records of the segments that have gone.
  func remove(before removed: Int) -> [Int] {
    state.withLock { state in
      state.removed = max(state.removed, removed)
      let gone = state.firsts.prefix { $0 < removed }
      state.firsts.removeFirst(gone.count)
      state.readers.removeAll { $0.first < removed }
      return Array(gone)
    }
  }

  func close() {
    let readers = state.withLock { state in
      state.isClosed = true
      defer { state.readers = [] }
      return state.readers
    }
    for reader in readers { reader.letGo() }
  }
}

extension Corruption {
  /// A segment before the newest is missing, and with it these records.
  ///
  /// - Parameter path: the log's.
  static func missing(_ numbers: Range<Int>, of path: String) -> Corruption {
    Corruption(
      .segmentMissing, path: path, sequence: numbers.lowerBound,
      reason:
        "the segment with its records \(numbers.lowerBound) to \(numbers.upperBound - 1) is missing: put its files back from a "
        + "backup; the other records can be read")
  }
}
