import ImmutaLocking
import Synchronization

/// The entries of a log that is open for reading only, where no companion has them: whenever they are asked for, they
/// are made from the log's bytes.
///
/// Nothing is kept for each record. The marks say where some of them begin, and the size fields lead on from there: some hundred
/// steps at most, until a log has a hundred million records. Each reading goes on to the next mark, so that bytes which were
/// changed since the log was opened are not taken for records. But code that compares a record with its earlier state must have
/// kept its entry: an entry that is made later fits whatever the bytes are then.
///
/// The first entries may be the companion's as they are, and others, too, where they fit the places that the size fields lead to:
/// but only those that were found when their records were. If a record was known without the companion, a later entry of the
/// companion does not change that record's entry.
final class WalkedEntries: Sendable {
  struct State {
    var marks: EntryMarks
    var count: Int
    /// Where the last record ends.
    var end: Int
    var madeCount: Int
    /// In the order of their numbers.
    var companions: [Known]
  }

  /// A companion whose entries are taken where they fit.
  struct Known {
    var file: Descriptor?
    /// Of these records.
    var numbers: Range<Int>
  }

  let log: Descriptor
  let format: LogFormat
  /// Changed by followers of the log: see WalkedEntries+Growth.swift.
  let state: Lock<State>
  /// How many of the first entries come from a companion, whole or not.
  private let kept: Int
  private let keptFile: Descriptor?
  /// Relaxed: it is set before the error is thrown, and read by callers that got the error.
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
    precondition(kept <= count && madeCount <= count, "no more entries are kept or made than there are")
    self.log = log
    self.format = format
    self.kept = kept
    self.keptFile = keptFile
    // Of records that are found later, it is asked again.
    let known = Known(file: companion.file, numbers: companion.numbers.clamped(to: 0..<count))
    state = Lock(State(marks: marks, count: count, end: end, madeCount: madeCount, companions: [known]))
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
    try walk(from: first, most: most) { (scanner, place, time, known) throws(ImmutaError) in
      let entry: CompanionEntry
      if let known { entry = known } else { entry = try made(&scanner, place, time) }
      unsafe entry.encode(into: target.companionEntry(filled), number: place.number)
      filled += 1
    }
    return filled
  }

  /// When a record was committed; nil where its entry is damaged. O(1): no bytes of it but its size field are read.
  func time(of number: Int) throws(ImmutaError) -> Int64? {
    if number < kept { return try keptFile?.companionEntry(number)?.time }
    var time: Int64?
    try walk(from: number, most: 1) { _, _, found, known in time = known?.time ?? found }
    return time
  }

  /// The number of the first of the last records before a number that have no more than so many bytes together; there is
  /// one at least. O(`most`).
  func firstOfLast(_ most: Int, before count: Int, bytes: Int) throws(ImmutaError) -> Int {
    let lower = max(kept, count - most)
    if lower >= count { return max(0, count - most) }
    var places: [Int] = []
    var end = 0
    try walk(from: lower, most: count - lower, bytes: .max) { _, place, _, _ in
      places.append(place.index)
      end = place.end
    }
    let skipped = places.dropLast().prefix { end - $0 > bytes }.count
    return skipped == 0 && lower == kept ? max(0, count - most) : lower + skipped
  }

  private func readKept(
    _ target: UnsafeMutableRawBufferPointer, from first: Int, count: Int
  ) throws(ImmutaError) -> Int {
    let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: target[..<(count * CompanionEntry.size)])
    let offset = CompanionEntry.offset(of: first)
    let filled = try unsafe io(keptFile?.read(into: bytes, at: offset) ?? 0)
    // Entries that the file does not have count as damaged.
    for position in filled..<bytes.count { unsafe bytes[position] = 0 }
    return count
  }

  /// The route of a reading.
  private struct Route {
    /// Not after the first record that is wanted. At the end there is one after the last that is wanted, or the end of the
    /// last record.
    var marks: ArraySlice<EntryMarks.Mark>
    /// Not from this record on.
    var count: Int
    var end: Int
    var companions: [Known]
  }

  /// The entries that companions have of some of the records, asked for in order.
  private struct KnownEntries: ~Copyable {
    private var companions: ArraySlice<Known>
    private var scanner: CompanionScanner?

    init(_ companions: [Known]) { self.companions = companions[...] }

    /// The entry of a record, where a companion has one that fits its place.
    mutating func entry(of place: RecordPlace) throws(ImmutaError) -> CompanionEntry? {
      while let first = companions.first, first.numbers.upperBound <= place.number {
        companions.removeFirst()
        scanner = nil
      }
      guard let first = companions.first, first.numbers.contains(place.number) else { return nil }
      if scanner == nil { scanner = try CompanionScanner.ofFile(first.file) }
      guard let entry = try scanner?.entry(place.number), entry.index == place.index else { return nil }
      return entry
    }
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
      return Route(marks: marks[...], count: count, end: state.end, companions: state.companions)
    }
  }

  /// Calls `body` for records from `first` on: their places, when they were committed by what the one before or a mark
  /// says, and the entries that a companion has.
  ///
  /// - Parameter bytes: ends before a record other than the first that ends farther than so many bytes after it begins.
  private func walk(
    from first: Int, most: Int, bytes: Int = Chunk.size,
    _ body: (inout LogScanner, RecordPlace, _ time: Int64, CompanionEntry?) throws(ImmutaError) -> Void
  ) throws(ImmutaError) {
    guard let route = route(from: first, most: most), let begin = route.marks.first else { return }
    var scanner = LogScanner(log, format, end: route.end, bufferSize: Self.bufferSize)
    var companions = KnownEntries(route.companions)
    var marks = route.marks
    var walk = RecordWalk(format, number: begin.number, index: begin.index)
    var time = begin.time
    var start = 0
    var isDone = false
    while let mark = marks.first {
      let isMark = walk.number == mark.number
      if isMark {
        guard walk.index == mark.index else { throw changed(walk) }
        marks.removeFirst()
        if mark.trace == nil { return }
      }
      guard let place = try walk.place(in: &scanner) else { throw changed(walk) }
      if isMark {
        guard try scanner.trace(at: place.index, size: place.size) == mark.trace else { throw changed(walk) }
        if isDone || place.number >= route.count { return }
        time = mark.time
      }
      if place.number == first { start = place.index }
      if place.number >= route.count || (place.number > first && place.end - start > bytes) { isDone = true }
      let known = try companions.entry(of: place)
      if place.number >= first, !isDone { try body(&scanner, place, time, known) }
      time = known?.time ?? time
      walk.pass(place)
    }
  }

  private func made(
    _ scanner: inout LogScanner, _ place: RecordPlace, _ time: Int64
  ) throws(ImmutaError) -> CompanionEntry {
    guard let entry = try scanner.madeEntry(at: place.index, size: place.size, time: time) else {
      throw changed(RecordWalk(format, number: place.number, index: place.index))
    }
    return entry
  }

  /// Whether the log was found to contradict its marks: then it must be opened again, even if it looks unchanged.
  var isContradicted: Bool { contradicted.load(ordering: .relaxed) }

  /// A record that was read before is not in the log any more.
  func contradict() { contradicted.store(true, ordering: .relaxed) }

  private func changed(_ place: RecordWalk) -> ImmutaError {
    contradict()
    return .corrupted(
      Corruption(
        .changedMeanwhile, path: log.path, sequence: place.number, index: place.index,
        reason: "the log is not what it was when it was opened: somebody is changing the file"))
  }
}
