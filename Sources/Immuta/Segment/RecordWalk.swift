/// Where a record lies, by its size field.
struct RecordPlace: Equatable {
  let number: Int
  /// Where its header begins.
  let index: Int
  /// Bytes of payload.
  let size: Int
  /// Where it ends, and the next one begins.
  let end: Int
}

/// Goes from record to record by their size fields. All code that looks for records without entries, or compares entries with the
/// log, uses this.
struct RecordWalk: Equatable {
  let format: LogFormat
  /// Number of the next record, and where it begins.
  private(set) var number: Int
  private(set) var index: Int
  /// Where the record before begins; 0 before the first.
  private(set) var lastIndex: Int

  /// Begins at the first record.
  init(_ format: LogFormat) {
    (self.format, number, index, lastIndex) = (format, 0, format.headerSize, 0)
  }

  /// Begins at a record whose place is known.
  init(_ format: LogFormat, number: Int, index: Int, lastIndex: Int = 0) {
    precondition(number >= 0 && index >= format.headerSize, "a record has a number, and lies after the header")
    (self.format, self.number, self.index, self.lastIndex) = (format, number, index, lastIndex)
  }

  /// Begins after a record.
  init(_ format: LogFormat, after place: RecordPlace) {
    self.init(format, number: place.number + 1, index: place.end, lastIndex: place.index)
  }

  /// The record that begins here; nil when none does that fits the file. Does not move.
  func place(in log: inout LogScanner) throws(ImmutaError) -> RecordPlace? {
    guard let size = try log.size(at: index) else { return nil }
    return RecordPlace(number: number, index: index, size: size, end: format.recordEnd(at: index, size: size))
  }

  /// Moves on to the record after one that begins here.
  mutating func pass(_ place: RecordPlace) {
    assert(place.number == number && place.index == index, "records are passed one after the other")
    (number, index, lastIndex) = (number + 1, place.end, place.index)
  }

  /// The record that begins here, which is passed; nil when none does that fits the file.
  mutating func next(in log: inout LogScanner) throws(ImmutaError) -> RecordPlace? {
    guard let place = try place(in: &log) else { return nil }
    pass(place)
    return place
  }

  /// Passes the records of no bytes as which a hole in the file reads, where one begins at `place`: a hole may claim any
  /// number of them, and all read the same. Not those from record `count` on. Returns whether it passed any; looks for a
  /// hole only now and then.
  mutating func skipHole(at place: RecordPlace, in log: borrowing LogScanner, below count: Int = .max) -> Bool {
    guard place.size == 0, LogScanner.isHoleDue(number) else { return false }
    let skipped = min(count - number, log.emptyRecords(inHoleAt: index))
    guard skipped > 1 else { return false }
    number += skipped
    index += skipped * format.recordHeaderSize
    lastIndex = index - format.recordHeaderSize
    return true
  }

  /// Whether the size fields lead, from the first record on, through as many as COUNT says to LAST INDEX, or, where the
  /// format has none, to the end of the file: then the log itself says where each of its records lies. O(records).
  static func leads(through header: LogHeader?, in log: inout LogScanner, _ format: LogFormat) throws(ImmutaError)
    -> Bool
  {
    guard let header, header.count > 0, header.count <= min(LogScanner.mostInHole, format.room(in: log.end)) else {
      return false
    }
    var walk = RecordWalk(format)
    while walk.number < header.count {
      if try walk.next(in: &log) == nil { return false }
    }
    if format.hasLastIndex { return !header.denies(lastIndex: walk.lastIndex) }
    // Reserved space reads as records of no bytes.
    return walk.index == log.end && walk.index > walk.lastIndex + format.recordHeaderSize
  }

  /// What a walk passed.
  struct Passed: Equatable {
    /// Records up to the last that has bytes. Space that was reserved reads as records of no bytes.
    var countWithBytes: Int
    /// Records up to the one that begins where one was looked for; nil when none does.
    var countThroughPlace: Int?
  }

  /// Goes as far as the size fields lead, or up to record `count`.
  ///
  /// - Parameter wanted: where a record is looked for.
  mutating func run(
    in log: inout LogScanner, below count: Int = .max, lookingFor wanted: Int? = nil
  ) throws(ImmutaError) -> Passed {
    var passed = Passed(countWithBytes: number)
    while number < count, let place = try place(in: &log) {
      if skipHole(at: place, in: log, below: count) {
        if let wanted, place.index..<index ~= wanted, (wanted - place.index) % format.recordHeaderSize == 0 {
          passed.countThroughPlace = place.number + (wanted - place.index) / format.recordHeaderSize + 1
        }
        continue
      }
      pass(place)
      if place.size > 0 { passed.countWithBytes = number }
      if place.index == wanted { passed.countThroughPlace = number }
    }
    return passed
  }
}
