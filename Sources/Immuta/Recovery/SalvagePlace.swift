/// Where a salvage makes the new log: in a folder beside the others. From there its files get their names, once all of it is on
/// stable storage. So a salvage that is cut off leaves nothing that can be taken for a log, and the next one into the same
/// namespace removes the rest.
///
/// The new log's lock is held from the beginning: a process that has the lock and finds the folder knows that nobody is at work
/// there.
struct SalvagePlace {
  /// The folder, where the files have the names that they keep.
  let folder: Directory
  /// Whether a salvage that did not end had left something, which is gone.
  let hasCleared: Bool
  private let files: LogFiles
  private let lock: FileLock
  private let isLockNew: Bool
  /// The files that have got their names.
  private var installed: [String] = []

  /// - Parameters:
  ///   - files: of the log that is to be made.
  ///   - log: the one whose records it gets, and whose rights.
  /// - Throws: `.duplicateNamespace` where there are such files, `.locked`, `.foreignOwner`, `.io`.
  init(_ files: LogFiles, like log: Descriptor, _ trust: FileTrust) throws(ImmutaError) {
    let directory = files.directory
    // No lock is made beside existing files of others.
    if try !Self.isFree(files), try !Self.hasLeftovers(files) { throw .duplicateNamespace(files.namespace) }
    let isLockNew = try io(directory.status(of: files.lock) == nil)
    let rights = try io(log.status()).rights
    let lock = try io(
      FileLock.take(files.lock, in: directory, subject: files.namespace, rights: rights, trust: trust))
    (self.files, self.lock, self.isLockNew) = (files, lock, isLockNew)
    do throws(ImmutaError) {
      hasCleared = try Self.hasLeftovers(files)
      if hasCleared { try Self.clear(files, trust) }
      // Any existing file of that name belongs to others, and the new log would replace it, or go on with it.
      guard try Self.isFree(files) else { throw .duplicateNamespace(files.namespace) }
      folder = try io(directory.makePrivateFolder(files.salvage))
      try io(trust.check(folder.status(), files.salvage))
    } catch {
      Self.letGo(lock, files, isNew: isLockNew)
      throw error
    }
  }

  private static func isFree(_ files: LogFiles) throws(ImmutaError) -> Bool {
    for name in files.ofLog + [files.segmentsFolder] where try io(files.directory.status(of: name) != nil) {
      return false
    }
    return true
  }

  private static func hasLeftovers(_ files: LogFiles) throws(ImmutaError) -> Bool {
    try io(files.directory.status(of: files.salvage)?.isDirectory == true)
  }

  /// Removes the files of a salvage that did not end.
  private static func clear(_ files: LogFiles, _ trust: FileTrust) throws(ImmutaError) {
    let directory = files.directory
    guard let folder = try io(trust.folder(files.salvage, of: files)) else { return }
    // Some had got their names, and the log had not: nobody else made them, whose log is missing.
    if try io(directory.status(of: files.log) == nil), try io(folder.status(of: files.log) != nil),
      try io(folder.status(of: Self.completeMark) != nil)
    {
      for name in files.ofLog where try io(folder.status(of: name) == nil) {
        try io(directory.removeIfPresent(name))
      }
    }
    try io(directory.removeFolder(files.salvage))
  }

  /// The name of an empty file that says that the new log is whole, and that its files are getting their names.
  private static var completeMark: String { "complete" }

  /// Gives the files their names, the log last, which makes it one; and lets go of the lock. They are on stable storage.
  mutating func install() throws(ImmutaError) {
    let directory = files.directory
    // Before a file gets its name, and on stable storage.
    _ = try io(folder.open(Self.completeMark, .createNew))
    try io(folder.flush())
    for name in files.ofLog.reversed() where try io(folder.status(of: name) != nil) {
      if name == files.log { try io(directory.flush()) }
      try io(directory.takeOver(name, from: folder))
      installed.append(name)
    }
    try io(directory.flush())
    // The log is complete. The remaining files hold nothing of it.
    try? directory.removeFolder(files.salvage)
    lock.unlock()
  }

  /// Removes all that was made, and lets go of the lock.
  func abandon() {
    let directory = files.directory
    // The log first: without it, the others say that one is missing.
    for name in installed.reversed() { try? directory.remove(name) }
    try? directory.removeFolder(files.salvage)
    Self.letGo(lock, files, isNew: isLockNew)
  }

  private static func letGo(_ lock: FileLock, _ files: LogFiles, isNew: Bool) {
    // Removed while it is held: a process that opens it now finds that it has lost its name, and makes another.
    if isNew { try? files.directory.remove(files.lock) }
    lock.unlock()
  }
}
