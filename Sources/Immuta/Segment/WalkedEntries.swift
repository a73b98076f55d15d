import ImmutaLocking
import Synchronization

/// The entries of a log that is open for reading only, where no companion has them: whenever they are asked for, they
/// are made from the log's bytes.
///
/// Nothing is kept for each record. The marks tell where some of them begin, and the size fields lead on from there: some
/// hundred steps at most, until a log has a hundred million records. Each reading goes on to the mark after, so that bytes
/// which are not what they were when the log was opened are not taken for records. But whoever compares a record with what
/// it was before must have kept its entry: one that is made later fits whatever the bytes are then.
///
/// The first entries may be the companion's as they are, and others, too, where they fit the places that the size fields
/// lead to.
final class WalkedEntries: Sendable {
  private struct State {
    var marks: EntryMarks
    var count: Int
    /// Where the last record ends.
    var end: Int
    var madeCount: Int
    var companion: Known
  }

  /// A companion whose entries are taken where they fit.
  struct Known {
    var file: Descriptor?
    /// Not those from this record on.
    var below: Int
  }

  /// A record that the size fields lead to.
  private struct Place {
    var number: Int
    var index: Int
    /// Of the record before.
    var time: Int64
  }

  private let log: Descriptor
  private let format: LogFormat
  private let state: Lock<State>
  /// So many of the first entries are those of a companion, whole or not.
  private let kept: Int
  private let keptFile: Descriptor?
  /// Relaxed: it is set before the error is thrown, and asked by those who were told of the error.
  private let contradicted = Atomic(false)

  /// Bytes that are read at once.
  private static var bufferSize: Int { 64 << 10 }

  /// - Parameters:
  ///   - kept: so many of the first entries are those of `keptFile`.
  ///   - marks: of records from `kept` on; the first is that one's, if it exists.
  init(
    _ log: Descriptor, _ format: LogFormat, kept: Int, of keptFile: Descriptor?, marks: EntryMarks = EntryMarks(),
    count: Int, end: Int, madeCount: Int, companion: Known
  ) {
    self.log = log
    self.format = format
    self.kept = kept
    self.keptFile = keptFile
    state = Lock(State(marks: marks, count: count, end: end, madeCount: madeCount, companion: companion))
  }

  var count: Int { state.withLock { $0.count } }

  /// Where the last record ends.
  var end: Int { state.withLock { $0.end } }

  /// How many of them were made from the log's bytes.
  var madeCount: Int { state.withLock { $0.madeCount } }

  // MARK: Reading

