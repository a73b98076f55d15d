/// Removes a log and what is kept beside it: from the outside, all of it or nothing.
///
/// One step removes the log, and is on stable storage before anything else goes. Of a log that has rolled, the folder of its
/// segments gets another name: whoever finds a folder of that name knows that the log is gone, whatever is left of it, and the
/// next opening for appending, or the next removal, finishes the work. It goes last. Of a log of one file, that file goes
/// first: what a crash leaves is a companion or a meta file that says that a log is missing, which opening refuses.
struct Removal {
  let files: LogFiles
  let trust: FileTrust

  /// - Throws: `.namespaceNotFound`, `.locked`, `.foreignOwner`, `.io`.
  func run() throws(ImmutaError) {
    if try !hasRemains() { throw .namespaceNotFound(files.namespace) }
    try remove { () throws(ImmutaError) -> Bool in
      // An older folder of that name is of a removal that did not end.
      if try !io(files.isBeingRemoved()), try io(isFolder(files.segmentsFolder)) {
        try io(files.directory.rename(files.segmentsFolder, to: files.removedFolder))
        try io(files.directory.flush())
      }
      return true
    }
  }

  /// Removes what is left where a removal did not end; nothing elsewhere.
  func finish() throws(ImmutaError) {
    if try !io(files.isBeingRemoved()) { return }
    // Somebody else may have been faster, and have made a new log since.
    try remove { () throws(ImmutaError) in try io(files.isBeingRemoved()) }
  }

  /// - Parameter mark: makes a log that has rolled one that was removed; false where there is nothing to remove.
  private func remove(_ mark: () throws(ImmutaError) -> Bool) throws(ImmutaError) {
    let directory = files.directory
    let log = try io(directory.statusOfFile(files.log))
    if let log { try io(trust.check(log, files.log)) }
    let lock = try io(
      FileLock.take(
        files.lock, in: directory, subject: files.namespace, rights: log?.rights, trust: trust, of: log))
    defer { lock.unlock() }
    if try !mark() { return }
    try io(directory.removeIfPresent(files.log))
    try io(directory.flush())
    try io(directory.removeIfPresent(files.newCompanion))
    let folders = files.folders
    try removeStatesOfQueues()
    for folder in folders { try io(directory.removeFolder(folder)) }
    // Those that say that there was a log.
    try io(directory.removeIfPresent(files.companion))
    try io(directory.removeIfPresent(files.meta))
    if try io(files.isBeingRemoved()) {
      // Nothing is left that could be taken for a log, once this is on stable storage: only then the mark goes.
      try io(directory.flush())
      try io(directory.removeFolder(files.removedFolder))
    }
    // While it is held: whoever opens it now finds that it has lost its name, and makes another.
    try io(directory.removeIfPresent(files.lock))
    try io(directory.flush())
  }

  /// The state logs of work queues may have rolled: then there are folders in the folder.
  private func removeStatesOfQueues() throws(ImmutaError) {
    guard let folder = try io(files.directory.folder(files.consumersFolder)) else { return }
    for name in try io(folder.names()) where name.hasSuffix(".segments") || name.hasSuffix(".segments.removed") {
      try io(folder.removeFolder(name))
    }
  }

  private func isFolder(_ name: String) throws(FileError) -> Bool {
    try files.directory.status(of: name)?.isDirectory == true
  }

  /// Whether there is a log, or something is left of one whose removal was cut off, or that was lost.
  private func hasRemains() throws(ImmutaError) -> Bool {
    let all = [files.log, files.companion, files.newCompanion, files.meta, files.removedFolder] + files.folders
    for name in all where try io(files.directory.status(of: name) != nil) { return true }
    return false
  }
}
