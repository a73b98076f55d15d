/// Whose a file is, and who may do what with it.
package struct FileRights: Hashable, Sendable {
  var owner: UInt32
  var group: UInt32
  /// The nine bits of owner, group and others.
  var mode: UInt16

  /// For a file beside this one that concerns only those who may write: they may read and write it, and nobody else
  /// may even open it. The owner always may: it could give itself the right.
  var ofWriters: FileRights {
    let writing = mode & 0o222 | 0o200
    return FileRights(owner: owner, group: group, mode: writing | writing << 1)
  }

  /// Gives a file these rights, as far as this process may: only root gives a file away. Where the group stays another,
  /// its members get no more than everybody has.
  ///
  /// - Throws: when the file has rights that it must not have.
  func apply(to file: Descriptor) throws(FileError) {
    var now = try file.status().rights
    if now.owner != owner || now.group != group {
      do throws(FileError) {
        try SystemCalls.changeOwner(file.number, owner, group, path: file.path)
      } catch let error where ErrorNumber.isDenied(error.errorNumber) {
        // The group alone may be one of this user's.
        try? SystemCalls.changeOwner(file.number, now.owner, group, path: file.path)
      }
      now = try file.status().rights
    }
    var wanted = mode
    if now.group != group {
      let everybody = mode >> 3 & mode & 0o7
      wanted = mode & 0o700 | everybody << 3 | everybody
    }
    if now.mode != wanted { try SystemCalls.changeMode(file.number, wanted, path: file.path) }
  }
}

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
