import ImmutaLocking
import Synchronization

/// A directory that was opened once. Its files are found in it from then on, whatever becomes of its path: a relative path and
/// `chdir`, a symbolic link that leads elsewhere now, or a user that may no longer pass through its parents.
///
/// Names are those of files, without a slash. Calls throw `.closed` once the directory is closed.
package final class Directory: Sendable {
  /// As it was given: for messages.
  package let path: String
  private let own: Own
  /// What is closed with it.
  let together: ClosedTogether
  /// The path from the root, as it was given otherwise; nil where the system does not say where this process is.
  let absolutePath: String?
  /// The same with every symbolic link followed, when the directory was opened.
  let resolvedPath: String?
  let identity: FileIdentity
  /// Relaxed: it is set before the error is thrown, and read by callers that got the error.
  private let flushFailed = Atomic(false)
  /// See ``noteNames()``. Releasing and acquiring: a caller that sees a number finds the names that it stands for.
  private let namesNoted = Atomic(0)
  /// Up to which of them a flush covered all. Held while one runs.
  private let namesFlushed = Lock(0)

  /// Whether a flush of the directory, or of its own entry, failed.
  var hasFailedFlush: Bool { flushFailed.load(ordering: .relaxed) }
  /// The root that paths begin at, when the directory was opened.
  let root = Directory.identityOfRoot

  package init(opening path: String) throws(FileError) {
    self.path = path.isEmpty ? "." : path
    let descriptor = try Descriptor(openingDirectory: self.path)
    let status = try descriptor.status()
    guard status.isDirectory else { throw .failed(.open, ErrorNumber.notDirectory, path: self.path) }
    identity = status.identity
    absolutePath = SystemCalls.absolutePath(self.path)
    resolvedPath = SystemCalls.resolvedPath(self.path)
    (own, together) = try Self.own(descriptor)
  }

  deinit { together.release() }

  /// Its descriptors.
  private final class Own: ClosedTogether.Member {
    /// Nil once it is closed.
    let directory: Lock<Descriptor?>
    /// The directory that holds its entry, once that was needed.
    let parent = Lock<Descriptor?>(nil)

    init(_ directory: Descriptor) { self.directory = Lock(directory) }

    func close() {
      directory.withLock { $0 = nil }
      parent.withLock { $0 = nil }
    }
  }

  private static func own(
    _ descriptor: Descriptor, in holder: ClosedTogether? = nil
  ) throws(FileError) -> (Own, ClosedTogether) {
    let own = Own(descriptor)
    guard let together = ClosedTogether(own, in: holder) else { throw .closed }
    return (own, together)
  }

  func opened() throws(FileError) -> Descriptor {
    guard let descriptor = own.directory.withLock({ $0 }) else { throw .closed }
    return descriptor
  }

  /// Calls `body` with the number of its descriptor, which stays open meanwhile, whoever closes the directory.
  func withNumber<R>(_ body: (Int32) throws(FileError) -> R) throws(FileError) -> R {
    let descriptor = try opened()
    return try withExtendedLifetime(descriptor) { () throws(FileError) in try body(descriptor.number) }
  }

  /// Lets go of its own descriptors: no file is opened in it any more. What is open stays readable until ``close()``.
  package func letGo() { own.close() }

  /// Lets go of the descriptors, its own and those of the folders and files that are closed with it; calls that are under way
  /// finish.
  package func close() { together.close() }

  /// The path of a file in it, for messages.
  package func path(of name: String) -> String {
    FilePath.appending(name, to: path)
  }

  // MARK: Its files

  /// A regular file. Anything else with the name is refused: a symbolic link as a failed call, other things as `.notRegular`.
  package func open(_ name: String, _ mode: SystemCalls.OpenMode) throws(FileError) -> Descriptor {
    try openWithStatus(name, mode).file
  }

  private func openWithStatus(
    _ name: String, _ mode: SystemCalls.OpenMode
  ) throws(FileError) -> (file: Descriptor, status: SystemCalls.Status) {
    let file = try Descriptor(opening: name, of: opened(), mode, path: path(of: name))
    let status = try file.status()
    guard status.isRegular else { throw notRegular(name) }
    return (file, status)
  }

  private func notRegular(_ name: String) -> FileError { .notRegular(path: path(of: name)) }

  /// The status of a file that is about to be opened; nil when no file has the name. Throws what opening it would throw.
  package func statusOfFile(_ name: String) throws(FileError) -> SystemCalls.Status? {
    guard let status = try status(of: name) else { return nil }
    if status.isSymbolicLink {
      throw .failed(.open, ErrorNumber.isSymbolicLink, path: path(of: name))
    }
    guard status.isRegular else { throw notRegular(name) }
    return status
  }

  /// Makes a file that belongs to another, with the owner and the rights of that one before a byte is in it.
  package func create(_ name: String, like original: Descriptor) throws(FileError) -> Descriptor {
    try create(name, original.status().rights)
  }

  /// The same with rights of the caller's choice; without any, for this process's user alone.
  func create(_ name: String, _ rights: FileRights?) throws(FileError) -> Descriptor {
    let file = try open(name, .createPrivate)
    do throws(FileError) {
      if let rights { try file.take(rights) }
      return file
    } catch {
      try? remove(name)
      throw error
    }
  }

  /// Nil when there is no file of this name.
  package func openIfPresent(_ name: String, _ mode: SystemCalls.OpenMode) throws(FileError) -> Descriptor? {
    try openIfPresentWithStatus(name, mode)?.file
  }

  /// The same, with the status that opening found.
  func openIfPresentWithStatus(
    _ name: String, _ mode: SystemCalls.OpenMode
  ) throws(FileError) -> (file: Descriptor, status: SystemCalls.Status)? {
    do {
      return try openWithStatus(name, mode)
    } catch let error where error.errorNumber == ErrorNumber.notFound {
      return nil
    }
  }

  /// The status of the file with the name; a symbolic link is not followed. Nil if there is none.
  package func status(of name: String) throws(FileError) -> SystemCalls.Status? {
    try withNumber { (number) throws(FileError) in try SystemCalls.status(number, name, path: path(of: name)) }
  }

  /// Of the directory itself.
  package func status() throws(FileError) -> SystemCalls.Status { try opened().status() }

  /// Bytes that this user's files may still take in its file system.
  package func freeSpace() throws(FileError) -> Int {
    try withNumber { (number) throws(FileError) in try SystemCalls.freeSpace(number, path: path) }
  }

  /// Whether the locks of files in it need no descriptor: see ``FileLock/withoutDescriptor(in:)``.
  package var keepsLocksOfMappings: Bool { (try? opened().fileSystem.keepsLocksOfMappings) ?? false }

  package func remove(_ name: String) throws(FileError) {
    try withNumber { (number) throws(FileError) in try SystemCalls.unlink(number, name, path: path(of: name)) }
  }

  package func removeIfPresent(_ name: String) throws(FileError) {
    do {
      try remove(name)
    } catch let error where error.errorNumber == ErrorNumber.notFound {
      return
    }
  }

  private static var mostAttempts: Int { 16 }

  /// Removes a folder with the files in it, if it exists. Anything else with the name is left alone, and so is a folder that
  /// holds another one: then it throws.
  func removeFolder(_ name: String) throws(FileError) {
    guard try status(of: name)?.isDirectory == true else { return }
    let folder = try Descriptor(openingFolder: name, of: opened(), path: path(of: name))
    for attempt in 1...Self.mostAttempts {
      for file in try SystemCalls.names(folder.number, path: folder.path) where file != "." && file != ".." {
        do {
          try SystemCalls.unlink(folder.number, file, path: "\(folder.path)/\(file)")
        } catch let error where error.errorNumber == ErrorNumber.notFound {
          continue
        }
      }
      do {
        return try withNumber { (number) throws(FileError) in
          try SystemCalls.unlink(number, name, isFolder: true, path: path(of: name))
        }
      } catch let error where error.errorNumber == ErrorNumber.notEmpty && attempt < Self.mostAttempts {
        // Another process was making a file in it, such as that of an index of keys.
        continue
      }
    }
  }

  /// Gives a file of a folder its name here.
  func takeOver(_ name: String, from folder: Directory) throws(FileError) {
    try folder.withNumber { (folder) throws(FileError) in
      try withNumber { (number) throws(FileError) in
        try SystemCalls.rename(folder, name, in: number, to: name, path: path(of: name))
      }
    }
  }

  package func rename(_ name: String, to newName: String) throws(FileError) {
    try withNumber { (number) throws(FileError) in
      try SystemCalls.rename(number, name, to: newName, path: path(of: newName))
    }
  }

  /// The names in it, in no order.
  package func names() throws(FileError) -> [String] {
    try withNumber { (number) throws(FileError) in try SystemCalls.names(number, path: path) }
  }

  /// Calls `body` with each of the names, without a list of all.
  func forEachName(_ body: (_ name: String) -> Void) throws(FileError) {
    try withNumber { (number) throws(FileError) in
      try SystemCalls.forEachName(number, path: path) { name, _ in body(name) }
    }
  }

  /// Whether a name in it leads to a file. O(names): checks only names that the directory lists as that file, or that are the
  /// file's name.
  func has(_ file: FileIdentity, called name: String) throws(FileError) -> Bool {
    var candidates: [String] = []
    try withNumber { (number) throws(FileError) in
      try SystemCalls.forEachName(number, path: path) { found, inode in
        if inode == file.inode || found == name { candidates.append(found) }
      }
    }
    for candidate in candidates where try status(of: candidate)?.identity == file { return true }
    return false
  }

  /// Puts its entries on stable storage.
  package func flush() throws(FileError) {
    try flush(opened())
  }

  /// Notes that files were made in it, or found. Returns the argument for ``flushNames(through:)``.
  func noteNames() -> Int { namesNoted.add(1, ordering: .acquiringAndReleasing).newValue }

  /// Puts the names of files on stable storage, and its own entry, unless that was done since they were noted: one flush
  /// serves all logs that were open when it began.
  func flushNames(through number: Int) throws(FileError) {
    try namesFlushed.withLock { (flushed) throws(FileError) in
      if flushed >= number { return }
      let noted = namesNoted.load(ordering: .acquiring)
      try flush()
      try flushEntry()
      flushed = noted
    }
  }

  /// Opens what ``flushEntry()`` needs, as that may not be possible later.
  package func prepareToFlushEntry() throws(FileError) { _ = try parent() }

  /// Nil if we may not open it.
  private func parent() throws(FileError) -> Descriptor? {
    try own.parent.withLock { (parent) throws(FileError) in
      // Once it is closed, none is opened.
      let directory = try opened()
      if parent != nil { return parent }
      do throws(FileError) {
        parent = try Descriptor(openingDirectory: "..", of: directory, path: FilePath.parent(of: path))
      } catch let error where error.failedCall == .open && ErrorNumber.isDenied(error.errorNumber) {
        return nil
      }
      return parent
    }
  }

  /// Puts its own entry in its parent on stable storage. If we may not open the parent, this is left to the process that made the
  /// directory.
  package func flushEntry() throws(FileError) {
    guard let parent = try parent() else { return }
    do {
      try flush(parent)
    } catch let error where error.errorNumber == ErrorNumber.isPathOnly {
      // It may be passed through and not be read.
      return
    }
  }

  private func flush(_ directory: Descriptor) throws(FileError) {
    do throws(FileError) {
      try directory.flushEntries()
    } catch {
      if error.errorNumber != ErrorNumber.isPathOnly { flushFailed.store(true, ordering: .relaxed) }
      throw error
    }
  }

  /// A new file that no name leads to.
  ///
  /// - Parameter name: one that nothing else has, for file systems that have no such files.
  func openUnnamed(_ name: String) throws(FileError) -> Descriptor {
    try Descriptor(unnamedIn: opened(), name: name, path: path(of: name))
  }

  // MARK: Others like it

  /// The same directory, opened once more: closing one leaves the other open.
  package func duplicate() throws(FileError) -> Directory {
    try Directory(of: self, Descriptor(openingDirectory: ".", of: opened(), path: path))
  }

  /// A folder of another directory. A symbolic link of that name is not followed.
  init(folder name: String, of parent: Directory) throws(FileError) {
    path = parent.path(of: name)
    let descriptor = try Descriptor(openingFolder: name, of: parent.opened(), path: path)
    identity = try descriptor.status().identity
    absolutePath = parent.absolutePath.map { FilePath.appending(name, to: $0) }
    resolvedPath = parent.resolvedPath.map { FilePath.appending(name, to: $0) }
    (own, together) = try Self.own(descriptor, in: parent.together)
  }

  private init(of other: Directory, _ descriptor: Descriptor) throws(FileError) {
    path = other.path
    absolutePath = other.absolutePath
    resolvedPath = other.resolvedPath
    identity = other.identity
    (own, together) = try Self.own(descriptor)
  }

  /// The directory that the path, as it was given, leads to now. It is closed with this one, at the latest.
  package func reopened() throws(FileError) -> Directory {
    try Directory(reopening: absolutePath ?? path, as: path, in: together)
  }

  private init(reopening absolutePath: String, as path: String, in holder: ClosedTogether) throws(FileError) {
    let descriptor = try Descriptor(openingDirectory: absolutePath)
    identity = try descriptor.status().identity
    self.path = path
    self.absolutePath = absolutePath
    resolvedPath = SystemCalls.resolvedPath(absolutePath)
    (own, together) = try Self.own(descriptor, in: holder)
  }
}
