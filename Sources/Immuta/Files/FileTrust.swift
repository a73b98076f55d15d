/// Whose files are written to. A file that somebody else put there may be read by that user, and may lie.
///
/// Files of this user and of root are trusted, and those of the directory's owner, who may put any file in the place of
/// any other; and so are all files of a directory in which nobody but its owner may make files.
package struct FileTrust: Sendable {
  private let directory: Directory
  private let acceptsFilesOfOthers: Bool

  package init(in directory: Directory, acceptsFilesOfOthers: Bool = false) {
    self.directory = directory
    self.acceptsFilesOfOthers = acceptsFilesOfOthers
  }

  /// Throws `.foreignOwner` for a file that is not to be written to.
  ///
  /// - Parameter log: the log that the file belongs to: whoever may be trusted with that one is trusted with this one.
  package func check(_ file: SystemCalls.Status, _ name: String, of log: SystemCalls.Status? = nil) throws(FileError) {
    if try holds(file, of: log) { return }
    throw .foreignOwner(path: directory.path(of: name), owner: Int(file.rights.owner))
  }

  /// Whether a file is to be written to, or believed where nothing that it says can be checked.
  package func holds(_ file: SystemCalls.Status, of log: SystemCalls.Status? = nil) throws(FileError) -> Bool {
    let owner = file.rights.owner
    if acceptsFilesOfOthers || owner == ThisProcess.effectiveUser || owner == 0 || owner == log?.rights.owner {
      return true
    }
    let directory = try directory.status()
    return owner == directory.rights.owner || directory.rights.mode & 0o022 == 0
  }

  // MARK: Of a log

  /// Whether a file or a folder in a directory is one of a log's own.
  func holds(_ file: SystemCalls.Status, in directory: Directory, of files: LogFiles) throws(FileError) -> Bool {
    let trust = at(directory)
    if try trust.holds(file) { return true }
    if try trust.holds(file, of: files.directory.status(of: files.log)) { return true }
    return files.first > 0 ? try trust.holds(file, of: files.home.directory.status(of: files.home.log)) : false
  }

  /// Throws `.foreignOwner` for a log's meta file, if there is one, that somebody put there who is not to be trusted.
  func checkMeta(of files: LogFiles) throws(FileError) {
    let directory = files.home.directory
    guard let status = try directory.status(of: files.meta) else { return }
    try check(status, files.meta, in: directory, of: files)
  }

  /// A log's companion, for those who only read; nil where there is none, or where somebody put it there who may say anything
  /// of the log's records in it.
  func companion(of files: LogFiles) throws(FileError) -> Descriptor? { try companionWithStatus(of: files)?.file }

  /// The same, with what opening found out of it.
  func companionWithStatus(
    of files: LogFiles
  ) throws(FileError) -> (file: Descriptor, status: SystemCalls.Status)? {
    guard let found = try files.directory.openIfPresentWithStatus(files.companion, .read) else { return nil }
    return try holds(found.status, in: files.directory, of: files) ? found : nil
  }

  /// A folder of a log; nil where there is none. Whoever has made it may put any file into it, and take any out.
  ///
  /// - Throws: `.foreignOwner` for one of somebody who is not to be trusted with the log.
  func folder(_ name: String, of files: LogFiles) throws(FileError) -> Directory? {
    let directory = files.home.directory
    guard let folder = try directory.folder(name) else { return nil }
    try check(folder.status(), name, in: directory, of: files)
    return folder
  }

  /// The same; made where there is none.
  func makeFolder(_ name: String, of files: LogFiles) throws(FileError) -> Directory {
    let directory = files.home.directory
    let folder = try directory.makeFolder(name)
    try check(folder.status(), name, in: directory, of: files)
    return folder
  }

  private func check(
    _ file: SystemCalls.Status, _ name: String, in directory: Directory, of files: LogFiles
  ) throws(FileError) {
    if try holds(file, in: directory, of: files) { return }
    throw .foreignOwner(path: directory.path(of: name), owner: Int(file.rights.owner))
  }

  /// A folder that belongs to no log alone; nil where there is none.
  func folder(_ name: String, in directory: Directory) throws(FileError) -> Directory? {
    guard let folder = try directory.folder(name) else { return nil }
    try at(directory).check(folder.status(), name)
    return folder
  }

  /// The same; made where there is none.
  func makeFolder(_ name: String, in directory: Directory) throws(FileError) -> Directory {
    let folder = try directory.makeFolder(name)
    try at(directory).check(folder.status(), name)
    return folder
  }

  private func at(_ directory: Directory) -> FileTrust {
    FileTrust(in: directory, acceptsFilesOfOthers: acceptsFilesOfOthers)
  }
}
