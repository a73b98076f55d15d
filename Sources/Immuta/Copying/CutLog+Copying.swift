extension CutLog {
  /// A consumer whose position is beyond the end of a copy; in the copy, its position is the end.
  package struct Moved: Hashable, Sendable {
    package let consumer: String
    package let position: Int
    package let end: Int
  }

  /// Copies the log as it was: see ``Log/copy(before:to:_:progress:)``.
  package func copy(
    to directory: Directory, _ options: LogCopyOptions, progress: (_ bytes: Int) throws -> Void
  ) throws -> LogCopyReport {
    try log.copy(before: count, to: directory, options, progress: progress)
  }

  /// Copies the files beside the log: the positions of its consumers, the jobs that work queues have done, and what projections
  /// saved. Call it once the log is copied. The copies are on stable storage when it returns.
  ///
  /// A projection's snapshot is copied only if the copy has all records that are in it.
  ///
  /// - Parameter directory: where the copy is.
  /// - Returns: the consumers whose positions were beyond the copy's end.
  /// - Throws: as `copy`.
  package func copyConsumers(to directory: Directory, _ options: LogCopyOptions) throws -> [Moved] {
    let files = log.currentFiles.home.moved(to: directory)
    let trust = FileTrust(in: directory, acceptsFilesOfOthers: options.acceptsFilesOfOthers)
    let original = try log.reader.anyDescriptor()
    try copyQueues(files, trust, options)
    let end = try log.open.place(count)
    var moved: [Moved] = []
    let items = positions.map { item in
      let position = item.mark.last.number
      if position > count { moved.append(Moved(consumer: item.consumer, position: position, end: count)) }
      // The position was checked by the cut already, so it is bound to no run of the machine.
      let mark = PositionCopies.mark(item.mark, upTo: end, inRun: 0)
      return PositionCopies.CopiedPosition(consumer: item.consumer, mark: mark, generation: item.generation)
    }
    try PositionCopies(files, trust).write(items, like: original)
    try copySnapshots(files, trust, like: original)
    return moved
  }

  /// The state logs of work queues, before the positions that count on them.
  private func copyQueues(_ files: LogFiles, _ trust: FileTrust, _ options: LogCopyOptions) throws {
    let names = Set(queues.map(\.name))
    let folder =
      names.isEmpty
      ? try io(trust.folder(files.consumersFolder, of: files))
      : try io(trust.makeFolder(files.consumersFolder, of: files))
    guard let folder else { return }
    // A queue drops done jobs from the front of its state. A queue that was moved has another state.
    let follows = LogCopyOptions(
      followsRemoval: true, mayBeginAnew: true, acceptsFilesOfOthers: options.acceptsFilesOfOthers)
    func remove(_ name: String) throws {
      try QueueJournal.remove(name, in: folder, acceptsFilesOfOthers: options.acceptsFilesOfOthers)
    }
    for queue in queues {
      do {
        _ = try queue.log.copy(before: queue.count, to: folder, follows)
      } catch is CopyRefusal {
        try remove(queue.name)
        _ = try queue.log.copy(before: queue.count, to: folder, follows)
      }
    }
    for name in try io(LogFiles.names(in: folder)) where !names.contains(name) { try remove(name) }
  }

  private func copySnapshots(_ files: LogFiles, _ trust: FileTrust, like log: Descriptor) throws {
    if snapshots.isEmpty { return }
    let folder = try io(trust.makeFolder(files.projectionsFolder, of: files))
    for (name, file) in snapshots {
      let size = try io(file.size)
      guard let header = try header(of: file), header.snapshot.sequence <= count else { continue }
      if let there = try io(folder.openIfPresent(name, .read)), try io(there.size) == size,
        try self.headerBytes(of: there) == self.headerBytes(of: file)
      {
        continue
      }
      try io(file.copy(0..<size, to: name, in: folder, like: log))
    }
    try io(folder.flush())
    try io(files.directory.flush())
  }

  /// Nil for a file that is not a snapshot.
  private func header(of file: Descriptor) throws -> Snapshot.Header? {
    let bytes = try headerBytes(of: file)
    return unsafe bytes.withBytes { unsafe try? Snapshot.header(decoding: $0) }
  }

  private func headerBytes(of file: Descriptor) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Snapshot.headerSize)
    _ = try unsafe bytes.withMutableBytes { (bytes) throws(ImmutaError) in try unsafe io(file.read(into: bytes, at: 0))
    }
    return bytes
  }
}
