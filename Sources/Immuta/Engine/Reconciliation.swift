/// Finds out what a log holds, from its own header, its companion and its bytes. Changes nothing.
///
/// - A log that was closed is taken at its word: O(1), whatever its size.
/// - A log that another program extended since has entries made for the new records.
/// - A companion that is missing, short or damaged is made again from the log; the checksums that are whole are kept.
/// - After a crash the longest run of whole commits counts, from the last record known stable on.
struct Reconciliation: ~Copyable {
  private let descriptor: Descriptor
  private let format: LogFormat
  private let fileSize: Int
  /// Nil where the format has none: then the entries tell what was committed, and the file's end where there are none.
  private let header: LogHeader?
  private var log: LogScanner
  private var companion: CompanionScanner?
  private let companionHeader: CompanionHeader?
  /// Whether the companion's newest header may be lost: then more may have been stable than the one that is left says.
  /// A log that is open has written both.
  private let mayForgetStable: Bool
  /// Time given to records that no entry tells of.
  private let modified: Int64
  private let isSameBoot: Bool

  /// What was found.
  struct Outcome {
    var count: Int
    /// End of the last record.
    var end: Int
    var lastIndex: Int
    var lastTime: Int64
    /// The companion's first entries that can stay as they are.
    var kept: Int
    /// Entries to follow the kept ones.
    var made: [CompanionEntry] = []
    /// Records that COUNT tells of and a crash took back: they were never promised to be stable.
    var lost = 0
    /// Whether the log was closed, and nothing has happened to it since.
    var isClean = false
    /// Whether what is cut off may be another program's records, or stable ones, of which a copy must be kept.
    var savesTail = false
    /// Where those end, if that is known.
    var tailEnd: Int?
    /// Whether the companion must be made anew rather than extended.
    var needsNewCompanion = false

    /// What to tell people, if anything.
    var note: String?
    /// Damage that was passed over: the records it is in throw when they are read.
    var damage: Corruption?
  }

  private struct Cursor {
    /// Number of the next record, and where it begins.
    var number: Int
    var index: Int
    /// Of the record before.
    var lastIndex = 0
    var lastTime: Int64 = 0
  }

  init(
    log descriptor: Descriptor, companion companionDescriptor: Descriptor?, format: LogFormat
  ) throws(ImmutaError) {
    let status = try descriptor.status()
    guard status.size >= format.headerSize else {
      throw .corrupted(
        Corruption(
          path: descriptor.path,
          reason: "not a log: \(status.size) bytes are less than the header's \(format.headerSize)"))
    }
    let header = try descriptor.logHeader(format)
    var found = try companionDescriptor?.companionHeader()
    let hasBothHeaders = try companionDescriptor?.hasBothCompanionHeaders() ?? true
    companion = try Self.scanner(of: companionDescriptor)

    self.descriptor = descriptor
    self.format = format
    fileSize = status.size
    modified = status.modified
    self.header = header
    log = LogScanner(descriptor, format, end: status.size)
    // A companion of another format describes another log.
    if found?.format != format { found = nil }
    companionHeader = found
    mayForgetStable = !hasBothHeaders
    isSameBoot = BootIdentity.current != 0 && found?.bootIdentity == BootIdentity.current
  }

  private static func scanner(of companion: Descriptor?) throws(ImmutaError) -> CompanionScanner? {
    guard let companion else { return nil }
    return try CompanionScanner(companion)
  }

  private var path: String { descriptor.path }

  /// The codec chain's name that the companion remembers; nil when there is no companion to remember it.
  var codecName: String? { companionHeader?.codecName }

  mutating func run() throws(ImmutaError) -> Outcome {
    do throws(ImmutaError) {
      return try found()
    } catch .corrupted(var damage) {
      // Nothing but the file's bytes said that this is v2.
      if format == .v2, companionHeader == nil, try LogFormat.mayBeUnclosedFirst(descriptor) {
        damage.possibleFormat = .v1
      }
      throw .corrupted(damage)
    }
  }

