import ImmutaLocking

/// The right to write, which one process has at a time: the exclusive lock of a file beside the protected one. Only users that
/// may write the protected file may open the lock's file. A lock of the protected file itself could be taken by everybody who may
/// read it.
///
/// The file says which process has the lock. It stays when the lock is released: removing it would let a second process lock a
/// file that has lost its name. The lock is free when ``unlock()`` is called, or with the last reference.
///
/// A lock belongs to the open file, not to its descriptor: where a mapping keeps the same open file, the lock is kept
/// ``withoutDescriptor(in:)``.
package final class FileLock: Sendable {
  let name: String
  private let held: Lock<Held>
  /// Where in the file the holder is named: after the file's other contents.
  private let noteOffset: Int

  private enum Held {
    case open(Descriptor)
    /// A mapping keeps the file open. Nobody touches its bytes.
    case mapped(MappedWindow, FileIdentity, Directory)
    /// The lock was let go: then the file is not kept open either.
    case free
  }

  /// The file, while the lock is held by its descriptor.
  var descriptor: Descriptor {
    guard case .open(let descriptor) = held.withLock({ $0 }) else {
      preconditionFailure("the lock \(name) has no descriptor")
    }
    return descriptor
  }

  /// Keeps the lock by a mapping of the file, and closes the descriptor, where the file system lets a mapping keep the open
  /// file itself: on ext4, XFS, btrfs and in memory. Elsewhere, and where nothing can be mapped, the descriptor stays.
  func withoutDescriptor(in directory: Directory) {
    held.withLock { held in
      guard case .open(let descriptor) = held, descriptor.fileSystem.keepsLocksOfMappings,
        let identity = try? descriptor.status().identity,
        let window = try? MappedWindow(descriptor, 0..<1, writable: false), window.keepFromChildren()
      else { return }
      held = .mapped(window, identity, directory)
    }
  }

  /// Takes the lock, and makes its file if there is none.
  ///
  /// - Parameters:
  ///   - subject: what it protects: a namespace's name.
  ///   - rights: of the protected file; nil if that does not exist yet, see ``adopt(_:)``.
  ///   - log: what it protects, for ``FileTrust``.
  ///   - noteOffset: where in the file the holder is named. A file that has contents of its own holds them before that.
  /// - Throws: `.locked`, `.foreignOwner`, or the error of a call.
  package static func take(
    _ name: String, in directory: Directory, subject: String, rights: FileRights?, trust: FileTrust,
    of log: SystemCalls.Status? = nil, noteAt noteOffset: Int = 0
  ) throws(FileError) -> FileLock {
    for _ in 0..<100 {
      guard let file = try Self.open(name, in: directory, rights) else { continue }
      try trust.check(try file.status(), name, of: log)
      guard try Self.lock(file, noteOffset) else {
        throw .locked(LockNote(subject: subject, on: file, at: noteOffset))
      }
      // A file that lost its name before it was locked keeps nobody out.
      if try directory.status(of: name)?.identity == file.status().identity {
        let lock = FileLock(name, file, noteOffset)
        if let rights { lock.adopt(rights) }
        LockNote.current(subject).write(to: file, at: noteOffset)
        return lock
      }
      file.unlock()
    }
    throw .locked(LockNote(subject: subject, processID: nil, since: nil))
  }

  /// Locks a file; false when another process has the lock.
  ///
  /// A process that only checks whether the lock is taken shares it for a moment, which keeps others out: this waits until that
  /// is over. A process that has just taken the lock gets a moment to write its name. The file's text alone does not show whether
  /// the lock is taken: a process that died leaves its name in it.
  private static func lock(_ file: Descriptor, _ noteOffset: Int = 0) throws(FileError) -> Bool {
    if try file.tryLock() { return true }
    for glance in 0..<Self.mostGlances {
      if SystemCalls.isLocked(file.number) {
        if glance >= Self.mostForWords { return false }
        if try file.size > noteOffset { return false }
      }
      ThreadGate().wait(nanoseconds: 1_000_000)
      if try file.tryLock() { return true }
    }
    return false
  }

  /// About how many milliseconds to wait for a process that checks: after that it must have been stopped between its two calls.
  private static var mostGlances: Int { 10_000 }
  /// About how many milliseconds to wait for the text: after that, a process that has the lock counts as its holder, though it
  /// has not written its name.
  private static var mostForWords: Int { 20 }

  /// The holder of the lock, without taking it; nil when nobody has it, or if this process may not look.
  package static func holder(
    _ name: String, in directory: Directory, subject: String, noteAt noteOffset: Int = 0
  ) -> LockNote? {
    guard let file = try? directory.openIfPresent(name, .read), SystemCalls.isLocked(file.number) else { return nil }
    return LockNote(subject: subject, on: file, at: noteOffset)
  }

  /// Takes the lock for a caller that changes nothing: nil if the file does not exist, this process may not open it, or it
  /// belongs to an untrusted user.
  ///
  /// - Throws: `.locked`, or the error of a call.
  package static func look(
    _ name: String, in directory: Directory, subject: String, _ trust: FileTrust, of log: SystemCalls.Status
  ) throws(FileError) -> FileLock? {
    // On a file system that is read-only, a file that is open for reading can be locked all the same.
    let writable = try? directory.openIfPresent(name, .readWrite)
    let file = if let writable { writable } else { try? directory.openIfPresent(name, .read) }
    guard let file, try trust.holds(file.status(), of: log) else { return nil }
    guard try lock(file) else { throw .locked(LockNote(subject: subject, on: file)) }
    LockNote.current(subject).write(to: file)
    return FileLock(name, file)
  }

  private init(_ name: String, _ descriptor: Descriptor, _ noteOffset: Int = 0) {
    self.name = name
    self.noteOffset = noteOffset
    held = Lock(.open(descriptor))
  }

  deinit {
    unlock()
  }

  /// Nil when another process made it, or removed it, meanwhile.
  private static func open(
    _ name: String, in directory: Directory, _ rights: FileRights?
  ) throws(FileError) -> Descriptor? {
    if let file = try directory.openIfPresent(name, .readWrite) { return file }
    do throws(FileError) {
      return try directory.create(name, rights?.ofWriters)
    } catch let error where error.errorNumber == ErrorNumber.exists {
      return nil
    }
  }

  /// Gives the file the rights of the users that may write the protected file. Another user's file stays as it is.
  func adopt(_ rights: FileRights) {
    try? descriptor.take(rights.ofWriters)
  }

  /// Releases the lock, even if others still hold the descriptor.
  package func unlock() {
    held.withLock { held in
      // A process that finds it locked later must not read this process's name.
      switch held {
      case .open(let descriptor):
        try? descriptor.truncate(to: noteOffset)
        descriptor.unlock()
      case .mapped(_, let identity, let directory):
        if let file = try? directory.openIfPresent(name, .readWrite), (try? file.status())?.identity == identity {
          try? file.truncate(to: noteOffset)
        }
      case .free: break
      }
      // The lock ends with the mapping.
      held = .free
    }
  }
}

