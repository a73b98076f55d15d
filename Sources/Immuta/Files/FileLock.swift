import ImmutaLocking

/// The right to write, which one process has at a time: the exclusive lock of a file beside what is written, which only
/// those may open who may write that. A lock of the file itself could be taken by everybody who may read it.
///
/// The file says who has the lock. It stays when the lock is let go: removing it would let a second one lock a file that
/// has lost its name. Free when ``unlock()`` is called, or with the last reference.
///
/// A lock belongs to the open file, not to its descriptor: where a mapping keeps the same open file, the lock is kept
/// ``withoutDescriptor(in:)``.
package final class FileLock: Sendable {
  let name: String
  private let held: Lock<Held>
  /// Where in the file it says who has the lock: after what else is in it.
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
  ///   - rights: of what it protects; nil where that is not there yet, see ``adopt(_:)``.
  ///   - log: what it protects, for ``FileTrust``.
  ///   - noteOffset: where in the file it says who has the lock. A file that is locked for what is in it holds that before.
  /// - Throws: `.locked`, `.foreignOwner`, or what a call said.
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
      // One that lost its name before it was locked keeps nobody out.
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

  /// Locks a file; false when somebody else has the lock.
  ///
  /// Whoever only looks whether it is taken shares it for a moment, which keeps others out: that is outlasted. Whoever has
  /// just taken it gets a moment to write down who it is. The file's words alone do not say whether somebody has the lock:
  /// a process that died leaves its own behind.
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

  /// Milliseconds, about, until one who looks is given up: it was stopped in between its two calls.
  private static var mostGlances: Int { 10_000 }
  /// The same, until one is who has the lock and does not say so.
  private static var mostForWords: Int { 20 }

  /// Who has the lock, without taking it; nil when nobody has it, or where this process may not look.
  package static func holder(
    _ name: String, in directory: Directory, subject: String, noteAt noteOffset: Int = 0
  ) -> LockNote? {
    guard let file = try? directory.openIfPresent(name, .read), SystemCalls.isLocked(file.number) else { return nil }
    return LockNote(subject: subject, on: file, at: noteOffset)
  }

  /// Takes the lock for somebody who changes nothing: nil where there is no file, none that this process may
  /// open, or one of somebody who is not to be trusted.
  ///
  /// - Throws: `.locked`, or what a call said.
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

  /// Nil when somebody made it, or removed it, meanwhile.
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

  /// Gives the file the rights that those have who may write what it protects. One of another user's stays as it is.
  func adopt(_ rights: FileRights) {
    try? descriptor.take(rights.ofWriters)
  }

  /// Lets go of the lock, whoever else still holds the descriptor.
  package func unlock() {
    held.withLock { held in
      // Whoever finds it locked next must not read of this process.
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
      // With the mapping goes the lock.
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

  /// Only tells people: that it fails harms nobody.
  fileprivate func write(to file: Descriptor, at offset: Int = 0) {
    let text = "pid \(processID ?? 0)\nsince \(since ?? 0)\nnamespace \(subject)\n"
    do throws(FileError) {
      try file.write(Array(text.utf8), at: offset)
      try file.truncate(to: offset + text.utf8.count)
    } catch {
      try? file.truncate(to: offset)
    }
  }

  /// What the file says that somebody has locked. A process that died leaves its name behind, and the next one may not
  /// have written its own yet.
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
