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
  func check(_ file: SystemCalls.Status, _ name: String, of log: SystemCalls.Status? = nil) throws(FileError) {
    if try holds(file, of: log) { return }
    throw .foreignOwner(path: directory.path(of: name), owner: Int(file.rights.owner))
  }

  /// Whether a file is to be written to, or believed where nothing that it says can be checked.
  func holds(_ file: SystemCalls.Status, of log: SystemCalls.Status? = nil) throws(FileError) -> Bool {
    let owner = file.rights.owner
    if acceptsFilesOfOthers || owner == ThisProcess.effectiveUser || owner == 0 || owner == log?.rights.owner {
      return true
    }
    let directory = try directory.status()
    return owner == directory.rights.owner || directory.rights.mode & 0o022 == 0
  }
}
