import ImmutaLocking
import Synchronization

/// An open file. Closed when the last reference to it is released, so a number is never used after the system gave it away.
///
/// One that ``mayRest(in:as:_:_:)`` may be closed while it is held, and is opened again by the next call on it: see
/// ``OpenFiles``. Only code that knows that no bytes of the file wait for a flush lets it ``rest()``.
package final class Descriptor: Sendable {
  private let firstPath: String
  /// See ``noteName(_:)``. Relaxed: the caller that gives the file its name is its only user.
  private let isRenamed = Atomic(false)
  private let newPath = Lock("")
  /// For messages.
  package var path: String { isRenamed.load(ordering: .relaxed) ? newPath.withLock { $0 } : firstPath }
  /// -1 while it rests. Relaxed: read by calls that are among the `users`, whose count orders it.
  private let current: Atomic<Int32>
  /// Calls under way; less by ``resting`` while it rests. Acquiring and releasing: a call that finds it open sees the number.
  private let users = Atomic(0)
  /// Where it is found again; nil for one that never rests. Held while it is.
  private let origin = Lock<Origin?>(nil)
  /// Relaxed: set before anybody else has the descriptor.
  private let canRest = Atomic(false)

  private struct Origin {
    let directory: Directory
    let name: String
    let identity: FileIdentity
    let mode: SystemCalls.OpenMode
    let whenWoken: (@Sendable () -> Void)?
  }

  private static var resting: Int { Int.min / 2 }

  /// For calls that are made elsewhere, on a descriptor that never rests.
  package var number: Int32 { current.load(ordering: .relaxed) }

  /// Set where the flush is called, so that later code need not guess from an error which kind of call failed. Relaxed: it is set
  /// before the error is thrown, and read by callers that got the error.
  private let flushFailed = Atomic(false)
  /// How many bytes the file has at least, by the last reservation or truncation through this descriptor, while nobody else cuts
  /// it short. A value of its own: holding it keeps no file open.
  let knownSize = KnownSize()

  /// Whether a flush of this file failed: then it is unknown how much of it is on the device, and no later flush shows it.
  package var hasFailedFlush: Bool { flushFailed.load(ordering: .relaxed) }

  private init(number: Int32, path: String) {
    current = Atomic(number)
    firstPath = path
  }

  /// A file by its path: for files that belong to no log. Files of a log are opened in their ``Directory``.
  package convenience init(opening path: String, _ mode: SystemCalls.OpenMode) throws(FileError) {
    self.init(number: try SystemCalls.open(path, mode), path: path)
  }

  /// A file of a directory, by its name; `path` is for messages.
  convenience init(
    opening name: String, of directory: Descriptor, _ mode: SystemCalls.OpenMode, path: String
  ) throws(FileError) {
    self.init(number: try SystemCalls.open(directory.number, name, mode, path: path), path: path)
  }

  /// A directory, to look for files in.
  convenience init(openingDirectory path: String) throws(FileError) {
    self.init(number: try SystemCalls.openDirectory(SystemCalls.workingDirectory, path, path: path), path: path)
  }

  /// A directory by its name in another; `path` is for messages.
  convenience init(openingDirectory name: String, of directory: Descriptor, path: String) throws(FileError) {
    self.init(number: try SystemCalls.openDirectory(directory.number, name, path: path), path: path)
  }

  /// The same, where no symbolic link of this name is followed.
  convenience init(openingFolder name: String, of directory: Descriptor, path: String) throws(FileError) {
    self.init(number: try SystemCalls.openDirectory(directory.number, name, follows: false, path: path), path: path)
  }

  /// A new file of a directory that no name leads to.
  ///
  /// - Parameters:
  ///   - name: a name that nothing else has, for file systems that have no such files.
  ///   - path: its name in errors.
  convenience init(unnamedIn directory: Descriptor, name: String, path: String) throws(FileError) {
    self.init(number: try SystemCalls.openUnnamed(in: directory.number, name: name, path: path), path: path)
  }

  /// A descriptor that reports changes of files.
  convenience init(events number: Int32) {
    self.init(number: number, path: "")
  }

  /// Takes the place of a descriptor that is released while its holder lives on. Every call on it fails.
  static func closed(at path: String) -> Descriptor { Descriptor(number: -1, path: path) }

  deinit {
    if number < 0 { return }
    SystemCalls.close(number)
    if canRest.load(ordering: .relaxed) { OpenFiles.shared.noteClosed() }
  }

  /// The file was given another name, while nobody else has the descriptor.
  func noteName(_ path: String) {
    newPath.withLock { $0 = path }
    isRenamed.store(true, ordering: .relaxed)
  }

  // MARK: Resting

  /// From now on it may be closed while nobody needs it. It is counted by ``OpenFiles``.
  ///
  /// - Parameter whenWoken: called once it was opened again, by the call that needs it, with whatever locks that call holds.
  func mayRest(
    in directory: Directory, as name: String, _ identity: FileIdentity, _ mode: SystemCalls.OpenMode,
    whenWoken: (@Sendable () -> Void)? = nil
  ) {
    origin.withLock {
      $0 = Origin(directory: directory, name: name, identity: identity, mode: mode, whenWoken: whenWoken)
    }
    if !canRest.exchange(true, ordering: .relaxed) { OpenFiles.shared.noteOpened() }
  }

  /// Closes it until it is needed; false while a call is under way.
  func rest() -> Bool {
    origin.withLock { origin in
      guard origin != nil else { return false }
      let found = users.compareExchange(expected: 0, desired: Self.resting, ordering: .acquiringAndReleasing)
      // Otherwise it is in use, or rests already.
      guard found.exchanged else { return found.original < 0 }
      SystemCalls.close(current.exchange(-1, ordering: .relaxed))
      OpenFiles.shared.noteClosed()
      return true
    }
  }

  /// From now on it stays open until ``keepOpenNoMore()``: for callers that were given its number.
  func keepOpen() throws(FileError) {
    if users.add(1, ordering: .acquiringAndReleasing).newValue <= 0 { try wake() }
  }

  /// Once for each ``keepOpen()`` that did not throw.
  func keepOpenNoMore() {
    users.subtract(1, ordering: .acquiringAndReleasing)
  }

  /// Calls `body` with the number, which stays open meanwhile.
  @inline(__always)
  func withNumber<R>(_ body: (Int32) throws(FileError) -> R) throws(FileError) -> R {
    guard canRest.load(ordering: .relaxed) else { return try body(number) }
    if users.add(1, ordering: .acquiringAndReleasing).newValue <= 0 { try wake() }
    defer { users.subtract(1, ordering: .acquiringAndReleasing) }
    return try body(number)
  }

  /// Opens the file again. The file with its name must be the one that was open before.
  @inline(never)
  private func wake() throws(FileError) {
    do throws(FileError) {
      let whenWoken = try origin.withLock { (origin) throws(FileError) -> (@Sendable () -> Void)? in
        // Another call may have been faster.
        guard let origin, users.load(ordering: .acquiring) <= 0 else { return nil }
        let number = try reopened(origin)
        current.store(number, ordering: .relaxed)
        OpenFiles.shared.noteOpened()
        users.subtract(Self.resting, ordering: .acquiringAndReleasing)
        return origin.whenWoken
      }
      whenWoken?()
    } catch {
      users.subtract(1, ordering: .acquiringAndReleasing)
      throw error
    }
  }

  private func reopened(_ origin: Origin) throws(FileError) -> Int32 {
    let number: Int32
    do throws(FileError) {
      number = try origin.directory.withNumber { (directory) throws(FileError) in
        try SystemCalls.open(directory, origin.name, origin.mode, path: path)
      }
    } catch let error where [ErrorNumber.notFound, ErrorNumber.isSymbolicLink].contains(error.errorNumber) {
      throw .moved(path: path)
    }
    do throws(FileError) {
      guard try SystemCalls.status(number, path: path).identity == origin.identity else { throw .moved(path: path) }
      return number
    } catch {
      SystemCalls.close(number)
      throw error
    }
  }

  /// Reads until the buffer is full or the file ends; returns how many bytes it read. Thread-safe: no file position.
  package func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
    try withNumber { (number) throws(FileError) in
      var filled = 0
      while filled < bytes.count {
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[filled...])
        let count = try unsafe SystemCalls.read(number, into: rest, at: offset + filled, path: path)
        if count == 0 { break }
        filled += count
      }
      return filled
    }
  }

  /// Writes all of the bytes. Thread-safe: no file position.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
    var written = 0
    while written < bytes.count {
      let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[written...])
      let count = try withNumber { (number) throws(FileError) in
        try unsafe SystemCalls.write(number, rest, at: offset + written, path: path)
      }
      if count == 0 { throw .failed(.pwrite, ErrorNumber.ioError, path: path) }
      written += count
    }
  }

  package func write(_ bytes: [UInt8], at offset: Int) throws(FileError) {
    try unsafe bytes.withBytes { (bytes) throws(FileError) in try unsafe write(bytes, at: offset) }
  }

  /// Writes some bytes, and others after them, in one call.
  func write(
    _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, at offset: Int
  ) throws(FileError) {
    let written = try withNumber { (number) throws(FileError) in
      try unsafe SystemCalls.write(number, first, second, at: offset, path: path)
    }
    try unsafe write(UnsafeRawBufferPointer(rebasing: first[min(written, first.count)...]), at: offset + written)
    let rest = max(0, written - first.count)
    try unsafe write(UnsafeRawBufferPointer(rebasing: second[rest...]), at: offset + first.count + rest)
  }

  /// Writes zeros.
  func fillWithZeros(_ range: Range<Int>) throws(FileError) {
    var position = range.lowerBound
    while position < range.upperBound {
      let count = unsafe min(SystemCalls.zeros.count, range.upperBound - position)
      try unsafe write(UnsafeRawBufferPointer(rebasing: SystemCalls.zeros[..<count]), at: position)
      position += count
    }
  }

  /// See ``SystemCalls/nextData(_:from:)``.
  func nextData(from offset: Int) -> Int {
    (try? withNumber { (number) throws(FileError) in SystemCalls.nextData(number, from: offset) }) ?? offset
  }

  package func flush() throws(FileError) {
    try flushing { (number) throws(FileError) in try SystemCalls.flush(number, path: path) }
  }

  /// Puts the entries of a directory, opened as a file is, on stable storage.
  func flushEntries() throws(FileError) {
    try flushing { (number) throws(FileError) in try SystemCalls.flushEntries(number, path: path) }
  }

  private func flushing<R>(_ body: (Int32) throws(FileError) -> R) throws(FileError) -> R {
    try withNumber { (number) throws(FileError) in
      do throws(FileError) {
        return try body(number)
      } catch {
        flushFailed.store(true, ordering: .relaxed)
        throw error
      }
    }
  }

  /// See ``SystemCalls/startWriteBack(_:)``.
  func startWriteBack() {
    // Only speeds up later calls.
    try? withNumber { (number) throws(FileError) in SystemCalls.startWriteBack(number) }
  }

  /// See ``SystemCalls/finishWriteBack(_:path:)``.
  func finishWriteBack() throws(FileError) -> Bool {
    try flushing { (number) throws(FileError) in try SystemCalls.finishWriteBack(number, path: path) }
  }

  /// See ``SystemCalls/overwritesInPlace(_:path:)``.
  var overwritesInPlace: Bool {
    (try? withNumber { (number) throws(FileError) in SystemCalls.overwritesInPlace(number, path: path) }) ?? false
  }

  /// See ``SystemCalls/fileSystem(_:path:)``.
  var fileSystem: FileSystem {
    (try? withNumber { (number) throws(FileError) in SystemCalls.fileSystem(number, path: path) }) ?? .other
  }

  package func truncate(to size: Int) throws(FileError) {
    // Before: a caller that finds the file shorter than this reads this again.
    knownSize.set(size)
    try withNumber { (number) throws(FileError) in try SystemCalls.truncate(number, to: size, path: path) }
  }

  package func reserve(from offset: Int, count: Int) throws(FileError) {
    try withNumber { (number) throws(FileError) in
      try SystemCalls.reserve(number, from: offset, count: count, path: path)
    }
    knownSize.set(offset + count)
  }

  /// Takes the exclusive lock of the file; false when another process has it.
  package func tryLock() throws(FileError) -> Bool {
    try SystemCalls.lock(number, path: path)
  }

  /// Releases the lock, even if others still hold the descriptor.
  package func unlock() {
    SystemCalls.unlock(number)
  }

  package func status() throws(FileError) -> SystemCalls.Status {
    try withNumber { (number) throws(FileError) in try SystemCalls.status(number, path: path) }
  }

  package var size: Int {
    get throws(FileError) { try status().size }
  }

  /// Gives the file rights, as far as this process may: only root gives a file away. If the group stays another, its members get
  /// no more rights than everybody has.
  ///
  /// - Throws: when the file has rights that it must not have.
  func take(_ rights: FileRights) throws(FileError) {
    var now = try status().rights
    if now.owner != rights.owner || now.group != rights.group {
      do throws(FileError) {
        try SystemCalls.changeOwner(number, rights.owner, rights.group, path: path)
      } catch let error where ErrorNumber.isDenied(error.errorNumber) {
        // The group alone may be one of this user's.
        try? SystemCalls.changeOwner(number, now.owner, rights.group, path: path)
      }
      now = try status().rights
    }
    var wanted = rights.mode
    if now.group != rights.group {
      let everybody = rights.mode >> 3 & rights.mode & 0o7
      wanted = rights.mode & 0o700 | everybody << 3 | everybody
    }
    if now.mode != wanted { try SystemCalls.changeMode(number, wanted, path: path) }
  }
}
