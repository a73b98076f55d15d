import ImmutaLibC

// What is known of a file without opening it, and where a path leads.
extension SystemCalls {
  /// What is known of a file.
  package struct Status {
    package var size: Int
    /// Bytes that the file takes on the disk: more than its size where space was reserved, less where it has holes.
    package var sizeOnDisk: Int
    var isDirectory: Bool
    var isRegular: Bool
    var isSymbolicLink: Bool
    var identity: FileIdentity
    package var rights: FileRights
    /// Last modification, in nanoseconds since 1970.
    var modified: Int64

    fileprivate init(_ status: stat) {
      size = Int(status.st_size)
      sizeOnDisk = Int(status.st_blocks) * 512
      isDirectory = status.st_mode & S_IFMT == S_IFDIR
      isRegular = status.st_mode & S_IFMT == S_IFREG
      isSymbolicLink = status.st_mode & S_IFMT == S_IFLNK
      rights = FileRights(
        owner: status.st_uid, group: status.st_gid, mode: UInt16(truncatingIfNeeded: status.st_mode & 0o777))
      identity = FileIdentity(device: UInt64(truncatingIfNeeded: status.st_dev), inode: UInt64(status.st_ino))
      #if canImport(Darwin)
        let time = status.st_mtimespec
      #else
        let time = status.st_mtim
      #endif
      // A file's date may not fit 64 bits of nanoseconds: then the nearest value that fits.
      modified = (Duration.seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))).nanoseconds
    }
  }

  static func status(_ descriptor: Int32, path: String) throws(FileError) -> Status {
    willAskStatus(path)
    var status = stat()
    while unsafe fstat(descriptor, &status) != 0 {
      if errno != EINTR { throw .failed(.fstat, errno, path: path) }
    }
    return Status(status)
  }

  /// Bytes that this user's files may still take in the file system of a file or directory.
  static func freeSpace(_ descriptor: Int32, path: String) throws(FileError) -> Int {
    var status = statvfs()
    while unsafe fstatvfs(descriptor, &status) != 0 {
      if errno != EINTR { throw .failed(.fstatvfs, errno, path: path) }
    }
    let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
    return overflow ? .max : Int(clamping: bytes)
  }

  /// The status of the file with a name in a directory; a symbolic link is not followed. Nil if there is none.
  static func status(_ directory: Int32, _ name: String, path: String) throws(FileError) -> Status? {
    willAskStatus(path)
    var status = stat()
    while unsafe fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0 {
      switch errno {
      case EINTR: continue
      case ENOENT: return nil
      default: throw .failed(.stat, errno, path: path)
      }
    }
    return Status(status)
  }

  /// A path from the root, with nothing in it followed; nil when the system does not say where the process is.
  static func absolutePath(_ path: String) -> String? {
    if path.hasPrefix("/") { return path }
    guard let current = unsafe getcwd(nil, 0) else { return nil }
    defer { unsafe free(current) }
    return unsafe String(cString: current) + "/" + path
  }

  /// A path from the root with every symbolic link followed; nil if it cannot be found out.
  static func resolvedPath(_ path: String) -> String? {
    guard let resolved = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }

  /// Nil when there is nothing at the path.
  package static func status(_ path: String) throws(FileError) -> Status? {
    willAskStatus(path)
    var status = stat()
    while unsafe stat(path, &status) != 0 {
      switch errno {
      case EINTR: continue
      case ENOENT: return nil
      default: throw .failed(.stat, errno, path: path)
      }
    }
    return Status(status)
  }
}
