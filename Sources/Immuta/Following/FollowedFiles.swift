import ImmutaLocking
import Solid
import Synchronization

/// The files of a log that is open for reading only, while another process, or another program, may write it.
///
/// For as long as the log at its path only grows, there is one of these. Once the files are not what they were, the
/// ``Follower`` opens those that are there now, and asks how much both have in common.
///
/// Everything is read by `pread`: a file that is cut short is an error then, where a mapping raises a signal. Where the log
/// has no COUNT, the companion's entries are looked at, and the end of the file where there are none: see
/// FollowedFiles+Entries.swift.
final class FollowedFiles: OpenFiles.Holder {
  let files: LogFiles
  let log: Descriptor
  let companion: Descriptor?
  let format: LogFormat
  let check: RecordCheck
  let reader: LogReader
  /// Its generation is the number of records that the companion says are on stable storage.
  let stable: Broadcaster
  let state: Lock<State>
  /// What opening found out, for people.
  let note: String?
  /// Damage that opening passed over.
  let damage: Corruption?
  let logFile: FileIdentity
  /// Whether the kernel reports every change of the files.
  let reportsChanges: Bool
  let companionFile: FileIdentity?
  /// What the files looked like when they were found so damaged that their header says nothing.
  private let appearance: Appearance?
  /// Whether it was looked at since this was last asked. Relaxed: a hint.
  private let isUsed = Atomic(false)
  /// Whether ``OpenFiles`` knows of its descriptors.
  private let isListed = Atomic(false)
  /// Whether nothing but the companion says which records there are.
  var isBlind: Bool { appearance != nil }

  struct State {
    /// What makes the entries, where the companion does not fit the log.
    var own: WalkedEntries?
    var lastTime: Int64
    /// A COUNT that was found to be wrong: too high, or too low.
    var disbelieved: Int?
    /// The last records known, by which it is noticed that the log is not what it was.
    var anchors = Anchors()
    /// Records that are known: those of the reader, or those that it is about to be told of.
    var count: Int
    /// Whether no more are taken note of.
    var isFrozen = false
  }

  /// What is found out before anything can be followed.
  private struct Found {
    var count: Int
    var end: Int
    var lastTime: Int64
    var own: WalkedEntries?
    var disbelieved: Int?
    var note: String?
    var damage: Corruption?
    /// Whether nothing but the companion says which records there are.
    var isBlind = false
  }

  init(
    files: LogFiles, log: Descriptor, _ status: SystemCalls.Status, companion: Descriptor?, header: CompanionHeader?,
    format: LogFormat, check: RecordCheck, identity: LogIdentity?, readerCount: Int, progress: ScanProgress?,
    checkCodec: (String?) throws(ImmutaError) -> Void
  ) throws(ImmutaError) {
    self.files = files
    self.log = log
    self.companion = companion
    self.format = format
    self.check = check
    logFile = status.identity
    reportsChanges = log.fileSystem.reportsChanges
    companionFile = try io(companion?.status().identity)
    let stable = Broadcaster()
    self.stable = stable
    let found = try Self.found(log, status.size, companion, header, format, progress, checkCodec)
    (note, damage) = (found.note, found.damage)
    let entries: EntryTable
    if let own = found.own {
      entries = .walked(own)
    } else {
      guard let companion, let companionFile else { preconditionFailure("without a companion entries are made") }
      entries = .file(
        DescriptorPool(like: companion, companionFile, files.companion, of: files.directory, capacity: 1))
    }
    reader = LogReader(
      format: format, check: check, count: found.count, end: found.end,
      log: DescriptorPool(like: log, logFile, files.log, of: files.directory, capacity: readerCount),
      entries: entries, identity: identity, stable: stable, mapsLargeRecords: false)
    state = Lock(
      State(own: found.own, lastTime: found.lastTime, disbelieved: found.disbelieved, count: found.count))
    appearance = found.isBlind ? try Appearance(log, companion) : nil
    let anchors = try Anchors(before: found.count, in: reader)
    state.withLock { $0.anchors = anchors }
    log.mayRest(in: files.directory, as: files.log, logFile, .read)
    if let companionFile { companion?.mayRest(in: files.directory, as: files.companion, companionFile, .read) }
    list()
  }

