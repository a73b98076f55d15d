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
    try remove { () throws(ImmutaError) in
      // An older folder of that name is of a removal that did not end.
      if try !io(files.isBeingRemoved()), try io(isFolder(files.segmentsFolder)) {
        try io(files.directory.rename(files.segmentsFolder, to: files.removedFolder))
        try io(files.directory.flush())
      }
    }
  }

  /// Removes what is left where a removal did not end; nothing elsewhere.
  func finish() throws(ImmutaError) {
    if try !io(files.isBeingRemoved()) { return }
    try remove { () throws(ImmutaError) in }
  }

  /// - Parameter mark: makes a log that has rolled one that was removed.
  private func remove(_ mark: () throws(ImmutaError) -> Void) throws(ImmutaError) {
    let directory = files.directory
    let log = try io(directory.statusOfFile(files.log))
    if let log { try io(trust.check(log, files.log)) }
    let lock = try io(
      FileLock.take(
        files.lock, in: directory, subject: files.namespace, rights: log?.rights, trust: trust, of: log))
    defer { lock.unlock() }
    try mark()
    try io(directory.removeIfPresent(files.log))
    try io(directory.flush())
    try io(directory.removeIfPresent(files.newCompanion))
    let folders = files.folders
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