extension LockNote {
  /// This process, from now on.
  fileprivate static func current(_ subject: String) -> LockNote {
    LockNote(subject: subject, processID: ThisProcess.identity, since: Clocks.wallClock())
  }

  // In the file:
  //
  //     pid 4711
  //     since 1790000000000000000
  //     namespace events

  /// Only for people: a failure does no harm.
  fileprivate func write(to file: Descriptor, at offset: Int = 0) {
    let text = "pid \(processID ?? 0)\nsince \(since ?? 0)\nnamespace \(subject)\n"
    do throws(FileError) {
      try file.write(Array(text.utf8), at: offset)
      // Only the note of a process that died is longer; cutting a file costs more than asking how long it is.
      let end = offset + text.utf8.count
      if try file.size > end { try file.truncate(to: end) }
    } catch {
      try? file.truncate(to: offset)
    }
  }

  /// Reads the holder from a file that is locked. A process that died leaves its name in the file, and the next one may not have
  /// written its own yet.
  fileprivate init(subject: String, on file: Descriptor, at offset: Int = 0) {
    var bytes = [UInt8](repeating: 0, count: 512)
    let count = (try? unsafe bytes.withMutableBytes { try unsafe file.read(into: $0, at: offset) }) ?? 0
    let lines = String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
    guard lines.count >= 2, lines[0].hasPrefix("pid "), lines[1].hasPrefix("since "),
      let process = Int32(lines[0].dropFirst(4)), process > 0, ThisProcess.isRunning(process),
      let since = Int64(lines[1].dropFirst(6))
    else {
      self.init(subject: subject, processID: nil, since: nil)
      return
    }
    self.init(subject: subject, processID: process, since: since)
  }
}
