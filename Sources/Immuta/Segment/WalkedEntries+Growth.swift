import ImmutaLocking

// Records that are found after the known ones.
extension WalkedEntries {
  struct Growth {
    var count: Int
    var end: Int
    /// Of the last record.
    var time: Int64
    var lastIndex = 0
    var madeCount = 0
    /// Whether one of them has no entry in the companion.
    var lacksEntries = false
    /// Which of them had entries in a companion when they were found.
    fileprivate var known: [Range<Int>] = []
    fileprivate var companion: Descriptor?
    /// How many records were known before.
    fileprivate let before: Int

    init(after count: Int, end: Int, time: Int64, companion: Descriptor? = nil) {
      (self.count, self.end, self.time, self.companion, before) = (count, end, time, companion, count)
    }

    /// If entries are missing again and again, the companion is not used any more, so that little has to be remembered about it.
    private static var mostGaps: Int { 64 }

    var asksCompanion: Bool { known.count <= Self.mostGaps }

    fileprivate mutating func noteEntry(of number: Int) {
      if let last = known.last, last.upperBound == number {
        known[known.count - 1] = last.lowerBound..<number + 1
      } else {
        known.append(number..<number + 1)
      }
    }

    fileprivate mutating func pass(_ place: RecordPlace) {
      (count, end, lastIndex) = (place.number + 1, place.end, place.index)
    }
  }

  /// Finds the records after the known ones. Nobody reads them before they are taken. One caller at a time.
  ///
  /// - Parameters:
  ///   - status: the log's: records are looked for as far as the file reaches.
  ///   - count: how many there are; nil for all that are whole.
  ///   - companion: may have their entries.
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
    var growth = Growth(after: known, end: end, time: time, companion: companion)
    var scanner = LogScanner(log, format, end: status.size)
    var entries = try CompanionScanner.ofFile(companion)
    var walk = RecordWalk(format, number: known, index: end)
    while growth.count < count ?? .max {
      guard let place = try walk.place(in: &scanner) else {
        if count != nil { return nil }
        break
      }
      // Whether its time does not follow from the record before.
      var isStep = false
      if growth.asksCompanion, let entry = try entries?.entry(place.number), entry.index == place.index {
        growth.time = entry.time
        growth.noteEntry(of: place.number)
        if entry.isMade { growth.madeCount += 1 }
      } else if needsEntries {
        return nil
      } else if try scanner.bearsItsChecksum(at: place.index, size: place.size) {
        isStep = status.modified > growth.time
        growth.time = max(growth.time, status.modified)
        growth.lacksEntries = true
        if !format.hasPayloadChecksum { growth.madeCount += 1 }
      } else if place.end < status.size {
        throw .corrupted(
          Corruption(
            .checksum, path: log.path, sequence: place.number, index: place.index,
            reason: "its payload does not have its checksum"))
      } else {
        // Perhaps it is being written.
        break
      }
      if isStep || state.withLock({ $0.marks.isDue(place) }) {
        let mark = EntryMarks.Mark(
          place, time: growth.time, trace: try scanner.trace(at: place.index, size: place.size))
        state.withLock { $0.marks.append(mark) }
      }
      walk.pass(place)
      growth.pass(place)
    }
    if growth.count == known, count == nil { return nil }
    isWhole = true
    return growth
  }

  /// Takes the records that were found. The companion is used only for records that it had an entry of; known records keep their
  /// entries.
  func take(_ growth: Growth) {
    state.withLock { state in
      precondition(growth.before == state.count && growth.count >= state.count, "records are found one after the other")
      (state.count, state.end) = (growth.count, growth.end)
      state.madeCount += growth.madeCount
      guard let companion = growth.companion else { return }
      for numbers in growth.known { state.note(Known(file: companion, numbers: numbers)) }
    }
  }
}

extension WalkedEntries.State {
  /// A file that is the same as the one before is held once.
  fileprivate mutating func note(_ known: WalkedEntries.Known) {
    let last = companions.last
    guard let last, let lastFile = last.file, let file = known.file, file.isSameFile(as: lastFile) else {
      return companions.append(known)
    }
    if last.numbers.upperBound == known.numbers.lowerBound {
      companions[companions.count - 1].numbers = last.numbers.lowerBound..<known.numbers.upperBound
    } else {
      companions.append(WalkedEntries.Known(file: lastFile, numbers: known.numbers))
    }
  }
}

extension Descriptor {
  /// Whether both are open on one file; false where that cannot be found out.
  fileprivate func isSameFile(as other: Descriptor) -> Bool {
    if self === other { return true }
    guard let (one, two) = try? (status().identity, other.status().identity) else { return false }
    return one == two
  }
}