  /// - Parameters:
  ///   - size: of the log, when it was opened.
  ///   - companionHeader: as it was then. A writer may have begun since: what counts is only taken if both agree.
  private static func found(
    _ log: Descriptor, _ size: Int, _ companion: Descriptor?, _ companionHeader: CompanionHeader?, _ format: LogFormat,
    _ progress: ScanProgress?, _ checkCodec: (String?) throws(ImmutaError) -> Void
  ) throws(ImmutaError) -> Found {
    let header = try loadHeader(log, format)
    var told = header?.count
    var scanner = LogScanner(log, format, end: size, bufferSize: largestReadAtOnce)
    var entries = try CompanionScanner.ifThere(companion)
    // Before anything is believed that it says.
    if let companion {
      let whole = size >= format.headerSize ? header : nil
      try CompanionOrigin(companionHeader, whole, room: entries?.count ?? 0, format)?
        .check(&scanner, &entries, (log.path, companion.path))
    }
    if let companion, let companionHeader {
      if !format.hasCount { told = try companion.committedCount(companionHeader) }
      if let committed = told, companionHeader.format == format,
        let found = try trusted(companionHeader, log, &scanner, &entries, header, committed, format, checkCodec)
      {
        return Found(count: committed, end: found.end, lastTime: found.time)
      }
    }
    var reconciliation = try Reconciliation(log: log, companion: companion, format: format, progress: progress)
    try checkCodec(reconciliation.codecName)
    let outcome: Reconciliation.Outcome
    do throws(ImmutaError) {
      outcome = try reconciliation.run()
    } catch .corrupted(let damage) {
      guard companion != nil, let remains = try reconciliation.remains(after: damage) else { throw .corrupted(damage) }
      return Found(
        count: remains.count, end: remains.end, lastTime: remains.lastTime, note: remains.note, damage: damage,
        isBlind: true)
    }
    let own = try reconciliation.walkedEntries(of: outcome)
    // A COUNT that is not what was found is not to be believed, until a writer changes it.
    return Found(
      count: outcome.count, end: outcome.end, lastTime: outcome.lastTime, own: own,
      disbelieved: told.flatMap { $0 == outcome.count ? nil : $0 }, note: outcome.note, damage: outcome.damage)
  }

  private static var largestReadAtOnce: Int { 64 << 10 }

  /// The header as it is on file; nil where the format has none.
  private static func loadHeader(_ log: Descriptor, _ format: LogFormat) throws(ImmutaError) -> LogHeader? {
    let header = try log.logHeader(format)
    // Acquiring: pairs with the writer's releasing store, so that what is read from here on are the records that COUNT
    // counts, and their entries.
    atomicMemoryFence(ordering: .acquiring)
    return header
  }

  /// COUNT as it is on file; nil where the format has none.
  private static func loadCount(_ log: Descriptor, _ format: LogFormat) throws(ImmutaError) -> Int? {
    try loadHeader(log, format)?.count
  }

  /// The end and time of the last of `count` records, if the companion knows that record.
  private static func trusted(
    _ header: CompanionHeader, _ log: Descriptor, _ scanner: inout LogScanner, _ entries: inout CompanionScanner?,
    _ logHeader: LogHeader?, _ count: Int, _ format: LogFormat, _ checkCodec: (String?) throws(ImmutaError) -> Void
  ) throws(ImmutaError) -> (end: Int, time: Int64)? {
    try checkCodec(header.codecName)
    if count < header.stableCount || (header.isClean && count != header.stableCount) { return nil }
    let end: Int
    var (lastIndex, time) = (0, Int64(0))
    if count == 0 {
      end = format.headerSize
    } else {
      guard let entry = try entries?.entry(count - 1), entry.index >= format.leastIndex(of: count - 1)
      else { return nil }
      var found = try scanner.size(at: entry.index).map { entry.index + format.recordHeaderSize + $0 }
      // A writer may have made the file longer since.
      if found == nil { found = try log.recordEnd(at: entry.index, format) }
      guard let found else { return nil }
      (end, lastIndex, time) = (found, entry.index, entry.time)
    }
    // A log that was closed is also held to the rest of its header, or to its size; a writer at work changes them under
    // our eyes.
    if header.isClean {
      if let logHeader {
        if logHeader.denies(lastIndex: lastIndex) { return nil }
      } else if try io(log.size != end) {
        return nil
      }
    }
    return (end, time)
  }

