import CImmutaFileCalls

// Marks that a process writes a file, visible to all others that want to write it. The right to write a log is its ``FileLock``,
// and this is not a second one: it finds the writer if somebody has removed the lock's file, so that a new lock file would show
// no holder.
//
// Linux's lock of an open file description (fcntl(2), F_OFD_SETLK), of one byte far beyond the file's end. A user who may only
// read the file cannot claim it. Such a user could lock the byte for reading, and so keep the writer from claiming it: the writer
// writes all the same.

extension Descriptor {
  /// Claims the file, as long as it is open or until ``disclaim()``. A mapping keeps it open.
  ///
  /// If the file system knows no claims, or a user who may only read the file is in the way, nothing happens.
  ///
  /// - Throws: `.locked` where another writer has claimed it.
  func claim(for subject: String) throws(FileError) {
    try withNumber { (number) throws(FileError) in
      if file_claim(number) != 0 { try Self.checkUnclaimed(number, subject) }
    }
  }

  /// Gives up the claim, even if others still hold the open file.
  func disclaim() {
    // A descriptor that rests has given it up.
    let number = number
    if number >= 0 { file_disclaim(number) }
  }

  /// Throws `.locked` if another process has claimed the file.
  func checkUnclaimed(for subject: String) throws(FileError) {
    try withNumber { (number) throws(FileError) in try Self.checkUnclaimed(number, subject) }
  }

  private static func checkUnclaimed(_ number: Int32, _ subject: String) throws(FileError) {
    if file_is_claimed(number) { throw .locked(LockNote(subject: subject, processID: nil, since: nil)) }
  }
}
