import ImmutaLocking
import Solid
import Synchronization

/// The files of a log that is open for reading only, while another process, or another program, may write it.
///
/// As long as the log at its path only grows, there is one of these. Once the files were changed or replaced, the ``Follower``
/// opens the present files, and finds out how much both have in common.
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
  /// The segments before this one.
  let sealed: SealedSegments
  /// Its generation is the number of records that the companion says are on stable storage.
  let stable: Broadcaster
  let state: Lock<State>
  /// What opening found out, for people.
  let note: String?
  /// Damage that opening passed over.
  let damage: Corruption?
  /// What comes after the last readable segment, and cannot be read.
  private let end: EndOfFiles
  /// Why the records after the last cannot be read, though there were some or may have been.
  var endDamage: Corruption? { end.damage }
  let logFile: FileIdentity
  /// Whether the kernel reports every change of the files.
  let reportsChanges: Bool
  /// The file with the companion's name, even if it is not trusted, and there is no `companion`.
  let companionFile: FileIdentity?
  let trust: FileTrust
  /// Whether nothing but the companion says which records there are.
  let isDamaged: Bool
  /// Whether it was looked at since this was last asked. Relaxed: a hint.
  private let isUsed = Atomic(false)
  /// Whether ``OpenFiles`` knows of its descriptors.
  private let isListed = Atomic(false)

  /// What says which records exist, and has their entries.
  enum Source {
    /// COUNT, where there is one, and the companion.
    case companion
    /// The log's size fields, where the companion does not fit the log.
    case walked(WalkedEntries)
    /// Nothing but the companion: the log was found so damaged that its header says nothing. It is not followed, but worth
    /// another look once it looks different.
    case damaged(Appearance)
  }

  struct State {
    /// Goes from `companion` to `walked` where a writer's entries are not in the companion that was opened, and to no other.
    private(set) var source: Source
    var lastTime: Int64
    /// A COUNT that was found to be wrong: too high, or too low.
    var disbelieved: Disbelief?
    /// The last known records, which show whether the log was changed.
    var anchors = Anchors()
    /// How many records are known: those of the reader, or those that it is about to get.
    private(set) var count: Int
    /// Whether no more records are noted.
    var isFrozen = false

    init(source: Source, lastTime: Int64, disbelieved: Disbelief?, count: Int) {
      (self.source, self.lastTime, self.disbelieved, self.count) = (source, lastTime, disbelieved, count)
    }

    /// Makes the entries, if the companion does not have them.
    var own: WalkedEntries? {
      if case .walked(let own) = source { return own }
      return nil
    }

    /// Entries are made from here on; false where they were before.
    mutating func walk(_ own: WalkedEntries) -> Bool {
      switch source {
      case .companion:
        source = .walked(own)
        return true
      case .walked(let known):
        precondition(known === own, "the entries of one log are made in one place")
        return false
      case .damaged: preconditionFailure("a damaged log is not followed")
      }
    }

    /// So many records are known. If another caller found more a moment ago, those stay known.
    mutating func know(_ count: Int, in reader: LogReader) throws(ImmutaError) {
      guard count > self.count else { return }
      try anchors.move(before: count, in: reader)
      self.count = count
    }
  }

  /// What the files looked like when they were found damaged.
  private var appearance: Appearance? {
    state.withLock { state in
      if case .damaged(let appearance) = state.source { return appearance }
      return nil
    }
  }

  /// - Parameters:
  ///   - found: what was found out of the files before.
  init(
    files: LogFiles, log: Descriptor, companion: Descriptor?,
    _ identities: (log: FileIdentity, companion: FileIdentity?),
    _ found: ReadableLog, format: LogFormat, check: RecordCheck, progress: LogProgress, identity: LogIdentity?,
    sealed: SealedSegments, end: EndOfFiles, readerCount: Int, trust: FileTrust
  ) throws(ImmutaError) {
    self.files = files
    self.log = log
    self.companion = companion
    self.format = format
    self.check = check
    (logFile, companionFile) = identities
    reportsChanges = log.fileSystem.reportsChanges
    stable = progress.stable
    self.sealed = sealed
    self.trust = trust
    (note, damage, self.end) = (found.note, found.damage, end)
    isDamaged = if case .onlyInCompanion = found.entries { true } else { false }
    let (entries, source) = try Self.source(found.entries, files, log, companion, companionFile)
    reader = LogReader(
      format: format, check: check, progress: progress, end: found.end,
      log: DescriptorPool(like: log, logFile, files.log, of: files.directory, capacity: readerCount),
      entries: entries, identity: identity, mapsLargeRecords: false)
    state = Lock(
      State(source: source, lastTime: found.lastTime, disbelieved: found.disbelieved, count: reader.count))
    let anchors = try Anchors(before: reader.count, in: reader)
    state.withLock { $0.anchors = anchors }
    // The caller that opens them again lists them, for whatever reason.
    let whenWoken: @Sendable () -> Void = { [weak self] in self?.list() }
    log.mayRest(in: files.directory, as: files.log, logFile, .read, whenWoken: whenWoken)
    if let companionFile {
      companion?.mayRest(in: files.directory, as: files.companion, companionFile, .read, whenWoken: whenWoken)
    }
    list()
    OpenFiles.shared.makeRoom(mayBlock: false)
  }

  /// Where readers find the entries, and what says which records exist.
  private static func source(
    _ entries: ReadableLog.Entries, _ files: LogFiles, _ log: Descriptor, _ companion: Descriptor?,
    _ companionFile: FileIdentity?
  ) throws(ImmutaError) -> (EntryTable.Source, Source) {
    if case .walked(let own) = entries { return (.walked(own), .walked(own)) }
    guard let companion, let companionFile else { preconditionFailure("without a companion entries are made") }
    let table = EntryTable.Source.file(
      DescriptorPool(like: companion, companionFile, files.companion, of: files.directory, capacity: 1))
    if case .onlyInCompanion = entries { return (table, .damaged(try Appearance(log, companion))) }
    return (table, .companion)
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
    if try !end.isAsFound() { return false }
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

  /// Records of the segment that are known.
  var ownCount: Int { reader.count - files.first }

  /// Whether the next segment begins after the records that are known. One call, by its name.
  func hasRolled() throws(ImmutaError) -> Bool {
    if isDamaged || ownCount == 0 || reader.committed.isClosed { return false }
    let home = files.home
    let name = "\(home.segmentsFolder)/\(home.segmentLog(reader.count))"
    do throws(FileError) {
      guard let next = try home.directory.status(of: name) else { return false }
      return !end.strays.contains(next.identity)
    } catch let error where error.errorNumber == ErrorNumber.notFound || error.errorNumber == ErrorNumber.notDirectory {
      return false
    } catch {
      throw ImmutaError(error)
    }
  }

  /// Whether bytes that were just read belong to these files: whether the files still hold their last known record. They may have
  /// been overwritten, which nobody has noticed yet. A later comparison of these files with others does not hold for bytes of
  /// something else.
  ///
  /// - Parameter read: the entry of a record as it was just read; nil for one that was not.
  func hold(_ read: (_ number: Int) -> CompanionEntry?) throws(ImmutaError) -> Bool {
    if isDamaged { return true }
    return try state.withLock { (state) throws(ImmutaError) in
      // A caller at the end has just read that very record, and most callers are there.
      if let last = state.anchors.last, let known = last.entry, let entry = read(last.number) {
        return entry.isOfSameRecord(as: known)
      }
      return try state.anchors.hold(in: reader)
    }
  }

  /// Whether an entry that was just read from these files belongs to the log that they held when they were opened.
  func vouches(for entry: CompanionEntry, of number: Int) throws(ImmutaError) -> Bool {
    try state.withLock { (state) throws(ImmutaError) in
      if let known = state.anchors.entry(of: number) { return entry.isOfSameRecord(as: known) }
      return try state.anchors.hold(in: reader)
    }
  }

  // MARK: Others in their place

  /// Notes no more records until `thaw`: these files are about to be compared with others. Returns how many are known.
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

  /// No more records come: the present files are read by another object. Records that were read stay valid.
  func retire() {
    reader.committed.close()
    stable.close()
  }

  func close() {
    stable.close()
    reader.close()
  }

  // MARK: Resting

  /// Makes others close their files if too many are open by now. Must not be called with a lock of the log.
  func noteUse() {
    isUsed.store(true, ordering: .relaxed)
    OpenFiles.shared.makeRoom(mayBlock: false)
  }

  /// Lists the descriptors, so that they are closed when others need descriptors. Only once they are open: otherwise descriptors
  /// that were closed before would be opened and not be listed.
  private func list() {
    if isListed.load(ordering: .relaxed) || isListed.exchange(true, ordering: .acquiringAndReleasing) { return }
    OpenFiles.shared.add(self)
  }

  func wasUsed() -> Bool { isUsed.exchange(false, ordering: .relaxed) }

  func rest() -> OpenFiles.Rest {
    // Before: a caller that needs them from here on lists them again.
    isListed.store(false, ordering: .releasing)
    let areResting = (log.rest(), companion?.rest() ?? true)
    if areResting.0 && areResting.1 { return .resting }
    isListed.store(true, ordering: .releasing)
    return .inUse
  }

  var flusherOfOwn: (any OpenFiles.HeldFilesFlusher)? { nil }
  var isOver: Bool { false }
}