  // MARK: Keeping up

  /// Takes note of what was flushed since.
  func refreshStable() throws(ImmutaError) {
    let header: CompanionHeader?
    do throws(ImmutaError) {
      header = try companion?.companionHeader()
    } catch .logMoved {
      // It was replaced while it rested, which is noticed by its name.
      return
    }
    guard let header else { return }
    // Another log's says nothing of this one.
    if let identity = header.identity, let known = reader.identity, identity != known { return }
    stable.advance(to: min(header.stableCount, reader.count))
  }

  /// Takes note of what was committed since. Costs two short calls when nothing was.
  ///
  /// - Returns: false when the files do not go on from what is known of them.
  func refresh() throws(ImmutaError) -> Bool {
    noteUse()
    do throws(ImmutaError) {
      return try refreshOpen()
    } catch .logMoved {
      // While they rested, another file got the name of one of them.
      return false
    }
  }

  private func refreshOpen() throws(ImmutaError) -> Bool {
    // A header that is damaged says nothing: see `isAsFound`.
    if appearance != nil || reader.committed.isClosed { return true }
    if try io(log.size < reader.end) { return false }
    guard format.hasCount else { return try refreshByEntries() }
    let known = reader.count
    guard var committed = try Self.loadCount(log, format) else { return true }
    // It is read while it is stored; what looks as if it went down is looked at again.
    if committed < known { committed = try Self.loadCount(log, format) ?? committed }
    if committed == known || committed == state.withLock({ $0.disbelieved }) { return true }
    if committed < known { return false }
    let end = try state.withLock { (state) throws(ImmutaError) -> (isSame: Bool, end: Int?) in
      guard !state.isFrozen, committed > reader.count, committed != state.disbelieved else { return (true, nil) }
      guard try state.anchors.hold(in: reader) else { return (false, nil) }
      state.disbelieved = nil
      if state.own == nil, let entry = try companion?.companionEntry(committed - 1) {
        guard let end = try log.recordEnd(at: entry.index, format) else {
          throw check.corrupted(committed - 1, entry.index, "its size field does not fit the file")
        }
        try state.anchors.move(before: committed, in: reader)
        state.count = committed
        return (true, end)
      }
      let end = try readOn(&state, through: committed)
      if end != nil {
        try state.anchors.move(before: committed, in: reader)
        state.count = committed
      }
      return (true, end)
    }
    guard end.isSame else { return false }
    guard let end = end.end else { return true }
    reader.raiseEnd(to: end)
    // Not under the lock: whoever is woken may call back at once.
    reader.committed.advance(to: committed)
    return true
  }

  /// Whether the names still lead to these files, as they were found; false, too, when a damaged log has changed.
  ///
  /// - Parameter closely: whether records whose entries are made are looked at, too.
  func isAsFound(closely: Bool) throws(ImmutaError) -> Bool {
    do throws(ImmutaError) { return try isOpenAsFound(closely: closely) } catch .logMoved { return false }
  }

  private func isOpenAsFound(closely: Bool) throws(ImmutaError) -> Bool {
    if files.directory.placeByName == .elsewhere { return false }
    guard try io(files.directory.status(of: files.log)?.identity == logFile),
      try io(files.directory.status(of: files.companion)?.identity == companionFile)
    else { return false }
    if let appearance { return try Appearance(log, companion) == appearance }
    // A writer gives one to a log that was made before logs had one.
    if reader.identity == nil, let header = try companion?.companionHeader(), header.format == format,
      header.identity != nil
    {
      return false
    }
    // Entries of our own are compared with the log itself, which takes longer: once it has grown, or seems damaged.
    if let own = reader.ownEntries {
      if own.isContradicted { return false }
      if !closely { return true }
    }
    return try state.withLock { (state) throws(ImmutaError) in try state.anchors.hold(in: reader) }
  }

