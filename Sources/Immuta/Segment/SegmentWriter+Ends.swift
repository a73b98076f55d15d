// Before the first append to a segment, between two, and after the last.

extension SegmentWriter {
  // MARK: Before the first append

  var mark: OpenMark {
    OpenMark(
      log: files.log.descriptor, companion: files.companion.descriptor, directory: location.directory, names: names,
      namesNoted: namesNoted, keeper: keeper)
  }

  /// The companion says, on stable storage, that the log is open.
  mutating func noteMarked() {
    if phase == .opened { phase = .marked }
  }

  /// Makes the files ready to be appended to; the log is marked as open.
  mutating func prepare() throws(ImmutaError) {
    precondition(phase.isMarked, "writing to a log that is not marked as open")
    precondition(!hasStaged, "what is staged would be cut off")
    try io(files.log.descriptor.claim(for: location.namespace))
    // Another program does not know about the lock: records that it appended since the log was opened must not be overwritten.
    guard try isAsOpened() else {
      throw .corrupted(
        Corruption(
          .changedMeanwhile, path: files.log.descriptor.path,
          reason: "another program appended while the log was open; close it and open it again"))
    }
    // Also where preparing fails: then the files may be longer than before.
    phase = .resting
    try files.prepare(count: count, end: tail)
    phase = .prepared
  }

  /// Whether nobody has committed anything since the log was opened.
  private func isAsOpened() throws(ImmutaError) -> Bool {
    let log = files.log.descriptor
    if let header = try log.logHeader(files.format) { return header.count == count }
    let size = try io(log.size)
    return try size >= tail ? log.recordEnd(at: tail, files.format) == nil : false
  }

  // MARK: Between two appends

  /// Lets go of the files, which `prepare` takes up again; false where that cannot be now. Everything that was committed is
  /// on stable storage.
  ///
  /// Nothing is stored while the segment rests: a failure to write it back would be reported to nobody.
  mutating func rest() -> Bool {
    precondition(!hasStaged, "resting in a transaction")
    if phase == .prepared {
      phase = .resting
      files.forgetWindows()
      files.log.descriptor.disclaim()
      // Gives back reserved space: there may be many such logs.
      do throws(ImmutaError) {
        try files.collect()
        try files.shrink(count: count, end: tail)
      } catch {
        return false
      }
    }
    return files.rest()
  }

  // MARK: After the last append

  /// Seals: makes the files end at the last committed record, flushes them and marks the log closed. Called once, at the
  /// end; then ``letGo()`` must follow.
  ///
  /// - Parameter beforeMark: what must be done before the segment is marked as sealed; everything else is flushed by then.
  mutating func seal(_ beforeMark: () throws(ImmutaError) -> Void = { () throws(ImmutaError) in }) throws(ImmutaError) {
    endWriting()
    if let failure {
      // The log stays open by its mark, and the next opening recovers it. Committed records are flushed all the same, unless it
      // was a flush that failed. It is not marked as stable: some file systems report in a write what an earlier write-back lost,
      // and a flush that succeeds after either proves nothing.
      if phase.isMarked, !files.hasFailedFlush { try flush() }
      throw failure
    }
    guard phase.isMarked else { return try io(names.check()) }
    // The records and their entries first: a log whose file already ends with its last record, but whose pages
    // never reached the disk, would look as if another program had written it.
    try flush()
    try cut()
    try io(files.log.descriptor.flush())
    try beforeMark()
    try keeper.markClean(count: count)
  }

  private func flush() throws(ImmutaError) {
    try io(files.log.descriptor.flush())
    try io(files.companion.descriptor.flush())
  }

  // The same in steps, for a caller that seals many segments together and flushes their files between the steps: everything; then
  // the logs, cut; then the companions, cut, with their marks. A companion that is longer than its mark says, after a power cut,
  // has zeros there: so its length may become stable with the mark.

  /// From now on nobody writes to the files.
  mutating func endWriting() { files.endWriting() }

  /// Whether the files are to be flushed, cut and marked, and nothing stands against it.
  var isToBeSealed: Bool { phase.isMarked && failure == nil }

  /// The log and its companion.
  var descriptors: (log: Descriptor, companion: Descriptor) { (files.log.descriptor, files.companion.descriptor) }

  /// Makes the files end at the last committed record.
  mutating func cut() throws(ImmutaError) {
    // Before the files are cut: without the lock's file there may be another writer.
    try io(names.check())
    if phase.mayHaveWritten { try files.shrink(count: count, end: tail) }
  }

  func writeClean() throws(ImmutaError) {
    try keeper.writeClean(count: count)
  }

  /// Notes for the next opening that a flush failed, if one did. Call it while nobody else may open the log.
  func noteFailedFlush() {
    if files.hasFailedFlush { keeper.markFailed() }
  }

  mutating func letGo() { files.letGo() }
}
