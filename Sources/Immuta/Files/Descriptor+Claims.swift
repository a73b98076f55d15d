import CImmutaFileCalls

// That somebody writes a file, for all to see who would write it, too. The right to write a log is its ``FileLock``, and this is
// no second one: it finds the writer where somebody has removed the lock's file, so that a new one says that nobody has it.
//
// Linux's lock of an open file description (fcntl(2), F_OFD_SETLK), of one byte far beyond the file's end. Who may only read the
// file cannot claim it. They could lock the byte for reading, and so keep the writer from claiming it: it writes all the same.

extension Descriptor {
  /// Claims the file, as long as it is open or until ``disclaim()``. A mapping keeps it open.
  ///
  /// Where the file system knows no claims, or somebody who may only read the file is in the way, nothing happens.
  ///
  /// - Throws: `.locked` where another writer has claimed it.
  func claim(for subject: String) throws(FileError) {
    try withNumber { (number) throws(FileError) in
      if file_claim(number) != 0 { try Self.checkUnclaimed(number, subject) }
    }
  }

  /// Gives up the claim, whoever still keeps the open file.
  func disclaim() {
    // One that rests has given it up.
    let number = number
    if number >= 0 { file_disclaim(number) }
  }

  /// Throws `.locked` where somebody else has claimed the file.
  func checkUnclaimed(for subject: String) throws(FileError) {
    try withNumber { (number) throws(FileError) in try Self.checkUnclaimed(number, subject) }
  }

  private static func checkUnclaimed(_ number: Int32, _ subject: String) throws(FileError) {
    if file_is_claimed(number) { throw .locked(LockNote(subject: subject, processID: nil, since: nil)) }
  }
}