  /// Nothing comes any more: others read the files that are there now. Records that were read stay valid.
  /// Takes note of no more records until `thaw`: these files are about to be compared with others. Returns how many are
  /// known.
  ///
  /// Others that are opened after this and are of the same log have all of these. Were these followed meanwhile, the others
  /// would look like a log that was cut back.
  func freeze() -> Int {
    state.withLock { state in
      state.isFrozen = true
      return state.count
    }
  }

  /// There are no others to go on in.
  func thaw() {
    state.withLock { $0.isFrozen = false }
  }

  func retire() {
    reader.committed.close()
    stable.close()
  }

  func close() {
    stable.close()
    reader.close()
  }

  /// Follows a writer whose entries are not in the companion that was opened, or that keeps none: takes the entries
  /// that are there by now, and makes those that are not. Returns where the last record ends; nil when the log, as it
  /// is, does not bear COUNT out.
  private func readOn(_ state: inout State, through committed: Int) throws(ImmutaError) -> Int? {
    let own = try ownEntries(state)
    // A writer that made the companion again put another file in its place.
    guard let growth = try own.growth(io(log.status()), through: committed, companionNow(), after: state.lastTime)
    else {
      return nil
    }
    // Space that is reserved reads as records of no bytes: LAST INDEX tells whether these were written.
    if growth.lacksEntries,
      try log.logHeader(format) != LogHeader(format, count: committed, lastIndex: growth.lastIndex)
    {
      return nil
    }
    take(growth, own, &state)
    return growth.end
  }

  /// Adds records to those that are known, whose entries readers use from now on if they did not before.
  func take(_ growth: WalkedEntries.Growth, _ own: WalkedEntries, _ state: inout State) {
    own.take(growth)
    state.lastTime = growth.time
    if state.own == nil {
      state.own = own
      reader.replaceEntries(.walked(own))
    }
  }

  /// What makes entries of the records to come. Those of the records that are known are in the companion.
  func ownEntries(_ state: State) throws(ImmutaError) -> WalkedEntries {
    if let known = state.own { return known }
    let made = try companion?.companionHeader()?.madeCount ?? 0
    return WalkedEntries(
      log, format, kept: reader.count, of: companion, count: reader.count, end: reader.end,
      madeCount: min(made, reader.count), companion: WalkedEntries.Known(below: 0))
  }

  func companionNow() throws(ImmutaError) -> Descriptor? {
    try io(files.directory.openIfPresent(files.companion, .read))
  }

  // MARK: Resting

  /// Has the descriptors counted, and let go when others need theirs. Nobody may call it who holds a lock of the log.
  private func noteUse() {
    isUsed.store(true, ordering: .relaxed)
    list()
  }

  private func list() {
    if isListed.load(ordering: .relaxed) || isListed.exchange(true, ordering: .acquiringAndReleasing) { return }
    OpenFiles.shared.add(self)
    OpenFiles.shared.makeRoom(mayBlock: false)
  }

  func wasUsed() -> Bool { isUsed.exchange(false, ordering: .relaxed) }

  func rest() -> OpenFiles.Rest {
    // Before: whoever needs them from here on lists them again.
    isListed.store(false, ordering: .releasing)
    let areResting = (log.rest(), companion?.rest() ?? true)
    if areResting.0 && areResting.1 { return .resting }
    isListed.store(true, ordering: .releasing)
    return .inUse
  }

  var flusherOfOwn: (any OpenFiles.HeldFilesFlusher)? { nil }
  var isOver: Bool { false }
}

/// What files looked like that were found damaged: they are worth another look once they look different.
private struct Appearance: Equatable {
  private let size: Int
  private let modified: Int64
  private let generation: UInt64?

  init(_ log: Descriptor, _ companion: Descriptor?) throws(ImmutaError) {
    let status = try io(log.status())
    (size, modified) = (status.size, status.modified)
    generation = try companion?.companionHeader()?.generation
  }
}
