/// Which segments a log has, by the names of their files, checked against the files beside them. Read once, when the log is
/// opened. All code that looks at a log's segments uses this, so that all report the same segments as missing or foreign.
struct SegmentFolder: Sendable {
  /// The folder of the segments after the first; nil for a log that never rolled.
  let folder: Directory?
  /// The first records of all segments, in order. The last one is the segment that is appended to.
  private(set) var firsts: [Int]
  /// The first record that was not removed, by all files that say so; never after the newest segment's first.
  private(set) var removed = 0
  /// The first records of removed segments whose files a crash has left. They do not count any more.
  private(set) var leftovers: [Int] = []
  /// Files after the newest segment that have a segment's name but do not belong to the log.
  private(set) var strays: Set<FileIdentity> = []
  /// What is wrong with the files; each one says what to do. With any of them, opening for appending refuses.
  private(set) var refusals: [Corruption] = []
  /// Why the records after the last segment cannot be read; nil if nothing says that there were any. It is one of the refusals.
  private(set) var endDamage: Corruption?
  /// The first record of the newest segment, if that is missing or was left out: the segment before it ends there at the latest.
  private(set) var endFirst: Int?
  private let files: LogFiles
  private let trust: FileTrust
  /// Companions in the folder whose logs are missing.
  private(set) var orphans: [Int] = []
  /// See ``isProven(_:)``.
  private var proven: Set<Int> = []
  /// Whether files are left that were made ahead for a next segment.
  private var hasNext = false
  /// See ``LogMeta/newestFirst``.
  let newestFirst: Int

  /// O(names in the folder).
  ///
  /// - Throws: `.namespaceNotFound` if the log was removed, and files of it are left.
  init(_ files: LogFiles, _ trust: FileTrust) throws(ImmutaError) {
    let files = files.home
    (self.files, self.trust) = (files, trust)
    if try io(files.isBeingRemoved()) { throw .namespaceNotFound(files.namespace) }
    // Read before the names are listed: a writer may roll meanwhile.
    let known = try LogKnowledge(files, nil, .v2, trust)
    newestFirst = known.newestFirst
    folder = try io(trust.folder(files.segmentsFolder, of: files))
    // Whether a log that never rolled exists is found out by opening it.
    firsts = [0]
    if let folder { try list(folder) }
    try leaveOutStrays(known)
    try leaveOutIrregularNewest()
    if endFirst == nil, let missing = missingNewest {
      refuse(missing)
      endFirst = newestFirst
    }
    // It would hide whatever is appended, once the log rolls.
    if endFirst == nil, known.removedCount > newest.first { refusals.append(removedNewest(known.removedCount)) }
    if folder == nil { return }
    let header = try? newest.companionHeader(trust)
    removed = min(newest.first, max(known.removedCount, header?.removedCount ?? 0))
    // A writer may have removed segments meanwhile.
    if missingFront != nil {
      removed = min(newest.first, max(removed, try LogKnowledge(files, nil, .v2, trust).removedCount))
    }
    try leaveOutRemoved()
    if let lost = try lostOrphan() { refuse(lost) }
  }

  /// The records after the last segment cannot be read.
  private mutating func refuse(_ damage: Corruption) {
    refusals.append(damage)
    endDamage = endDamage ?? damage
  }

  /// The newest segment cannot be read, but the ones before it can.
  mutating func leaveOutNewest(_ damage: Corruption) throws(ImmutaError) {
    precondition(firsts.count > 1, "a log has a segment")
    let newest = newest
    if let file = try io(newest.directory.status(of: newest.log)) { strays.insert(file.identity) }
    firsts.removeLast()
    endFirst = newest.first
    removed = min(removed, self.newest.first)
    var damage = damage
    damage.sequence = newest.first
    // It comes first: information about files after it is less useful.
    refusals.insert(damage, at: 0)
    endDamage = damage
  }

  private mutating func list(_ folder: Directory) throws(ImmutaError) {
    firsts = []
    if let first = try io(files.directory.status(of: files.log)) {
      if first.isRegular {
        firsts = [0]
      } else {
        refusals.append(.irregular(files.logPath, first))
      }
    }
    let files = files
    var (logs, companions, next): ([Int], [Int], [String]) = (firsts, [], [])
    // There may be tens of thousands of names, so none is kept.
    try io(
      folder.forEachName { name in
        if let first = files.first(ofLog: name) {
          logs.append(first)
        } else if let first = files.first(ofCompanion: name) {
          companions.append(first)
        } else if name == files.nextLog || name == files.nextCompanion {
          next.append(name)
        }
      })
    hasNext = !next.isEmpty
    for name in next where try io(folder.status(of: name)?.isDirectory == true) {
      refusals.append(
        Corruption(
          .notALog, path: folder.path(of: name),
          reason: "a folder has the name of the next segment's file: take it out of \(folder.path)"))
    }
    firsts = logs.sorted()
    // One may be too many where another one is missing.
    companions.sort()
    if !companions.elementsEqual(firsts.drop { $0 == 0 }) { orphans = Set(companions).subtracting(firsts).sorted() }
  }