  private mutating func found() throws(ImmutaError) -> Outcome {
    // After a crash the header may be newer than the file's size, or older than its records: the companion decides
    // then.
    if !isCrashed, let contradiction = header?.contradiction(format: format, fileSize: fileSize) {
      throw corrupted("not a log, or its header is damaged: \(contradiction)")
    }
    guard let companionHeader else {
      var outcome = try extended(from: start, through: header?.count, keepingEntries: true)
      outcome.needsNewCompanion = true
      return outcome
    }
    return companionHeader.isClean
      ? try closed(promised: companionHeader.stableCount)
      : try crashed(stable: companionHeader.stableCount)
  }

  /// For those who only read: what can still be told from the companion of a log that `run` found damaged, or nil when
  /// it is not enough to go by. Each record is checked as it is read; those that are damaged throw.
  mutating func remains(after damage: Corruption) throws(ImmutaError) -> Outcome? {
    guard let companionHeader else { return nil }
    var count = companionHeader.stableCount
    if !companionHeader.isClean {
      var number = count
      while let entry = try companion?.entry(number) {
        number += 1
        if entry.endsCommit { count = number }
      }
    }
    // Records whose entries are damaged, or that another program appended, are records all the same.
    if let header, header.count > count, try isBorneOut(header, from: count) { count = header.count }
    guard count > 0 else { return nil }
    let last = try companion?.entry(count - 1)
    var outcome = Outcome(
      count: count, end: fileSize, lastIndex: last?.index ?? 0, lastTime: last?.time ?? 0, kept: count)
    outcome.damage = damage
    outcome.note = "damaged: \(damage.reason); reading what the companion tells of, \(count) records"
    return outcome
  }

  /// How many records there are to go by, where no companion tells and the header contradicts itself: as many as lead
  /// to LAST INDEX; or, if none do, those before the first of which COUNT and the size fields no longer agree. Space
  /// that was reserved reads as records of no bytes: such ones at the end are nobody's. Without a header, all that the
  /// size fields lead to.
  mutating func countByWalking() throws(ImmutaError) -> Int {
    var (number, index, count) = (0, format.headerSize, 0)
    while let size = try log.size(at: index) {
      number += 1
      if let lastIndex = header?.lastIndex, index == lastIndex { return number }
      if size > 0 || header == nil { count = number }
      index += format.recordHeaderSize + size
    }
    guard let header, header.contradiction(format: format, fileSize: fileSize) == nil else { return count }
    return min(count, header.count)
  }

  /// Whether COUNT and LAST INDEX tell of the same last record: by its entry, or by the size fields from a record on.
  private mutating func isBorneOut(_ header: LogHeader, from number: Int) throws(ImmutaError) -> Bool {
    if header.contradiction(format: format, fileSize: fileSize) != nil { return false }
    if let last = try companion?.entry(header.count - 1), !header.denies(lastIndex: last.index) { return true }
    var (number, index) = (number, format.headerSize)
    if number > 0 {
      guard let entry = try companion?.entry(number - 1), let size = try log.size(at: entry.index) else { return false }
      index = entry.index + format.recordHeaderSize + size
    }
    while number < header.count - 1, let size = try log.size(at: index) {
      index += format.recordHeaderSize + size
      number += 1
    }
    guard number == header.count - 1, let size = try log.size(at: index) else { return false }
    // Without LAST INDEX, reserved space, which a log that was closed has none of, looks like records of no bytes.
    return header.lastIndex.map { $0 == index }
      ?? (size > 0 || (!isCrashed && index + format.recordHeaderSize == fileSize))
  }

  /// Whether the companion says that the log was not closed.
  private var isCrashed: Bool { companionHeader.map { !$0.isClean } ?? false }

  private var start: Cursor { Cursor(number: 0, index: format.headerSize) }

  // MARK: A log that was closed