  /// Fills `target` with the entries from number `first` on; returns how many it filled. Not more than one where more
  /// than a chunk of the log would have to be read for them. O(bytes of their records).
  func read(_ target: UnsafeMutableRawBufferPointer, from first: Int) throws(ImmutaError) -> Int {
    let most = target.count / CompanionEntry.size
    if first < kept { return try unsafe readKept(target, from: first, count: min(most, kept - first)) }
    var filled = 0
    try walk(from: first, most: most) { (scanner, place, size, known) throws(ImmutaError) in
      let entry: CompanionEntry
      if let known { entry = known } else { entry = try made(&scanner, place, size) }
      let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: target[(filled * CompanionEntry.size)...])
      unsafe entry.encode(into: rest, number: place.number)
      filled += 1
    }
    return filled
  }

  /// When a record was committed; nil where its entry is damaged. O(1): no bytes of it but its size field are read.
  func time(of number: Int) throws(ImmutaError) -> Int64? {
    if number < kept { return try keptFile?.companionEntry(number)?.time }
    var time: Int64?
    try walk(from: number, most: 1) { _, place, _, known in time = known?.time ?? place.time }
    return time
  }

  /// The number of the first of the last records before a number that have no more than so many bytes together; there is
  /// one at least. O(`most`).
  func firstOfLast(_ most: Int, before count: Int, bytes: Int) throws(ImmutaError) -> Int {
    let lower = max(kept, count - most)
    if lower >= count { return max(0, count - most) }
    var places: [Int] = []
    var end = 0
    try walk(from: lower, most: count - lower, bytes: .max) { _, place, size, _ in
      places.append(place.index)
      end = place.index + format.recordHeaderSize + size
    }
    let skipped = places.dropLast().prefix { end - $0 > bytes }.count
    return skipped == 0 && lower == kept ? max(0, count - most) : lower + skipped
  }

  private func readKept(
    _ target: UnsafeMutableRawBufferPointer, from first: Int, count: Int
  ) throws(ImmutaError) -> Int {
    let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: target[..<(count * CompanionEntry.size)])
    let offset = CompanionHeader.size + first * CompanionEntry.size
    let filled = try unsafe io(keptFile?.read(into: bytes, at: offset) ?? 0)
    // What the file has not is damaged.
    for position in filled..<bytes.count { unsafe bytes[position] = 0 }
    return count
  }

  /// What a reading goes by.
  private struct Route {
    /// Not after the first record that is wanted. At the end there is one after the last that is wanted, or the end of the
    /// last record.
    var marks: ArraySlice<EntryMarks.Mark>
    /// Not from this record on.
    var count: Int
    var end: Int
    var companion: Known
  }

  private func route(from first: Int, most: Int) -> Route? {
    state.withLock { state in
      let count = min(state.count, first + most)
      guard first < count, let position = state.marks.position(before: first) else { return nil }
      let known = state.marks.marks
      // A growth that nobody has taken yet has marks after the last record.
      let after = (state.marks.position(before: count - 1) ?? position) + 1
      var marks = Array(known[position..<after])
      if after < known.count, known[after].number < state.count {
        marks.append(known[after])
      } else {
        marks.append(EntryMarks.Mark(number: state.count, index: state.end, time: 0))
      }
      return Route(marks: marks[...], count: count, end: state.end, companion: state.companion)
    }
  }

  /// Calls `body` for records from `first` on: their places, their payloads' sizes, and the entries that a companion has.
  ///
  /// - Parameter bytes: ends before a record other than the first that ends farther than so many bytes after it begins.
  private func walk(
    from first: Int, most: Int, bytes: Int = Chunk.size,
    _ body: (inout LogScanner, Place, Int, CompanionEntry?) throws(ImmutaError) -> Void
  ) throws(ImmutaError) {
    guard let route = route(from: first, most: most), let begin = route.marks.first else { return }
    var scanner = LogScanner(log, format, end: route.end, bufferSize: Self.bufferSize)
    var companion = try CompanionScanner.ifThere(route.companion.file)
    var marks = route.marks
    var place = Place(number: begin.number, index: begin.index, time: begin.time)
    var start = 0
    var isDone = false
    while let mark = marks.first {
      let isMark = place.number == mark.number
      if isMark {
        guard place.index == mark.index else { throw changed(place) }
        marks.removeFirst()
        if mark.trace == nil { return }
      }
      guard let size = try scanner.size(at: place.index) else { throw changed(place) }
      let end = place.index + format.recordHeaderSize + size
      if isMark {
        guard try scanner.trace(at: place.index, size: size) == mark.trace else { throw changed(place) }
        if isDone || place.number >= route.count { return }
        place.time = mark.time
      }
      if place.number == first { start = place.index }
      if place.number >= route.count || (place.number > first && end - start > bytes) { isDone = true }
      var known = place.number < route.companion.below ? try companion?.entry(place.number) : nil
      if let found = known, found.index != place.index { known = nil }
      if place.number >= first, !isDone { try body(&scanner, place, size, known) }
      place = Place(number: place.number + 1, index: end, time: known?.time ?? place.time)
    }
  }

  private func made(_ scanner: inout LogScanner, _ place: Place, _ size: Int) throws(ImmutaError) -> CompanionEntry {
    guard let entry = try scanner.madeEntry(at: place.index, size: size, time: place.time) else { throw changed(place) }
    return entry
  }

  /// Whether the log was found not to be what the marks were made of: then it must be opened again, also where it looks as
  /// it did.
  var isContradicted: Bool { contradicted.load(ordering: .relaxed) }

  /// A record that was read before is not in the log any more.
  func contradict() { contradicted.store(true, ordering: .relaxed) }

  private func changed(_ place: Place) -> ImmutaError {
    contradict()
    return .corrupted(
      Corruption(
        path: log.path, sequence: place.number, index: place.index,
        reason: "the log is not what it was when it was opened: somebody is changing the file"))
  }

  // MARK: Growing

  /// Records that were found after those that are known.
  struct Growth {
    var count: Int
    var end: Int
    /// Of the last record.
    var time: Int64
    var lastIndex = 0
    var madeCount = 0
    /// Whether one of them has no entry in the companion.
    var lacksEntries = false
    fileprivate var companion: Descriptor?
  }

  /// Finds the records that follow those that are known. Nobody reads them before they are taken. One at a time.
  ///
  /// - Parameters:
  ///   - status: the log's: records are looked for as far as the file reaches.
  ///   - count: how many there are; nil for all that are whole.
  ///   - companion: what may tell of them.
  ///   - needsEntries: whether it must.
  ///   - time: of the last record that is known.
  /// - Returns: nil when they are not there; none where so many are known.
  func growth(
    _ status: SystemCalls.Status, through count: Int?, _ companion: Descriptor?, needsEntries: Bool = false,
    after time: Int64
  ) throws(ImmutaError) -> Growth? {
    let (known, end) = state.withLock { ($0.count, $0.end) }
    var isWhole = false
    defer { if !isWhole { state.withLock { $0.marks.cut(to: known) } } }
    var growth = Growth(count: known, end: end, time: time, companion: companion)
    var scanner = LogScanner(log, format, end: status.size)
    var entries = try CompanionScanner.ifThere(companion)
    var next = state.withLock { $0.marks.next }
    while growth.count < count ?? .max {
      guard let size = try scanner.size(at: growth.end) else {
        if count != nil { return nil }
        break
      }
      let end = growth.end + format.recordHeaderSize + size
      // Where its time is not what the record before says.
      var isStep = false
      if let entry = try entries?.entry(growth.count), entry.index == growth.end {
        growth.time = entry.time
        if entry.isMade { growth.madeCount += 1 }
      } else if needsEntries {
        return nil
      } else if try scanner.bearsItsChecksum(at: growth.end, size: size) {
        isStep = status.modified > growth.time
        growth.time = max(growth.time, status.modified)
        growth.lacksEntries = true
        if !format.hasPayloadChecksum { growth.madeCount += 1 }
      } else if end < status.size {
        throw .corrupted(
          Corruption(
            path: log.path, sequence: growth.count, index: growth.end,
            reason: "its payload does not have its checksum"))
      } else {
        // Perhaps it is being written.
        break
      }
      if isStep || growth.count >= next.number || growth.end >= next.index {
        let mark = EntryMarks.Mark(
          number: growth.count, index: growth.end, time: growth.time,
          trace: try scanner.trace(at: growth.end, size: size))
        next = state.withLock { state in
          state.marks.append(mark)
          return state.marks.next
        }
      }
      growth.lastIndex = growth.end
      growth.end = end
      growth.count += 1
    }
    if growth.count == known, count == nil { return nil }
    isWhole = true
    return growth
  }

  /// Takes the records that were found.
  func take(_ growth: Growth) {
    state.withLock { state in
      (state.count, state.end) = (growth.count, growth.end)
      state.madeCount += growth.madeCount
      if let companion = growth.companion { state.companion = Known(file: companion, below: .max) }
    }
  }
}
