/// Finds out what a log holds, from its own header, its companion and its bytes. Changes nothing.
///
/// - A log that was closed is taken at its word: O(1), whatever its size.
/// - A log that another program extended since has entries made for the new records.
/// - A companion that is missing, short or damaged is made again from the log; the checksums that are whole are kept.
/// - After a crash the longest run of whole commits counts, from the last record known stable on.
struct Reconciliation: ~Copyable {
  let descriptor: Descriptor
  let companionDescriptor: Descriptor?
  let format: LogFormat
  let fileSize: Int
  /// Nil where the format has none: then the entries tell what was committed, and the file's end where there are none.
  let header: LogHeader?
  var log: LogScanner
  var companion: CompanionScanner?
  let companionHeader: CompanionHeader?
  /// Whether the companion's newest header may be lost: then more may have been stable than the one that is left says.
  /// A log that is open has written both.
  let mayForgetStable: Bool
  /// Time given to records that have no entry.
  let modified: Int64
  let isSameBoot: Bool
  let progress: ScanProgress?
  /// What tells whether the companion is this log's; nil where nothing can.
  private let origin: CompanionOrigin?

  struct Cursor {
    /// Number of the next record, and where it begins.
    var number: Int
    var index: Int
    /// Of the record before.
    var lastIndex = 0
    var lastTime: Int64 = 0
  }

  /// - Parameter slots: of the companion, where they were read before and cannot have changed since.
  init(
    log descriptor: Descriptor, companion companionDescriptor: Descriptor?, format: LogFormat,
    slots known: CompanionHeader.Slots? = nil, progress: ScanProgress? = nil
  ) throws(ImmutaError) {
    let status = try io(descriptor.status())
    guard status.size >= format.headerSize else {
      throw .corrupted(try Self.tooShort(descriptor, status.size, format, companionDescriptor))
    }
    let header = try descriptor.logHeader(format)
    var slots = known
    if slots == nil { slots = try companionDescriptor?.companionSlots() }
    var found = slots?.current
    let hasBothHeaders = slots.map { $0.whole.count == 2 } ?? true
    companion = try CompanionScanner.ifThere(companionDescriptor)

    self.descriptor = descriptor
    self.companionDescriptor = companionDescriptor
    self.format = format
    fileSize = status.size
    modified = status.modified
    self.header = header
    self.progress = progress
    log = LogScanner(descriptor, format, end: status.size, progress: progress)
    origin = companionDescriptor == nil ? nil : CompanionOrigin(found, header, room: companion?.count ?? 0, format)
    // A companion of another format describes another log.
    if found?.format != format { found = nil }
    companionHeader = found
    mayForgetStable = !hasBothHeaders
    isSameBoot = BootIdentity.current != 0 && found?.bootIdentity == BootIdentity.current
  }

  var path: String { descriptor.path }

  /// The codec chain's name that the companion remembers; nil when there is no companion to remember it.
  var codecName: String? { companionHeader?.codecName }

  mutating func run() throws(ImmutaError) -> Outcome {
    do throws(ImmutaError) {
      return try found()
    } catch .corrupted(var damage) {
      if try mayBeOfAnotherFormat() {
        damage.possibleFormat = .v1
      } else if try evidence() == .none {
        damage = try noLog()
      }
      throw .corrupted(damage)
    }
  }

  /// Whether nothing but the file's bytes said that this is v2, and it may be v1.
  func mayBeOfAnotherFormat() throws(ImmutaError) -> Bool {
    guard format == .v2, companionHeader == nil else { return false }
    return try LogFormat.mayBeFirst(descriptor)
  }