  private mutating func closed(promised: Int) throws(ImmutaError) -> Outcome {
    if let header, header.count < promised {
      throw corrupted("COUNT is \(header.count), but the log was closed with \(promised) records")
    }
    guard let cursor = try behind(promised) else {
      // The companion is short or damaged. What it still has is kept.
      var outcome = try extended(from: start, through: header?.count, keepingEntries: true)
      if outcome.count < promised {
        throw corrupted("it holds \(outcome.count) records, but was closed with \(promised)")
      }
      outcome.needsNewCompanion = true
      return outcome
    }
    if let header, header.count > promised {
      return try extended(from: cursor, through: header.count, keepingEntries: false)
    }
    // Without a COUNT, whatever is behind the last record is another program's.
    if header == nil, cursor.index < fileSize {
      return try extended(from: cursor, through: nil, keepingEntries: false)
    }
    if let header { try checkLastIndex(header, cursor.lastIndex, count: promised) }
    var outcome = outcome(at: cursor, kept: promised)
    outcome.isClean = cursor.index == fileSize
    return outcome
  }

  /// The place behind record `number - 1`, by that record's entry; nil when the entry is damaged.
  private mutating func behind(_ number: Int) throws(ImmutaError) -> Cursor? {
    if number == 0 { return start }
    guard let entry = try companion?.entry(number - 1), entry.index >= format.headerSize else { return nil }
    guard let size = try log.size(at: entry.index) else {
      throw corrupted(number - 1, entry.index, "its size field does not fit the file of \(fileSize) bytes")
    }
    let end = entry.index + format.recordHeaderSize + size
    // The end of a log that was closed is the end of its file. Where it isn't, only the checksum tells whether bytes
    // were added, or this size field is damaged.
    if end != fileSize, try log.checksum(at: entry.index, size: size) != entry.recordChecksum {
      throw corrupted(number - 1, entry.index, "it is not what was appended: its checksum does not match")
    }
    return Cursor(number: number, index: end, lastIndex: entry.index, lastTime: entry.time)
  }

  // MARK: Records without entries

  /// Walks from a cursor through record `count - 1` by the size fields, or, where that is nil, as far as they lead, and
  /// makes the entries that are missing.
  private mutating func extended(
    from start: Cursor, through count: Int?, keepingEntries: Bool
  ) throws(ImmutaError) -> Outcome {
    var cursor = start
    var made: [CompanionEntry] = []
    var missing = 0
    var damage: Corruption?
    while cursor.number < count ?? Int.max {
      guard let size = try log.size(at: cursor.index) else {
        guard let count else { break }
        throw corrupted(
          cursor.number, cursor.index,
          "\(header.map { "COUNT is \($0.count)" } ?? "there were \(count) records"), but no record that fits the file "
            + "of \(fileSize) bytes begins there")
      }
      let known = keepingEntries ? try companion?.entry(cursor.number) : nil
      if let known, known.index == cursor.index {
        cursor.lastTime = known.time
        made.append(known)
      } else {
        guard let checksum = try log.checksum(at: cursor.index, size: size) else {
          throw corrupted(cursor.number, cursor.index, "the log ends inside it")
        }
        let isSound = try log.bearsItsChecksum(at: cursor.index, size: size)
        if !isSound {
          let found = Corruption(
            path: path, sequence: cursor.number, index: cursor.index,
            reason: "it is not what was appended: its payload does not have its checksum")
          // Damage in a payload leaves the records behind it where they are. Where the size field may be what is
          // damaged, nobody knows where they are.
          guard try log.leadsToSoundRecord(from: cursor.index, size: size) else { throw .corrupted(found) }
          damage = damage ?? found
        }
        missing += 1
        cursor.lastTime = max(cursor.lastTime, modified)
        made.append(
          CompanionEntry(
            index: cursor.index, time: cursor.lastTime,
            recordChecksum: isSound ? checksum : CompanionEntry.denial(of: checksum)))
      }
      cursor.lastIndex = cursor.index
      cursor.index += format.recordHeaderSize + size
      cursor.number += 1
    }
    // A process that died between its two stores leaves LAST INDEX ahead; its companion then says that it was not
    // closed.
    if let header, count == header.count, !isCrashed {
      try checkLastIndex(header, cursor.lastIndex, count: header.count)
    }
    Self.orderTimes(&made)
    cursor.lastTime = max(start.lastTime, made.last?.time ?? 0)
    var outcome = outcome(at: cursor, kept: start.number)
    outcome.made = made
    outcome.damage = damage
    if missing > 0 { outcome.note = "made the companion's entries of \(missing) records from the log" }
    if let damage { outcome.note = (outcome.note.map { "\($0); " } ?? "") + "damaged: \(damage)" }
    if count == nil { try lookBehind(cursor.number, &outcome) }
    return outcome
  }

