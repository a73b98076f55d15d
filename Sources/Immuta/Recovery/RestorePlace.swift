/// Where logs are put back into a directory: in a folder in it, `.restore`, from where their files get their names once all are
/// complete. So a restore that is cut off leaves nothing that can be taken for a log.
///
/// The locks of the logs are held from the beginning: nobody makes one of their names meanwhile.
package struct RestorePlace: Sendable {
  /// The folder, where the files have the names that they keep.
  package let folder: Directory
  private let directory: Directory
  private let logs: [LogFiles]
  private let locks: [(lock: FileLock, name: String, isNew: Bool)]

  private static let folderName = ".restore"

  /// Takes the locks, and removes the files of a restore that did not end.
  ///
  /// - Parameter namespaces: the logs that are put back.
  /// - Throws: `.duplicateNamespace` if one of them, or a file of one, exists; `.locked` while another restore is at work in the
  ///   directory, or somebody has a log of this name; `.foreignOwner`, `.io`.
  package init(
    in directory: Directory, _ namespaces: [String], arePartitions: Bool, acceptsFilesOfOthers: Bool
  ) throws(ImmutaError) {
    let trust = FileTrust(in: directory, acceptsFilesOfOthers: acceptsFilesOfOthers)
    let logs = namespaces.map { LogFiles(directory: directory, namespace: $0, isPartition: arePartitions) }
    (self.directory, self.logs) = (directory, logs)
    // No lock is made beside existing files of others.
    for files in logs { try Self.checkIsFree(files) }
    folder = try io(trust.makeFolder(Self.folderName, in: directory))
    guard try io(folder.opened().tryLock()) else {
      throw .locked(LockHolder(LockNote(subject: folder.path, processID: nil, since: nil)))
    }
    for name in try io(folder.names()) where name != "." && name != ".." { try io(folder.removeTree(name)) }
    var locks: [(lock: FileLock, name: String, isNew: Bool)] = []
    do throws(ImmutaError) {
      let rights = try io(directory.status()).rights
      for files in logs {
        let isNew = try io(directory.status(of: files.lock) == nil)
        let lock = try io(
          FileLock.take(files.lock, in: directory, subject: files.namespace, rights: rights, trust: trust))
        locks.append((lock, files.lock, isNew))
        try Self.checkIsFree(files)
      }
    } catch {
      Self.letGo(locks, in: directory)
      throw error
    }
    self.locks = locks
  }

  private static func checkIsFree(_ files: LogFiles) throws(ImmutaError) {
    for name in files.ofLog + files.folders where try io(files.directory.status(of: name) != nil) {
      throw .duplicateNamespace(files.namespace)
    }
    if try io(files.isBeingRemoved()) { throw .duplicateNamespace(files.namespace) }
  }

  /// Gives the files their names: for each log, the log file last. All is on stable storage when it returns. Releases the locks.
  package func install() throws(ImmutaError) {
    for files in logs {
      let home = files.ofLog.reversed()
      let folders = files.folders.filter { $0 != files.segmentsFolder }
      for name in folders + home.dropLast() + [files.segmentsFolder, files.log] {
        guard try io(folder.status(of: name) != nil) else { continue }
        try io(directory.takeOver(name, from: folder))
      }
    }
    try io(directory.flush())
    try io(directory.flushEntry())
    try? directory.removeTree(Self.folderName)
    for (lock, _, _) in locks { lock.unlock() }
  }

  /// Removes files that were not put in their places, and releases the locks, if ``install()`` was not called, or has thrown.
  package func end() {
    try? directory.removeTree(Self.folderName)
    Self.letGo(locks, in: directory)
  }

  private static func letGo(_ locks: [(lock: FileLock, name: String, isNew: Bool)], in directory: Directory) {
    for (lock, name, isNew) in locks {
      // Removed while it is held: a process that opens it now finds that it has lost its name, and makes another.
      if isNew { try? directory.remove(name) }
      lock.unlock()
    }
  }
}