  private mutating func found() throws(ImmutaError) -> Outcome {
    if let companionDescriptor { try origin?.check(&log, &companion, (path, companionDescriptor.path)) }
    // After a crash the header may be newer than the file's size, or older than its records: the companion decides
    // then.
    if !isCrashed, let contradiction = header?.contradiction(format: format, fileSize: fileSize) {
      throw corrupted("its header is damaged: \(contradiction)")
    }
    guard let companionHeader else {
      var outcome = try extended(from: start, through: header?.count, keepingEntries: true)
      outcome.needsNewCompanion = true
      // Nobody says that these bytes were never promised: what is no reserved space is kept.
      if header != nil, outcome.end < fileSize, try !log.isBlank(from: outcome.end) {
        outcome.savesTail = true
        outcome.add(
          note:
            "has \(Words.bytes(fileSize - outcome.end)) after its last record that nothing tells of, which opening for "
            + "appending cuts off and keeps beside it")
      }
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
    // Whatever is promised, there is nothing to be had of records that neither file has room for.
    var count = min(companionHeader.stableCount, max(format.room(in: fileSize), companion?.count ?? 0))
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
    outcome.madeCount = madeCount(through: count)
    outcome.add(note: "is damaged: \(damage.reason); \(Words.records(count)) can be read, by what the companion tells")
    return outcome
  }

  /// How many records there are to go by, where no companion tells and the header contradicts the file: the most that
  /// LAST INDEX or COUNT may rightly claim, also where the size fields don't lead to the last of them, so that what is
  /// gone is known to be; and if neither claims any, as many as the size fields lead to. Space that was reserved reads
  /// as records of no bytes: such ones at the end are nobody's. Without a header, all that the size fields lead to.
  mutating func countByWalking() throws(ImmutaError) -> Int {
    let walk = try walked()
    guard header != nil else { return walk.number }
    return walk.told > 0 ? walk.told : walk.reach
  }

  /// What the size fields lead to: so many records, up to the last that has bytes, and where they end; and how many the
  /// header may rightly tell of, 0 for none.
  mutating func walked() throws(ImmutaError) -> (number: Int, reach: Int, end: Int, told: Int) {
    var (number, index, reach) = (0, format.headerSize, 0)
    var told = 0
    while let size = try log.size(at: index) {
      let skipped = size == 0 && LogScanner.isHoleDue(number) ? log.emptyRecords(inHoleAt: index) : 0
      if skipped > 1 {
        // All of them read the same.
        let end = index + skipped * format.recordHeaderSize
        if let lastIndex = header?.lastIndex, index..<end ~= lastIndex,
          (lastIndex - index) % format.recordHeaderSize == 0
        {
          told = number + (lastIndex - index) / format.recordHeaderSize + 1
        }
        (number, index) = (number + skipped, end)
        continue
      }
      number += 1
      if size > 0 { reach = number }
      if let lastIndex = header?.lastIndex, index == lastIndex { told = number }
      index += format.recordHeaderSize + size
    }
    guard let header else { return (number, reach, index, 0) }
    let isReached = header.count <= reach || (header.count == number && index == fileSize)
    if isReached || (header.count > number && mayBeRight(header)) { told = max(told, header.count) }
    return (number, reach, index, told)
  }

  /// Throws where a hole begins that claims more records of no bytes than any log has.
  private func checkHole(at cursor: Cursor, below count: Int) throws(ImmutaError) {
    let claimed = min(count - cursor.number, log.emptyRecords(inHoleAt: cursor.index))
    guard claimed > LogScanner.mostInHole else { return }
    throw corrupted(
      cursor.number, cursor.index,
      "the file has a hole there, which reads as \(claimed) records of no bytes: no program appended those")
  }

  /// Whether a COUNT that the size fields don't lead to may be right: because the rest was cut off, or a size field is
  /// damaged. Where LAST INDEX says how long the log was, so many records must have had room.
  private func mayBeRight(_ header: LogHeader) -> Bool {
    guard let lastIndex = header.lastIndex else { return header.count <= Self.largestUnprovenCount }
    let end = lastIndex <= LogFormat.largestPayload ? max(fileSize, lastIndex + format.recordHeaderSize) : fileSize
    return header.count <= (end - format.headerSize) / format.recordHeaderSize
  }

  /// More records than this no log has.
  private static var largestUnprovenCount: Int { 1 << 40 }

  /// Whether COUNT and LAST INDEX name the same last record: by its entry, or by the size fields from a record on.
  private mutating func isBorneOut(_ header: LogHeader, from number: Int) throws(ImmutaError) -> Bool {
    if header.contradiction(format: format, fileSize: fileSize) != nil { return false }
    if let last = try companion?.entry(header.count - 1), !header.denies(lastIndex: last.index) { return true }
    var (number, index) = (number, format.headerSize)
    if number > 0 {
      guard let entry = try companion?.entry(number - 1), let size = try log.size(at: entry.index) else { return false }
      index = entry.index + format.recordHeaderSize + size
    }
    while number < header.count - 1, let size = try log.size(at: index) {
      if size == 0, LogScanner.isHoleDue(number) {
        let skipped = min(header.count - 1 - number, log.emptyRecords(inHoleAt: index))
        if skipped > 1 {
          (number, index) = (number + skipped, index + skipped * format.recordHeaderSize)
          continue
        }
      }
      index += format.recordHeaderSize + size
      number += 1
    }
    guard number == header.count - 1, let size = try log.size(at: index) else { return false }
    // Without LAST INDEX, reserved space, which a log that was closed has none of, looks like records of no bytes.
    return header.lastIndex.map { $0 == index }
      ?? (size > 0 || (!isCrashed && index + format.recordHeaderSize == fileSize))
  }

  /// Whether the companion says that the log was not closed.
  var isCrashed: Bool { companionHeader.map { !$0.isClean } ?? false }

  var start: Cursor { Cursor(number: 0, index: format.headerSize) }

  // MARK: A log that was closed

  private mutating func closed(promised: Int) throws(ImmutaError) -> Outcome {
    if let header, header.count < promised {
      throw corrupted("COUNT is \(header.count), but the log was closed with \(Words.records(promised))")
    }
    guard let cursor = try behind(promised) else {
      // The companion is short or damaged. What it still has is kept.
      var outcome = try extended(from: start, through: header?.count, keepingEntries: true)
      if outcome.count < promised {
        throw corrupted("it holds \(Words.records(outcome.count)), but was closed with \(promised)")
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
    outcome.madeCount = madeCount(through: promised)
    return outcome
  }

  /// The place behind record `number - 1`, by that record's entry; nil when the entry is damaged.
  mutating func behind(_ number: Int) throws(ImmutaError) -> Cursor? {
    if number == 0 { return start }
    guard let entry = try companion?.entry(number - 1), entry.index >= format.leastIndex(of: number - 1) else {
      return nil
    }
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
  /// finds out which entries are missing. They are made when somebody asks for them: a log may have more than fit in
  /// memory.
  mutating func extended(
    from start: Cursor, through count: Int?, keepingEntries: Bool
  ) throws(ImmutaError) -> Outcome {
    progress?.beginPass()
    var cursor = start
    var madeBefore = start.number > 0 ? madeCount(through: start.number) : 0
    var missing = 0
    var damage: Corruption?
    while cursor.number < count ?? Int.max {
      guard let size = try log.size(at: cursor.index) else {
        guard let count else { break }
        throw corrupted(
          cursor.number, cursor.index,
          "\(header.map { "COUNT is \($0.count)" } ?? "there were \(Words.records(count))"), but no record that fits the file "
            + "of \(fileSize) bytes begins there")
      }
      if size == 0, LogScanner.isHoleDue(cursor.number) { try checkHole(at: cursor, below: count ?? .max) }
      let known = keepingEntries ? try companion?.entry(cursor.number) : nil
      if let known, known.index == cursor.index {
        cursor.lastTime = known.time
        if known.isMade { madeBefore += 1 }
      } else {
        if try !log.bearsItsChecksum(at: cursor.index, size: size) {
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
    cursor.lastTime = max(start.lastTime, cursor.lastTime)
    var outcome = outcome(at: cursor, kept: start.number)
    outcome.making = Outcome.Making(start: start, keptBelow: keepingEntries ? .max : 0)
    outcome.madeCount = madeBefore + (format.hasPayloadChecksum ? 0 : missing)
    outcome.damage = damage
    // Another program makes none.
    if missing > 0, companionHeader != nil {
      outcome.add(note: "lacked the companion entries of \(Words.records(missing)); they were made from its bytes")
    }
    if let damage { outcome.add(note: "is damaged: \(damage)") }
    if count == nil { try lookBehind(cursor.number, &outcome) }
    return outcome
  }

  /// How many of the first entries were made from the log's bytes, by the companion's word.
  func madeCount(through number: Int) -> Int { min(number, companionHeader?.madeCount ?? 0) }

  /// What is behind the last record of a log without COUNT. Zeros are space that was reserved. A record that is cut off
  /// is one whose writer did not live to append all of it: it goes, and a copy is kept. Anything else is damage.
  private mutating func lookBehind(_ number: Int, _ outcome: inout Outcome) throws(ImmutaError) {
    let end = outcome.end
    if end == fileSize { return }
    // Less than a LENGTH may be the beginning of one.
    if fileSize - end >= MemoryLayout<Int64>.size, try log.isBlank(from: end) {
      if companionHeader == nil { outcome.add(note: "ends in \(fileSize - end) zeros, which are no record") }
      return
    }
    if try !log.mayBeCutOff(at: end) {
      throw corrupted(number, end, "no record begins there, and it is not the beginning of one that was cut off")
    }
    if try log.hasWholeRecord(after: end) {
      throw corrupted(number, end, "its LENGTH does not fit the file, and it is not the last record")
    }
    let payload = fileSize - end - format.recordHeaderSize
    if payload >= 0, try log.bearsItsChecksum(at: end, size: payload) {
      throw corrupted(number, end, "its LENGTH is damaged: the rest of the file is the payload that has its checksum")
    }
    if number == 0, try log.isBeyondBelief(at: end) {
      throw corrupted(number, end, "no record begins there, and it is not the beginning of one that was cut off")
    }
    outcome.savesTail = true
    outcome.add(note: "ends in \(Words.bytes(fileSize - end)) of a record that was cut off, which is no record")
  }

  private func checkLastIndex(_ header: LogHeader, _ found: Int, count: Int) throws(ImmutaError) {
    guard let lastIndex = header.lastIndex, lastIndex != found else { return }
    throw corrupted("LAST INDEX is \(lastIndex), but the last of its \(count) records begins at \(found)")
  }

  // MARK: Words

  func outcome(at cursor: Cursor, kept: Int) -> Outcome {
    Outcome(
      count: cursor.number, end: cursor.index, lastIndex: cursor.lastIndex, lastTime: cursor.lastTime, kept: kept)
  }

  func corrupted(_ number: Int? = nil, _ index: Int? = nil, _ reason: String) -> ImmutaError {
    .corrupted(Corruption(path: path, sequence: number, index: index, reason: reason))
  }

  func corrupted(_ reason: String) -> ImmutaError {
    corrupted(nil, nil, reason)
  }
}