  /// What is behind the last record of a log without COUNT. Zeros are space that was reserved. A record that is cut off
  /// is one whose writer did not live to append all of it: it goes, and a copy is kept. Anything else is damage.
  private mutating func lookBehind(_ number: Int, _ outcome: inout Outcome) throws(ImmutaError) {
    let end = outcome.end
    if end == fileSize { return }
    if try log.isBlank(from: end) { return }
    if try !log.mayBeCutOff(at: end) {
      throw corrupted(number, end, "no record begins there, and it is not the beginning of one that was cut off")
    }
    if try log.hasWholeRecord(after: end) {
      throw corrupted(number, end, "its LENGTH does not fit the file, and it is not the last record")
    }
    outcome.savesTail = true
    let notes = [outcome.note, "the last \(fileSize - end) bytes are a record that was cut off, which is no record"]
    outcome.note = notes.compactMap(\.self).joined(separator: "; ")
  }

  private func checkLastIndex(_ header: LogHeader, _ found: Int, count: Int) throws(ImmutaError) {
    guard let lastIndex = header.lastIndex, lastIndex != found else { return }
    throw corrupted("LAST INDEX is \(lastIndex), but the last of its \(count) records begins at \(found)")
  }

  /// An entry made between kept ones must not be later than those behind it.
  private static func orderTimes(_ entries: inout [CompanionEntry]) {
    var latest = Int64.max
    for position in entries.indices.reversed() {
      entries[position].time = min(entries[position].time, latest)
      latest = entries[position].time
    }
  }

  // MARK: After a crash

  private mutating func crashed(stable: Int) throws(ImmutaError) -> Outcome {
    var kept: Outcome?
    let first: Cursor
    if let cursor = try behind(stable) {
      first = cursor
    } else {
      // Entries of stable records are damaged: those are made again, from the log.
      let outcome = try extended(from: start, through: stable, keepingEntries: true)
      first = Cursor(
        number: stable, index: outcome.end, lastIndex: outcome.lastIndex, lastTime: outcome.lastTime)
      kept = outcome
    }
    var savesTail = false
    var whole = first
    var cursor = first
    var run: [CompanionEntry] = []
    while let entry = try companion?.entry(cursor.number), entry.index == cursor.index,
      let size = try log.size(at: cursor.index),
      try log.checksum(at: cursor.index, size: size) == entry.recordChecksum
    {
      cursor = Cursor(
        number: cursor.number + 1, index: cursor.index + format.recordHeaderSize + size, lastIndex: cursor.index,
        lastTime: entry.time)
      if kept != nil { run.append(entry) }
      // Half a transaction is none.
      if entry.endsCommit { whole = cursor }
    }
    let claimed: Int
    if let header { claimed = header.count } else { claimed = try countByEntries(from: whole.number) }
    var tailEnd: Int?
    if header == nil, claimed == whole.number {
      tailEnd = try endOfUnclaimedRecords(from: whole)
      savesTail = tailEnd != nil
    }
    if whole.number < claimed {
      let foreign = try extendedByAnotherProgram(from: whole)
      if var foreign, isSameBoot {
        if let rebuilt = kept {
          foreign.made = rebuilt.made + run.prefix(whole.number - first.number) + foreign.made
          Self.orderTimes(&foreign.made)
          foreign.kept = 0
          foreign.needsNewCompanion = true
        }
        return foreign
      }
      savesTail = foreign != nil
      // After a failed flush the kernel may have let go of pages that never reached the device.
      if isSameBoot, companionHeader?.hasFailedFlush != true {
        throw corrupted(
          whole.number, whole.index,
          "it is not what was committed, and the machine has not been down since: this is damage, not a torn write")
      }
    }
    var outcome = outcome(at: whole, kept: whole.number)
    if var rebuilt = kept {
      rebuilt.made += run.prefix(whole.number - first.number)
      Self.orderTimes(&rebuilt.made)
      outcome.kept = 0
      outcome.made = rebuilt.made
      outcome.needsNewCompanion = true
    }
    // A header that is torn may say anything.
    let most = header == nil ? claimed : fileSize / format.recordHeaderSize
    outcome.lost = max(0, min(claimed, most) - whole.number)
    outcome.tailEnd = tailEnd
    outcome.savesTail = savesTail || (outcome.lost > 0 && mayForgetStable)
    outcome.note = note(outcome)
    return outcome
  }