  /// The files of the segment that begins with a record.
  func files(of first: Int) -> LogFiles {
    files.segment(first, inFolder: folder) ?? files
  }

  /// The segment that is appended to; if there is none, the one of the first record.
  var newest: LogFiles { files(of: firsts.last ?? 0) }

  /// The segment before the newest.
  var previous: LogFiles? { firsts.count < 2 ? nil : files(of: firsts[firsts.count - 2]) }

  /// What comes after the newest readable segment.
  var end: EndOfFiles {
    get throws(ImmutaError) {
      try EndOfFiles(strays: strays, damage: endDamage, broken: endFirst.map { files(of: $0) })
    }
  }

  /// Takes the last segment off the list. Its files stay.
  mutating func forgetNewest() { firsts.removeLast() }

  // MARK: What is missing

  /// The damage that reading the log passes over: the existing records can be read.
  var damage: Corruption? { refusals.first ?? missingFront }

  /// The damage if the first segments are missing, but were not removed by the log; nil if they exist.
  var missingFront: Corruption? {
    guard let missing else { return nil }
    return .missing(missing, of: files.logPath)
  }

  /// The records before the first segment that were not removed.
  private var missing: Range<Int>? {
    guard folder != nil, let first = firsts.first, first > removed else { return nil }
    return removed..<first
  }

  /// The damage if the newest segment is missing; nil if it is not. The files beside the segments say which one it is, once its
  /// name is on stable storage.
  var missingNewest: Corruption? {
    guard newestFirst > newest.first else { return nil }
    let meta = files.directory.path(of: files.meta)
    return Corruption(
      .segmentMissing, path: files.logPath, sequence: newestFirst,
      reason:
        "the segment that begins with record \(newestFirst) is missing, and so is what came after it: put its files back "
        + "into \(files.directory.path(of: files.segmentsFolder)) from a backup; to go on without them, remove \(meta)")
  }

  /// That the newest segment was removed, which none ever is.
  private func removedNewest(_ removed: Int) -> Corruption {
    Corruption(
      .metaFile, path: files.directory.path(of: files.meta),
      reason:
        "it says that the records before \(removed) were removed, and the newest segment begins with record "
        + "\(newest.first): put it back from a backup, or remove it")
  }

  // MARK: What does not belong

  /// A file with a segment's name that comes after all known segments must prove that it is one, by a companion which says that
  /// it belongs to this log and begins there. A crash leaves no segment without a companion: the companion gets its name first.
  private mutating func leaveOutStrays(_ known: LogKnowledge) throws(ImmutaError) {
    guard let identity = known.identity else { return }
    while let last = firsts.last, last > newestFirst, last > 0 {
      let segment = files(of: last)
      let reason: String
      do throws(ImmutaError) {
        let header = try segment.companionHeader(trust)
        if let header, header.identity == identity, try isPlaced(header, last) { return }
        if header == nil, try followsUnsealed(segment, identity) { return }
        reason =
          header == nil
          ? "no companion says that it is a segment of this log"
          : header?.identity != identity
            ? "its companion belongs to another log" : "its companion says that it begins elsewhere"
      } catch {
        // It has an unknown version, or cannot be read: opening reports that.
        return
      }
      refuse(
        .notSegment(
          segment.logPath,
          "\(reason), and \(files.directory.path(of: files.meta)) knows of none after the one that begins with record "
            + "\(newestFirst)"))
      if let file = try io(segment.directory.status(of: segment.log)) { strays.insert(file.identity) }
      firsts.removeLast()
    }
  }

  /// Leaves out files between the segments that do not belong to the log: such a file begins before the previous segment ends,
  /// and no companion says that it belongs there. Returns what was left out. O(segments).
  mutating func leaveOutStraysBetween(identity: LogIdentity?) throws(ImmutaError) -> [Corruption] {
    proven = []
    var strays: [Corruption] = []
    var end = 0
    for first in firsts {
      let header = try? files(of: first).companionHeader(trust)
      let isOwn = header?.firstSequence == first && (identity == nil || header?.identity == identity)
      if !isOwn, first < end {
        strays.append(.notSegment(files(of: first).logPath, "the segment before it ends with record \(end - 1)"))
        firsts.removeAll { $0 == first }
        continue
      }
      if isOwn { proven.insert(first) }
      if isOwn, let header, header.isClean { end = first + header.stableCount }
    }
    return strays
  }

  /// Whether a segment's companion says that it is in its place; after ``leaveOutStraysBetween(identity:)``.
  func isProven(_ first: Int) -> Bool { proven.contains(first) }

  /// Whether a segment's companion says that it begins where its name says. A segment that got its name just before the machine
  /// went down does not say it yet, but begins where the one before it ends.
  private func isPlaced(_ header: CompanionHeader, _ first: Int) throws(ImmutaError) -> Bool {
    if header.firstSequence == first { return true }
    guard header.firstSequence == CompanionHeader.unnamedFirst else { return false }
    guard let previous, let before = try previous.companionHeader(trust), before.isClean else { return true }
    return previous.first + before.stableCount == first
  }

