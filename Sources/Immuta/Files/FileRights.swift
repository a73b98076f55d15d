/// The owner of a file, and the rights of users to it.
package struct FileRights: Hashable, Sendable {
  var owner: UInt32
  var group: UInt32
  /// The nine bits of owner, group and others.
  var mode: UInt16

  /// For a file beside this one that concerns only users that may write: they may read and write it, and nobody else may even
  /// open it. The owner always may, as it could give itself the right.
  var ofWriters: FileRights {
    let writing = mode & 0o222 | 0o200
    return FileRights(owner: owner, group: group, mode: writing | writing << 1)
  }
}
