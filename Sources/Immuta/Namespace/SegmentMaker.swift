import ImmutaLocking

/// Makes the next segment before it is needed, so that the slow part is done by then.
struct SegmentMaker: Sendable {
  /// How and where the log was opened.
  let setup: LogSetup
  let format: LogFormat
  let identity: LogIdentity
  let codecName: String?
  let progress: LogProgress
  /// Held while the meta file is read and written.
  let meta = MetaLock()

  private var home: LogFiles { setup.files.home }

  /// Makes the files of a segment, ready to be appended to, under temporary names. They are on stable storage, and say that the
  /// log is open.
  ///
  /// - Parameter log: the files get its access rights.
  func make(like log: Descriptor) throws(ImmutaError) -> NextSegment {
    let folder = try io(setup.trust.makeFolder(home.segmentsFolder, of: home))
    try io(folder.removeIfPresent(home.nextLog))
    try io(folder.removeIfPresent(home.nextCompanion))
    let newLog = try io(folder.create(home.nextLog, like: log))
    do throws(ImmutaError) {
      return try fill(newLog, folder)
    } catch {
      try? folder.remove(home.nextLog)
      try? folder.remove(home.nextCompanion)
      throw error
    }
  }

  private func fill(_ log: Descriptor, _ folder: Directory) throws(ImmutaError) -> NextSegment {
    let companion = try io(folder.create(home.nextCompanion, like: log))
    var header = CompanionHeader(format: format, codecName: codecName)
    header.identity = identity
    header.firstSequence = CompanionHeader.unnamedFirst
    header.bootIdentity = BootIdentity.current
    try io(log.write([UInt8](repeating: 0, count: format.headerSize), at: 0))
    try io(companion.write([UInt8](repeating: 0, count: CompanionHeader.size), at: 0))
    try companion.write(slot: header.encoded(), of: header.generation)
    // From here on, the meta file keeps what cannot be derived.
    try meta.lock.withLock { (_) throws(ImmutaError) in
      try LogKnowledge(home, header, format, setup.trust).keep(header, home, of: log, isSegmented: true)
    }
    let (logFile, companionFile) = (try io(log.status().identity), try io(companion.status().identity))
    let flushes = FlushPair(log: log, companion: companion)
    var segment = SegmentWriter(
      files: SegmentFiles(
        format, log: log, companion: companion, count: 0, end: format.headerSize, flushes: flushes,
        isFlushedOften: setup.options.durability == .synced),
      keeper: CompanionKeeper(companion, header: header),
      names: NameCheck([NameCheck.NamedFile(directory: folder, name: home.nextLog, identity: logFile)]),
      location: home, count: 0, end: format.headerSize)
    segment.noteMarked()
    try segment.prepare()
    try io(log.flush())
    try io(companion.flush())
    try io(folder.flush())
    try io(folder.flushEntry())
    return NextSegment(
      segment, folder: folder, flushes: flushes, logFile: logFile, companionFile: companionFile)
  }

  /// Gives the next segment its name. A crash leaves the log as it was, or with an empty segment at its end.
  ///
  /// - Parameters:
  ///   - first: the number of its first record.
  ///   - state: the log's state that the segment continues.
  /// - Returns: the segment for its writer, its reader, and its flusher.
  func name(
    _ next: NextSegment, first: Int, _ carried: NextSegment.Carried
  ) throws(ImmutaError) -> NextSegment.Named {
    let files = home.segment(first, in: next.folder)
    let keeper = next.keeper
    try keeper.begin(first: first, removed: carried.removed, carried.slowTime)
    try io(next.folder.rename(home.nextCompanion, to: files.companion))
    do throws(FileError) {
      try next.folder.rename(home.nextLog, to: files.log)
    } catch {
      // A companion alone is removed by the next opening.
      try? next.folder.rename(files.companion, to: home.nextCompanion)
      throw ImmutaError(error)
    }
    var segment = next.take()
    let (log, companion) = segment.descriptors
    log.noteName(files.logPath)
    companion.noteName(files.companionPath)
    log.mayRest(in: next.folder, as: files.log, next.logFile, .readWrite)
    companion.mayRest(in: next.folder, as: files.companion, next.companionFile, .readWrite)
    let setup = setup.at(files)
    let reader = setup.reader(
      log, next.logFile, companion, next.companionFile, progress, end: format.headerSize, identity, format)
    let names = setup.names(
      reader, log, next.logFile, companion, next.companionFile, carried.once)
    segment.take(files, names)
    let target = FlushTarget(
      files: next.flushes, names: names, keeper: keeper, first: first, newNames: next.folder, flushed: first)
    return NextSegment.Named(segment: segment, reader: reader, target: target)
  }
}

/// For the meta file of a log, which several threads of its writer change.
final class MetaLock: Sendable {
  let lock = Lock<Void>(())
}

/// A segment that was made ahead.
final class NextSegment: Sendable {
  let folder: Directory
  let flushes: FlushPair
  let logFile: FileIdentity
  let companionFile: FileIdentity
  let keeper: CompanionKeeper
  private let segment: Lock<SegmentWriter?>

  /// What a segment's files say about the log beyond the segment's own records.
  struct Carried {
    /// The first record that was not removed.
    var removed: Int
    var slowTime: SlowTime?
    /// The files that exist once for the log.
    var once: [NameCheck.NamedFile]
  }

  /// The segment under its own name.
  struct Named: ~Copyable {
    var segment: SegmentWriter
    let reader: LogReader
    let target: FlushTarget
  }

  init(
    _ segment: consuming SegmentWriter, folder: Directory, flushes: FlushPair, logFile: FileIdentity,
    companionFile: FileIdentity
  ) {
    self.folder = folder
    self.flushes = flushes
    self.logFile = logFile
    self.companionFile = companionFile
    keeper = segment.keeper
    self.segment = Lock(segment)
  }

  /// Takes the segment; only once.
  func take() -> SegmentWriter {
    let segment = segment.withLock { $0.take() }
    guard let segment else { preconditionFailure("a segment is used once") }
    return segment
  }

  /// Removes the files, which nobody uses.
  func abandon(_ home: LogFiles) {
    segment.withLock { segment in
      guard var unused = segment.take() else { return }
      unused.endWriting()
      unused.letGo()
      try? folder.remove(home.nextLog)
      try? folder.remove(home.nextCompanion)
    }
    flushes.letGo()
    keeper.letGo()
  }
}
