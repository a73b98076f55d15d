/// To which users' files this process writes. Another user can read a file that he put there, and its contents may be false.
///
/// Trusted are files of this user, of root, and of the directory's owner, who may replace any file; and all files of a directory
/// in which only its owner may make files.
package struct FileTrust: Sendable {
  private let directory: Directory
  private let acceptsFilesOfOthers: Bool

  package init(in directory: Directory, acceptsFilesOfOthers: Bool = false) {
    self.directory = directory
    self.acceptsFilesOfOthers = acceptsFilesOfOthers
  }

  /// Throws `.foreignOwner` for a file that is not to be written to.
  ///
  /// - Parameter log: the log that the file belongs to: a user who is trusted with the log is trusted with this file.
  package func check(_ file: SystemCalls.Status, _ name: String, of log: SystemCalls.Status? = nil) throws(FileError) {
    if try holds(file, of: log) { return }
    throw .foreignOwner(path: directory.path(of: name), owner: Int(file.rights.owner))
  }

  /// Whether a file may be written to, or trusted if its contents cannot be checked.
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

  /// Throws `.foreignOwner` if a log's meta file belongs to an untrusted user.
  func checkMeta(of files: LogFiles) throws(FileError) {
    let directory = files.home.directory
    guard let status = try directory.status(of: files.meta) else { return }
    try check(status, files.meta, in: directory, of: files)
  }

  /// A log's companion, for reading only; nil if there is none, or if it belongs to an untrusted user, who could put false claims
  /// about the log's records into it.
  func companion(of files: LogFiles) throws(FileError) -> Descriptor? { try companionWithStatus(of: files)?.file }

  /// The same, with the status that opening found.
  func companionWithStatus(
    of files: LogFiles
  ) throws(FileError) -> (file: Descriptor, status: SystemCalls.Status)? {
    guard let found = try files.directory.openIfPresentWithStatus(files.companion, .read) else { return nil }
    return try holds(found.status, in: files.directory, of: files) ? found : nil
  }

  /// A folder of a log; nil if there is none. The user who made it may put any file into it, and remove any.
  ///
  /// - Throws: `.foreignOwner` if it belongs to a user who must not be trusted with the log.
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
