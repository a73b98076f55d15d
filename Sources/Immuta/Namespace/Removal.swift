/// Removes a log and the files beside it: seen from outside, all of it or nothing.
///
/// One step removes the log, and is on stable storage before any other file is removed. In a log that has rolled, the folder of
/// its segments gets another name: a folder of that name shows that the log is gone, whatever is left of it, and the next opening
/// for appending, or the next removal, finishes the work. That folder is removed last. In a log of one file, that file is removed
/// first: a crash then leaves a companion or a meta file that says that a log is missing, which opening refuses.
struct Removal {
  let files: LogFiles
  let trust: FileTrust

  /// - Throws: `.namespaceNotFound`, `.locked`, `.foreignOwner`, `.io`.
  func run() throws(ImmutaError) {
    if try !hasRemains() { throw .namespaceNotFound(files.namespace) }
    try remove { () throws(ImmutaError) -> Bool in
      // An older folder of that name was left by a removal that did not end.
      if try !io(files.isBeingRemoved()), try io(isFolder(files.segmentsFolder)) {
        try io(files.directory.rename(files.segmentsFolder, to: files.removedFolder))
        try io(files.directory.flush())
      }
      return true
    }
  }

  /// Removes what a removal that did not end has left; otherwise does nothing.
  func finish() throws(ImmutaError) {
    if try !io(files.isBeingRemoved()) { return }
    // Another process may have been faster, and may have made a new log since.
    try remove { () throws(ImmutaError) in try io(files.isBeingRemoved()) }
  }

  /// - Parameter mark: marks a log that has rolled as removed; false if there is nothing to remove.
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
    // The files that say that a log existed.
    try io(directory.removeIfPresent(files.companion))
    try io(directory.removeIfPresent(files.meta))
    if try io(files.isBeingRemoved()) {
      // Once this is on stable storage, nothing is left that could be taken for a log: only then is the mark removed.
      try io(directory.flush())
      try io(directory.removeFolder(files.removedFolder))
    }
    // Removed while it is held: a process that opens it now finds that it has lost its name, and makes another.
    try io(directory.removeIfPresent(files.lock))
    try io(directory.flush())
  }

  /// The state logs of work queues may have rolled: then the folder contains folders.
  private func removeStatesOfQueues() throws(ImmutaError) {
    guard let folder = try io(files.directory.folder(files.consumersFolder)) else { return }
    for name in try io(folder.names()) where name.hasSuffix(".segments") || name.hasSuffix(".segments.removed") {
      try io(folder.removeFolder(name))
    }
  }

  private func isFolder(_ name: String) throws(FileError) -> Bool {
    try files.directory.status(of: name)?.isDirectory == true
  }

  /// Whether a log exists, or files are left of one whose removal was cut off, or that was lost.
  private func hasRemains() throws(ImmutaError) -> Bool {
    let all = [files.log, files.companion, files.newCompanion, files.meta, files.removedFolder] + files.folders
    for name in all where try io(files.directory.status(of: name) != nil) { return true }
    return false
  }
}