  /// Whether a segment that has lost its companion follows a segment that a killed writer had not sealed yet: then it begins
  /// where that one ends. Once that one is sealed, the meta file names the next. The log file itself has its records.
  private func followsUnsealed(_ segment: LogFiles, _ identity: LogIdentity) throws(ImmutaError) -> Bool {
    guard let previous, try io(segment.directory.status(of: segment.companion)) == nil,
      let companion = try io(previous.directory.openIfPresent(previous.companion, .read)),
      let before = try companion.companionHeader(), !before.isClean, before.identity == identity,
      before.firstSequence == previous.first, let log = try io(previous.directory.openIfPresent(previous.log, .read))
    else { return false }
    let header = try log.logHeader(before.format)
    let count = if let header { header.count } else { try companion.committedCount(before) }
    return count > 0 && count == segment.first - previous.first
  }

  /// A folder or a symbolic link in the newest segment's place is not followed: the segments before it can be read.
  private mutating func leaveOutIrregularNewest() throws(ImmutaError) {
    while let last = firsts.last, last > 0, firsts.count > 1 {
      guard let damage = try irregular(last) else { return }
      try leaveOutNewest(damage)
    }
  }

  /// The damage of a segment that is not a regular file, or whose companion is not one; nil if both are regular files, or are
  /// missing.
  private func irregular(_ first: Int) throws(ImmutaError) -> Corruption? {
    let segment = files(of: first)
    for name in [segment.log, segment.companion] {
      guard let status = try io(segment.directory.status(of: name)), !status.isRegular else { continue }
      return .irregular(segment.directory.path(of: name), status)
    }
    return nil
  }

  /// The same for all segments, for code that looks at each. Returns what was left out. O(segments).
  mutating func leaveOutIrregular() throws(ImmutaError) -> [Corruption] {
    var left: [Corruption] = []
    for first in firsts where first > 0 {
      guard let damage = try irregular(first) else { continue }
      left.append(damage)
      firsts.removeAll { $0 == first }
    }
    return left
  }

  /// Segments before REMOVED do not count, if they end before it.
  private mutating func leaveOutRemoved() throws(ImmutaError) {
    while let first = firsts.first, first < removed {
      let next = firsts.count > 1 ? firsts[1] : .max
      if next > removed {
        // The next segment is missing, or REMOVED is wrong: no record may be removed that may have to stay.
        let header = try? files(of: first).companionHeader(trust)
        guard let header, header.isClean, first + header.stableCount <= removed else { return }
      }
      leftovers.append(first)
      firsts.removeFirst()
    }
  }

  /// The damage if a companion after all existing segments has lost its log, but says that the log had records.
  private func lostOrphan() throws(ImmutaError) -> Corruption? {
    for first in orphans where first >= max(firsts.last ?? 0, removed) {
      let segment = files(of: first)
      // Records that are not stable are not promised, and the name of their log may have been lost in a crash of the machine.
      guard let lost = try segment.lostRecords(isEntryProof: try segment.isOfThisRun(trust)) else { continue }
      // Only now: a writer may be rolling this very moment, and names the companion first.
      if try io(segment.logSize()) == nil { return lost }
    }
    return nil
  }

  // MARK: Removing what was left

  /// Removes what a crash left: files that were made ahead for a next segment, which hold no records; companions whose logs never
  /// got their names, or were removed; and segments that were being removed. The caller has the log's lock, and there are no
  /// refusals.
  mutating func clear() throws(ImmutaError) {
    guard let folder else { return }
    if hasNext {
      try io(folder.removeIfPresent(files.nextLog))
      try io(folder.removeIfPresent(files.nextCompanion))
    }
    for first in leftovers {
      let gone = files(of: first)
      try io(gone.directory.removeIfPresent(gone.log))
      try io(gone.directory.removeIfPresent(gone.companion))
    }
    leftovers = []
    if removed > 0 {
      // The companion is removed last.
      if firsts.first != 0 { try io(files.directory.removeIfPresent(files.companion)) }
    }
    for first in orphans where first < removed || first >= firsts.last ?? 0 {
      try io(folder.removeIfPresent(files(of: first).companion))
    }
  }
}

extension LogFiles {
  /// The header of the segment's companion; nil if there is none that is whole and trusted.
  func companionHeader(_ trust: FileTrust) throws(ImmutaError) -> CompanionHeader? {
    try io(trust.companion(of: self))?.companionHeader()
  }

  /// Whether the segment's companion was last written in this run of the machine.
  fileprivate func isOfThisRun(_ trust: FileTrust) throws(ImmutaError) -> Bool {
    guard let header = try companionHeader(trust) else { return false }
    return header.bootIdentity != 0 && header.bootIdentity == BootIdentity.current
  }
}