  /// Another program may have appended after our crash, or this is a copy made while somebody wrote, its companion
  /// first: then there is no entry of what follows, and the size fields lead exactly to COUNT and LAST INDEX. After a
  /// restart of the machine that is no proof, as a torn write may look the same: then the records are cut off, for
  /// nobody promised that they were stable, but a copy is kept.
  private mutating func extendedByAnotherProgram(from cursor: Cursor) throws(ImmutaError) -> Outcome? {
    guard let header, let isBlank = try companion?.isBlank(cursor.number), isBlank else { return nil }
    let outcome: Outcome
    do throws(ImmutaError) {
      outcome = try extended(from: cursor, through: header.count, keepingEntries: false)
    } catch {
      if case .corrupted = error { return nil }
      throw error
    }
    if header.denies(lastIndex: outcome.lastIndex) { return nil }
    // Behind the last record of a log that was copied while somebody wrote it lies what was reserved or not committed
    // yet. Where no LAST INDEX bears COUNT out, the end of the file must; and reserved space looks like records of no
    // bytes.
    if format.hasLastIndex { return isSameBoot || outcome.end == fileSize ? outcome : nil }
    let isEmpty = outcome.end == outcome.lastIndex + format.recordHeaderSize
    return outcome.end == fileSize && !isEmpty ? outcome : nil
  }

  /// How many records the entries say were committed to a log without COUNT: an entry whose last field was stored was
  /// published, be it whole or damaged, but where more of its commit was to follow.
  private mutating func countByEntries(from number: Int) throws(ImmutaError) -> Int {
    var count = number
    for number in number..<max(number, companion?.count ?? 0) where try companion?.isStored(number) == true {
      if try companion?.entry(number)?.endsCommit ?? true { count = number + 1 }
    }
    return count
  }

  /// Where whole records end that are behind the last committed one of a log without COUNT; nil when there are none.
  /// They are what a transaction had staged when its process died, or another program's, or ours whose entries were
  /// lost: nobody can tell, so they are cut off, but a copy is kept.
  private mutating func endOfUnclaimedRecords(from cursor: Cursor) throws(ImmutaError) -> Int? {
    var (number, index) = (cursor.number, cursor.index)
    while let size = try log.size(at: index), try log.bearsItsChecksum(at: index, size: size) {
      index += format.recordHeaderSize + size
      number += 1
    }
    if index == cursor.index { return nil }
    // Where space is reserved ahead, the companion has room for the entries of whatever is staged.
    if isSameBoot, index < fileSize, companion?.count ?? 0 < number {
      throw corrupted(cursor.number, cursor.index, "the record is whole, but the companion ends before its entry")
    }
    return index
  }

  // MARK: Words

  private func outcome(at cursor: Cursor, kept: Int) -> Outcome {
    Outcome(
      count: cursor.number, end: cursor.index, lastIndex: cursor.lastIndex, lastTime: cursor.lastTime, kept: kept)
  }

  private func note(_ outcome: Outcome) -> String {
    if outcome.lost == 0 { return "was not closed; all \(outcome.count) records are whole" }
    let promise =
      mayForgetStable
      ? "of which the companion, damaged, does not tell whether they were promised to be stable"
      : "that were never promised to be stable"
    return "was not closed: cut off \(outcome.lost) torn records \(promise), \(outcome.count) are whole"
  }

  private func corrupted(_ number: Int? = nil, _ index: Int? = nil, _ reason: String) -> ImmutaError {
    .corrupted(Corruption(path: path, sequence: number, index: index, reason: reason))
  }

  private func corrupted(_ reason: String) -> ImmutaError {
    corrupted(nil, nil, reason)
  }
}
