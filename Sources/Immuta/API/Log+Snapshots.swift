import Logging

// The result of a fold over a log's records, kept beside the log. The fold itself is outside of the engine.

extension Log {
  /// The snapshot of a name.
  ///
  /// - Throws: `.invalidConfiguration` for a name that no file can have.
  package func snapshot(named name: String) throws(ImmutaError) -> SnapshotFile {
    guard Storage.isValidNamespace(name) else {
      throw .invalidConfiguration(
        "\(name.quoted) cannot be a projection: use 1 to 200 letters, digits, “.”, “_” or “-”, not starting with “.”"
      )
    }
    return SnapshotFile(log: self, name: name)
  }

  /// Logs something about a projection that people should know, and need not act on, to the configuration's logger.
  package func note(_ text: String) {
    open.logger?.tell(.projection, .notice, "\(text)", ["namespace": "\(namespace)"])
  }
}

/// A file with a state and the number of records that are in it: `<namespace>.projections/<name>.snapshot`.
///
/// It can always be made again from the log, so a fault in it is a reason to do that, and not an error. It is never ahead of the
/// log. Where this process may append to the log, the records in the snapshot are put on stable storage first; elsewhere the
/// snapshot counts only until the machine restarts. It never counts if the last of its records is not the log's any more.
package struct SnapshotFile: Sendable {
  let log: Log
  let name: String

  private static let suffix = ".snapshot"

  private var fileName: String { name + Self.suffix }

  /// Whether a file is a snapshot, by its name.
  static func isSnapshot(_ name: String) -> Bool { name.hasSuffix(suffix) }

  /// What was found.
  package enum Found: Sendable {
    case none
    /// The state of the first so many records.
    case state([UInt8], sequence: Int)
    /// A file that cannot be used for this log, and why.
    case useless(String)
  }

  /// The last record in a state, as it was delivered.
  package struct LastRecord: Sendable {
    let index: Int
    let timestamp: Timestamp

    package init(_ record: Record) {
      (index, timestamp) = (record.index, record.timestamp)
    }
  }

  /// Looks for the newest state that is one of the log as it is now. Blocks for the reads.
  ///
  /// - Throws: `.storageClosed`, and what else stands in the way of reading the log.
  package func load(stateVersion: Int) throws(ImmutaError) -> Found {
    try log.open.refresh()
    try log.checkOpen()
    let found: (header: Snapshot.Header, state: [UInt8])
    do throws(Unusable) {
      guard let file = try read() else { return .none }
      found = file
    } catch {
      return .useless(error.reason)
    }
    let (snapshot, reader) = (found.header.snapshot, log.reader)
    var entry: CompanionEntry?
    if snapshot.sequence > 0, snapshot.sequence <= reader.count { entry = try self.entry(of: snapshot.sequence - 1) }
    if let reason = snapshot.reasonAgainst(
      reader.identity, count: reader.count, stateVersion: stateVersion, entry: entry, run: BootIdentity.current)
    {
      return .useless(reason)
    }
    return .state(found.state, sequence: snapshot.sequence)
  }

  /// Replaces the saved state, as a whole or not at all. The new state is on stable storage when this returns, and so are the
  /// log's records in it, where the log is open for appending.
  ///
  /// Waits without blocking a thread that runs tasks; cancelling the task changes nothing.
  ///
  /// - Parameters:
  ///   - position: the first record that is not in the state, in the log that was read.
  ///   - last: the record before that; nil where none was read since the state was loaded.
  /// - Throws: `.storageClosed`, `.foreignPosition` and `.corrupted` where the log is not what was read, `.io`.
  package func save(
    _ state: [UInt8], stateVersion: Int, at position: Position, after last: LastRecord?
  ) async throws {
    try await Thread.run {
      do {
        try saveBlocking(state, stateVersion: stateVersion, at: position, after: last)
        return nil
      } catch {
        return (error as? ImmutaError)?.of(log.namespace) ?? error
      }
    }
  }

  private func saveBlocking(
    _ state: [UInt8], stateVersion: Int, at position: Position, after last: LastRecord?
  ) throws {
    try log.checkOpen()
    guard log.identity == position.identity else {
      throw ImmutaError.foreignPosition(expected: position.identity, found: log.identity)
    }
    if log.writer != nil, log.stableCount < position.sequence { try log.sync() }
    let isStable = log.stableCount >= position.sequence
    let entry = position.sequence > 0 ? try self.entry(of: position.sequence - 1) : nil
    if let last, let entry, !entry.isMade,
      entry.index != last.index || entry.time != last.timestamp.nanosecondsSince1970
    {
      throw ImmutaError.corrupted(
        Corruption(
          .changedMeanwhile, path: log.files.logPath, sequence: position.sequence - 1, index: last.index,
          reason: "it is not the record that was read: somebody has changed the file"))
    }
    let snapshot = Snapshot(
      identity: position.identity, sequence: position.sequence, stateVersion: stateVersion,
      bootIdentity: BootIdentity.current, isStable: isStable, last: entry)
    let bytes = snapshot.encoded(with: state)
    let files = log.currentFiles.home
    guard let original = try io(files.openForRights()) else { throw ImmutaError.logMoved(path: files.logPath) }
    let isNew = try io(files.directory.status(of: files.projectionsFolder)) == nil
    let folder = try io(log.trust.makeFolder(files.projectionsFolder, of: files))
    try io(folder.alone { () throws(FileError) in try replace(bytes, in: folder, like: original) })
    try io(folder.flush())
    if isNew { try io(files.directory.flush()) }
  }

  private func replace(_ bytes: [UInt8], in folder: Directory, like original: Descriptor) throws(FileError) {
    let new = try Replacement(of: fileName, in: folder, as: fileName + ".new", like: original)
    do throws(FileError) {
      try new.file.write(bytes, at: 0)
      try new.finish()
    } catch {
      new.abandon()
      throw error
    }
  }

  /// Why a file is of no use.
  private struct Unusable: Error {
    let reason: String
  }

  /// The snapshot on file; nil where there is none.
  private func read() throws(Unusable) -> (header: Snapshot.Header, state: [UInt8])? {
    let bytes: (header: [UInt8], state: [UInt8], file: Descriptor)?
    do throws(FileError) {
      bytes = try readBytes()
    } catch {
      throw Unusable(reason: "\(ImmutaError(error))")
    }
    guard let bytes else { return nil }
    do throws(Snapshot.Fault) {
      let header = try unsafe bytes.header.withBytes { (bytes) throws(Snapshot.Fault) in
        try unsafe Snapshot.header(decoding: bytes)
      }
      guard header.fits(bytes.state) else { throw .damaged }
      return (header, bytes.state)
    } catch {
      switch error {
      case .damaged: throw Unusable(reason: "it is damaged")
      case .unknownVersion(let version):
        throw Unusable(reason: "a program newer than this one wrote it, in version \(version)")
      }
    }
  }

  private func readBytes() throws(FileError) -> (header: [UInt8], state: [UInt8], file: Descriptor)? {
    let files = log.currentFiles.home
    guard let folder = try files.directory.folder(files.projectionsFolder),
      let file = try folder.openIfPresent(fileName, .read)
    else { return nil }
    // Its state can be checked against the records only by folding all of them.
    for (directory, status, name) in try [
      (files.directory, folder.status(), files.projectionsFolder), (folder, file.status(), fileName),
    ] {
      try FileTrust(in: directory, acceptsFilesOfOthers: log.acceptsFilesOfOthers).check(status, name)
    }
    var header = [UInt8](repeating: 0, count: Snapshot.headerSize)
    let count = try unsafe header.withMutableBytes { (bytes) throws(FileError) in
      try unsafe file.read(into: bytes, at: 0)
    }
    header.removeLast(header.count - count)
    // Before taking as much memory as the file claims to need.
    let length = unsafe header.withBytes { unsafe (try? Snapshot.header(decoding: $0))?.length }
    guard let length, try file.size == Snapshot.headerSize + length else { return (header, [], file) }
    var state = [UInt8](repeating: 0, count: length)
    let filled = try unsafe state.withMutableBytes { (bytes) throws(FileError) in
      try unsafe file.read(into: bytes, at: Snapshot.headerSize)
    }
    state.removeLast(length - filled)
    return (header, state, file)
  }

  /// The companion's entry of a record; nil where the record was removed, or the entry is damaged.
  private func entry(of number: Int) throws(ImmutaError) -> CompanionEntry? {
    do throws(ImmutaError) {
      return try log.open.entry(of: number, log.reader)
    } catch .storageClosed {
      throw .storageClosed
    } catch {
      return nil
    }
  }
}

extension LogFiles {
  /// A file with the log's access rights: what is computed from its records gets the same rights. Nil where there is none.
  fileprivate func openForRights() throws(FileError) -> Descriptor? {
    // The first segment of a log may have been removed; a log that rolled has its meta file.
    for name in [log, meta] {
      if let file = try directory.openIfPresent(name, .read) { return file }
    }
    return nil
  }
}
