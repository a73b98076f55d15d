/// Removes a log and what is kept beside it.
///
/// The log goes first, and its removal is on stable storage before anything else goes: so whatever a crash leaves is the
/// whole log, or a companion or meta file that says that a log is missing, which opening refuses.
struct Removal {
  let files: LogFiles
  let trust: FileTrust

  /// - Throws: `.namespaceNotFound`, `.locked`, `.foreignOwner`, `.io`.
  func run() throws(ImmutaError) {
    let directory = files.directory
    let log = try io(directory.statusOfFile(files.log))
    if let log { try io(trust.check(log, files.log)) }
    if log == nil, try !hasRemains() { throw .namespaceNotFound(files.namespace) }
    let lock = try io(
      FileLock.take(
        files.lock, in: directory, subject: files.namespace, rights: log?.rights, trust: trust, of: log))
    defer { lock.unlock() }
    try io(directory.removeIfPresent(files.log))
    try io(directory.flush())
    try io(directory.removeIfPresent(files.newCompanion))
    for folder in files.folders { try io(directory.removeFolder(folder)) }
    // Last, those that say that there was a log.
    try io(directory.removeIfPresent(files.companion))
    try io(directory.removeIfPresent(files.meta))
    // While it is held: whoever opens it now finds that it has lost its name, and makes another.
    try io(directory.removeIfPresent(files.lock))
    try io(directory.flush())
  }

  /// Whether something is left of a log whose removal was cut off, or that was lost.
  private func hasRemains() throws(ImmutaError) -> Bool {
    for name in [files.companion, files.newCompanion, files.meta] + files.folders
    where try io(files.directory.status(of: name) != nil) {
      return true
    }
    return false
  }
}
