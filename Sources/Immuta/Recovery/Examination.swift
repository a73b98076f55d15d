/// Looks at every record of a log that may be damaged, one after the other, and finds out which of them are whole.
///
/// Where the companion has a record's entry, its checksum decides. Where it doesn't, a record is taken for whole if it
/// begins where the one before ends and fits the file: the log format itself has nothing more to go by.
struct Examination: ~Copyable {
  /// The finding about one record.
  struct Finding {
    var sequence: Int
    /// Where it begins, if that is known.
    var index: Int?
    var size: Int = 0
    /// The entry it has, or should have; nil for a damaged record whose entry is damaged, too.
    var entry: CompanionEntry?
    /// Whether the companion's entry must be made again.
    var isEntryDamaged = false
    /// What is wrong with it; nil for a whole record.
    var damage: RepairReport.LossReason?
    /// Whether the next record begins where this one, damaged, says it does.
    var isSizeSound = false
  }

  private var log: LogScanner
  private var companion: CompanionScanner?
  private let format: LogFormat
  private let modified: Int64
  /// The next record whose entry is whole, as far as it was looked for.
  private var nextKnown: (sequence: Int, time: Int64) = (-1, 0)
  /// Size fields are to be trusted up to this record.
  private var confirmed = -1
  /// The log's header and its size fields agree on where the records before this one lie.
  private let vouched: Int
  /// Records to look at.
  private let count: Int
  /// Whether the companion says where the records are, rather than the log's header alone.
  private let hasCompanion: Bool

  init(
    _ disk: LogOnDisk, count: Int, progress: ScanProgress? = nil
  ) throws(ImmutaError) {
    let status = disk.status
    let format = disk.format
    let vouched = try Self.vouched(disk)
    // Entries say where records are also where the header before them is damaged.
    let first = try disk.companion?.companionEntry(0)
    companion = try CompanionScanner.ofFile(disk.companion)
    log = LogScanner(disk.log, format, end: status.size, progress: progress)
    self.format = format
    // Whatever was promised, records that neither file has room for cannot be looked at.
    self.count = min(count, max(format.room(in: status.size), companion?.count ?? 0))
    modified = status.modified
    self.vouched = vouched
    hasCompanion = disk.companionHeader != nil || first != nil
  }

  /// How many records the log's own header and size fields vouch for: a companion alone cannot make these be cut off.
  private static func vouched(_ disk: LogOnDisk) throws(ImmutaError) -> Int {
    guard disk.companion != nil, let header = disk.header else { return 0 }
    var log = LogScanner(disk.log, disk.format, end: disk.status.size)
    return try RecordWalk.leads(through: header, in: &log, disk.format) ? header.count : 0
  }

  /// Reports each record in order. Ends with the last one, or where nothing more is known.
  mutating func run(_ visit: (Finding) throws(ImmutaError) -> Void) throws(ImmutaError) {
    var sequence = 0
    // Where the next record begins; nil after a record whose end is unknown.
    var next: Int? = format.headerSize
    // Where it begins at the earliest.
    var least = format.headerSize
    var time: Int64 = 0
    while sequence < count {
      var entry = try companion?.entry(sequence)
      // Records follow one another: an entry that says otherwise, after a whole record, is not this log's.
      if let next, let index = entry?.index, index != next { entry = nil }
      if let index = entry?.index, index < least { entry = nil }
      least += format.recordHeaderSize
      // Without an entry, and without the end of the record before, there is nothing to go by.
      guard let index = entry?.index ?? next else {
        if !hasCompanion { return }
        try visit(
          Finding(sequence: sequence, isEntryDamaged: true, damage: .placeUnknown))
        sequence += 1
        continue
      }
      least = index + format.recordHeaderSize
      var finding = Finding(sequence: sequence, index: index, entry: entry)
      if !hasCompanion, LogScanner.isHoleDue(sequence),
        min(count - sequence, log.emptyRecords(inHoleAt: index)) > LogScanner.mostInHole
      {
        finding.damage = .hole
      } else if let size = try log.size(at: index) {
        finding.size = size
        try check(&finding, size: size, time: time)
      } else {
        finding.damage = .sizeFieldDamaged
      }
      let isEndKnown = finding.damage == nil || finding.isSizeSound
      if !hasCompanion, !isEndKnown {
        // Nothing says where the records after it begin.
        return try visit(finding)
      }
      next = isEndKnown ? format.recordEnd(at: index, size: finding.size) : nil
      time = finding.entry?.time ?? time
      try visit(finding)
      sequence += 1
    }
  }

  /// The time of the next record whose entry is whole, or the end of time.
  private mutating func timeOfNextKnown(after sequence: Int) throws(ImmutaError) -> Int64 {
    if nextKnown.sequence > sequence { return nextKnown.time }
    var number = sequence + 1
    while number < min(count, companion?.count ?? 0) {
      if let entry = try companion?.entry(number) {
        nextKnown = (number, entry.time)
        return entry.time
      }
      number += 1
    }
    nextKnown = (Int.max, Int64.max)
    return Int64.max
  }

  /// Whether the size fields from a record on lead to one that matches the companion: then the size fields can be trusted, and
  /// the entries between belong to another log. Does not look farther than some thousand records.
  private mutating func leadsToKnownRecord(after first: RecordPlace) throws(ImmutaError) -> Bool {
    if first.number < confirmed { return true }
    var walk = RecordWalk(format, after: first)
    while walk.number < min(count, first.number + Self.farthestLook) {
      guard let place = try walk.next(in: &log) else { return false }
      if let entry = try companion?.entry(place.number), entry.index == place.index,
        try log.checksum(at: place.index, size: place.size) == entry.recordChecksum
      {
        confirmed = place.number
        return true
      }
    }
    return walk.number == count && walk.index == log.end
  }

  private static var farthestLook: Int { 4096 }

  /// Compares the record with its entry, or makes the entry.
  private mutating func check(_ finding: inout Finding, size: Int, time: Int64) throws(ImmutaError) {
    guard let index = finding.index, let checksum = try log.checksum(at: index, size: size) else {
      finding.damage = .cutShort
      return
    }
    if let entry = finding.entry {
      if checksum != entry.recordChecksum { finding.damage = .changed }
      return
    }
    finding.isEntryDamaged = true
    let place = RecordPlace(
      number: finding.sequence, index: index, size: size, end: format.recordEnd(at: index, size: size))
    let isSound = try log.bearsItsChecksum(at: index, size: size)
    if !isSound {
      finding.damage = .payloadChecksum
      finding.isSizeSound = try log.leadsToSoundRecord(after: place)
      guard finding.isSizeSound else { return }
    } else if let following = try companion?.entry(finding.sequence + 1),
      // The next record must begin where this one ends, if that is known: otherwise this size field is not to be
      // trusted.
      following.index != place.end,
      try !leadsToKnownRecord(after: place)
    {
      guard finding.sequence < vouched else {
        finding.damage = .entryAndSizeFieldDamaged
        return
      }
      confirmed = vouched
    }
    finding.entry = CompanionEntry(
      madeAt: index, time: try timeOfMade(finding.sequence, after: time), checksum: checksum, isSound: isSound, format)
  }

  /// Times don't go down: an entry that is made is not later than the next that is whole.
  private mutating func timeOfMade(_ sequence: Int, after time: Int64) throws(ImmutaError) -> Int64 {
    min(max(time, modified), try timeOfNextKnown(after: max(sequence, confirmed - 1)))
  }
}
