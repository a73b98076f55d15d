import ImmutaLocking

// Folders in a directory that belong to a log.

extension Directory {
  /// A folder in it, found by this directory's descriptor, whatever becomes of its path; nil if it does not exist. Anything else
  /// with the name, such as a symbolic link, is an error.
  func folder(_ name: String) throws(FileError) -> Directory? {
    guard let status = try status(of: name) else { return nil }
    guard status.isDirectory else { throw .failed(.open, ErrorNumber.notDirectory, path: path(of: name)) }
    return try Directory(folder: name, of: self)
  }

  /// Makes a folder for this process's user alone.
  func makePrivateFolder(_ name: String) throws(FileError) -> Directory {
    try withNumber { (number) throws(FileError) in
      try SystemCalls.makeDirectory(name, in: number, mode: 0o700, path: path(of: name))
    }
    return try Directory(folder: name, of: self)
  }

  /// Calls `body` while nobody else does, in this process or another, among all that opened the directory themselves, as
  /// ``folder(_:)`` does. Waits for the others, for ten seconds at most.
  func alone<R>(_ body: () throws(FileError) -> R) throws(FileError) -> R {
    let descriptor = try opened()
    let deadline = ContinuousClock.now + .seconds(10)
    var pause: Int64 = 20_000
    repeat {
      if try descriptor.tryLock() {
        defer { descriptor.unlock() }
        return try body()
      }
      ThreadGate().wait(nanoseconds: pause)
      pause = min(2 * pause, 1_000_000)
    } while ContinuousClock.now < deadline
    throw .locked(LockNote(subject: path, processID: nil, since: nil))
  }

  /// The same as ``folder(_:)``; made where there is none, with the owner and the rights of this directory.
  func makeFolder(_ name: String) throws(FileError) -> Directory {
    if let folder = try folder(name) { return folder }
    do throws(FileError) {
      try withNumber { (number) throws(FileError) in
        try SystemCalls.makeDirectory(name, in: number, path: path(of: name))
      }
    } catch let error where error.errorNumber == ErrorNumber.exists {
      // Another process was faster.
      return try Directory(folder: name, of: self)
    }
    let folder = try Directory(folder: name, of: self)
    let (wanted, made) = (try status().rights, try folder.status().rights)
    // Only a process that may give files away can have made one that belongs to another user.
    if wanted.owner != made.owner, ThisProcess.effectiveUser == 0 { try folder.opened().take(wanted) }
    return folder
  }

  /// Removes the file or folder with a name, a folder with everything in it.
  func removeTree(_ name: String) throws(FileError) {
    guard let status = try status(of: name) else { return }
    guard status.isDirectory else { return try removeIfPresent(name) }
    let folder = try Directory(folder: name, of: self)
    for inner in try folder.names() where inner != "." && inner != ".." { try folder.removeTree(inner) }
    try removeFolder(name)
  }

  /// Gives the directory, which this process has made, the owner and the rights of another, as far as it may.
  package func take(rightsOf other: Directory) throws(FileError) {
    try opened().take(other.status().rights)
  }
}
