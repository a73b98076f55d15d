import Logging

// A segment, once it is in the state that appending relies on: its reader, its writer, and its flusher.

extension Opening {
  /// - Parameters:
  ///   - folder: the segments of the log, of which this is the newest.
  ///   - lastTime: the time of the last record before this segment; nil if there is none.
  func opened(
    _ log: Descriptor, _ identity: FileIdentity, _ recovered: Recovered, _ lock: FileLock, _ folder: SegmentFolder,
    removed: Int, lastTime: Int64?
  ) throws(ImmutaError) -> Opened {
    let (outcome, companion, header) = (recovered.outcome, recovered.companion, recovered.header)
    guard let logIdentity = header.identity else { preconditionFailure("a log that is written has an identity") }
    let (first, format) = (files.first, recovered.format)
    let companionFile = try io(companion.status().identity)
    let progress = LogProgress(count: first + outcome.count, stableCount: first + header.stableCount)
    let reader = setup.reader(
      log, identity, companion, companionFile, progress, end: outcome.end, logIdentity, format)
    let keeper = CompanionKeeper(companion, header: header)
    let flushes = FlushPair(log: log, companion: companion)
    let home = files.home.directory
    var once = [
      NameCheck.NamedFile(directory: home, name: lock.name, identity: try io(lock.descriptor.status().identity))
    ]
    once += try io(NameCheck.files(options.filesToKeep, in: home))
    let names = setup.names(reader, log, identity, companion, companionFile, once)
    try io(names.check())
    lock.withoutDescriptor(in: home)
    log.mayRest(in: files.directory, as: files.log, identity, .readWrite)
    companion.mayRest(in: files.directory, as: files.companion, companionFile, .readWrite)
    let flusher = Flusher(
      progress,
      FlushTarget(
        files: flushes, names: names, keeper: keeper, first: first, flushed: first + header.stableCount),
      interval: options.durability.interval,
      watch: FlushWatch(
        namespace: files.namespace, path: files.home.logPath, observer: options.observer, logger: options.logger,
        threshold: options.slowFlush))
    let segment = SegmentWriter(
      files: SegmentFiles(
        format, log: log, companion: companion, count: outcome.count, end: outcome.end, flushes: flushes,
        isFlushedOften: options.durability == .synced),
      keeper: keeper, names: names, location: files, count: outcome.count, end: outcome.end)
    let lastTime = outcome.count == 0 ? lastTime : outcome.lastTime
    let sealed = sealedSegments(folder, removed: removed, progress, logIdentity, format)
    let rolling = RollState(
      options.segments, format, sizeLimit: SystemCalls.sizeLimit(),
      firstTime: options.segments.maximumAge == nil || outcome.count == 0
        ? nil : try? reader.timestamp(of: first).nanosecondsSince1970)
    let writer = LogWriter(
      files: files.home, reader: reader, sealed: sealed, flusher: flusher, durability: options.durability,
      encoder: encoder,
      longWaits: LongWaits(
        namespace: files.namespace, logger: options.logger, threshold: options.longWait),
      state: WriterState(
        segment: segment, reader: reader, lock: lock, clock: CommitClock(last: lastTime, slow: header.slowTime),
        rolling: rolling, commitsInRounds: options.durability == .synced),
      roller: Roller(
        maker: SegmentMaker(
          setup: setup, format: format, identity: logIdentity, codecName: header.codecName, progress: progress),
        once: once, retention: options.retention))
    writer.list()
    return Opened(
      writer: writer, isNew: recovered.isNew, note: outcome.note, damage: outcome.damage, lastTime: lastTime)
  }
}
