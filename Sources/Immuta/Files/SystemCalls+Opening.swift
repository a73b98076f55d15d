import CImmutaFileCalls
import ImmutaLibC

// Files and directories are opened, made and closed, and get their rights.
extension SystemCalls {
  /// How a file is opened.
  package enum OpenMode: Sendable {
    case read, readWrite, readWriteCreating
    /// For everybody whom the process's mask lets have it.
    case createNew
    /// For its owner alone.
    case createPrivate

    var flags: Int32 {
      switch self {
      // Without waiting, should the path be a pipe: it is refused once it is open.
      case .read: O_RDONLY | O_NONBLOCK | O_CLOEXEC
      case .readWrite: O_RDWR | O_CLOEXEC
      case .readWriteCreating: O_RDWR | O_CREAT | O_CLOEXEC
      case .createNew, .createPrivate: O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC
      }
    }

    /// Of a file that is made, before the process's mask.
    var permissions: mode_t { self == .createPrivate ? 0o600 : 0o666 }
  }

  static func open(_ path: String, _ mode: OpenMode) throws(FileError) -> Int32 {
    try open(in: workingDirectory, path, mode.flags, mode, path: path)
  }

  /// Stands for the directory that the process is in.
  static var workingDirectory: Int32 { AT_FDCWD }

  /// A file of a directory. The name must be the file itself: a symbolic link is not followed.
  static func open(
    _ directory: Int32, _ name: String, _ mode: OpenMode, path: String
  ) throws(FileError) -> Int32 {
    try open(in: directory, name, mode.flags | O_NOFOLLOW, mode, path: path)
  }

  private static func open(
    in directory: Int32, _ name: String, _ flags: Int32, _ mode: OpenMode, path: String
  ) throws(FileError) -> Int32 {
    if mode != .read { _ = sizeLimit() }
    return try run(.open, operation: .open, path: path) { _ in
      unsafe libcOpen(in: directory, name, flags, mode.permissions)
    }
  }

  /// A directory, to look for files in. The right to pass through it is enough; the right to list it is not needed.
  ///
  /// - Parameter follows: whether a symbolic link of this name is followed.
  static func openDirectory(
    _ directory: Int32, _ name: String, follows: Bool = true, path: String
  ) throws(FileError) -> Int32 {
    let flags = O_DIRECTORY | O_CLOEXEC | (follows ? 0 : O_NOFOLLOW)
    do {
      return try run(.open, operation: .open, path: path) { _ in
        unsafe libcOpen(in: directory, name, O_RDONLY | flags)
      }
    } catch let error where error.errorNumber == EACCES {
      #if os(Linux)
        return try run(.open, operation: .open, path: path) { _ in
          unsafe libcOpen(in: directory, name, Self.pathOnly | flags)
        }
      #else
        throw error
      #endif
    }
  }

  /// O_PATH, which Swift's view of libc lacks: open(2).
  private static var pathOnly: Int32 { 0o10000000 }

  /// Opens a new file without a name; where there is no such thing, by a name that is gone when it returns.
  static func openUnnamed(in directory: Int32, name: String, path: String) throws(FileError) -> Int32 {
    do {
      return try run(.open, operation: .open, path: path) { _ in file_open_unnamed(directory) }
    } catch let error where error.errorNumber == ErrorNumber.cannotReserve {
      // The file with the name is left from a crash, or belongs to another process, which holds it and is about to remove the
      // name.
      try unlinkIfPresent(directory, name, path: path)
      let descriptor = try run(.open, operation: .open, path: path) { _ in
        unsafe libcOpen(in: directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
      }
      do {
        try unlinkIfPresent(directory, name, path: path)
      } catch {
        close(descriptor)
        throw error
      }
      return descriptor
    }
  }

  private static func unlinkIfPresent(_ directory: Int32, _ name: String, path: String) throws(FileError) {
    do {
      try unlink(directory, name, path: path)
    } catch let error where error.errorNumber == ErrorNumber.notFound {
      return
    }
  }

  /// Gives a file to a user and a group.
  static func changeOwner(
    _ descriptor: Int32, _ owner: UInt32, _ group: UInt32, path: String
  ) throws(FileError) {
    _ = try run(.open, operation: .fchown, path: path) { _ in fchown(descriptor, owner, group) }
  }

  /// Sets the rights to a file.
  static func changeMode(_ descriptor: Int32, _ mode: UInt16, path: String) throws(FileError) {
    _ = try run(.open, operation: .fchmod, path: path) { _ in fchmod(descriptor, mode_t(mode)) }
  }

  static func close(_ descriptor: Int32) {
    // The result is ignored: everything that matters was flushed before, and the descriptor is gone either way.
    _ = libcClose(descriptor)
  }
}
