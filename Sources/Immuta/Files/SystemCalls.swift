import CImmutaFileCalls
import ImmutaLibC
import ImmutaLocking
import Synchronization

/// Every call the engine makes to the operating system's files, one function each: call, retry when interrupted, throw a
/// `FileError`.
///
/// Not swift-system's: it has no `openat` and its kin, no locks, reserved space, `fdatasync`, mappings, futexes or inotify, which
/// are most of these. The few that it has would not go through the hook by which a test makes any of them fail.
package enum SystemCalls {
  // MARK: The limit on file sizes

  /// The size that a file may grow to, as it was last looked at. Going beyond raises SIGXFSZ, which kills the process:
  /// calls that would are not made.
  ///
  /// It is asked for by the first call that makes a file longer, when a file is opened for writing and when space is reserved,
  /// not before each write. Until then it is 0, which no call obeys without asking the system: so it does not matter how the file
  /// was opened. Relaxed: a number on its own.
  private static let knownSizeLimit = Atomic<Int>(0)

  /// Asks the system for the size that a file may grow to.
  static func sizeLimit() -> Int {
    let limit = Int(clamping: file_size_limit())
    knownSizeLimit.store(limit, ordering: .relaxed)
    return limit
  }

  /// Throws the error that the system reports beside its signal when a file would end beyond the limit.
  static func checkSize(_ end: Int, operation: CallName, path: String) throws(FileError) {
    if end > sizeLimit() { throw .failed(operation, EFBIG, path: path) }
  }

  @inline(__always)
  static func checkKnownSize(_ end: Int, operation: CallName, path: String) throws(FileError) {
    if end > knownSizeLimit.load(ordering: .relaxed) { try checkSize(end, operation: operation, path: path) }
  }

  /// Calls, again while interrupted; a negative result becomes an error.
  ///
  /// - Parameter path: computed only if it is needed for a hook or an error.
  static func run<Result: SignedInteger>(
    _ call: SystemCall, operation: CallName, path: @autoclosure () -> String, _ body: (_ limit: Int) -> Result
  ) throws(FileError) -> Result {
    while true {
      var limit = Int.max
      switch outcome(call, path()) {
      case .proceed: break
      case .limit(let most): limit = most
      case .fail(let number):
        if number == EINTR { continue }
        throw .failed(operation, number, path: path())
      }
      let result = body(limit)
      if result >= 0 {
        succeeded(call, path())
        return result
      }
      let number = errno
      if number != EINTR { throw .failed(operation, number, path: path()) }
    }
  }

  /// The same for the calls of `CImmutaFileCalls`, which return 0 or an error number.
  static func runReporting(
    _ call: SystemCall, operation: CallName, path: String, _ body: () -> Int32
  ) throws(FileError) {
    _ = try run(call, operation: operation, path: path) { _ in
      let number = body()
      if number == 0 { return 0 }
      errno = number
      return -1
    }
  }

  // MARK: The calls

  static func read(
    _ descriptor: Int32, into bytes: UnsafeMutableRawBufferPointer, at offset: Int, path: @autoclosure () -> String
  ) throws(FileError) -> Int {
    try run(.read, operation: .pread, path: path()) { limit in
      unsafe pread(descriptor, bytes.baseAddress, min(bytes.count, limit), off_t(offset))
    }
  }

  static func write(
    _ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int, path: String
  ) throws(FileError) -> Int {
    try checkKnownSize(offset + bytes.count, operation: .pwrite, path: path)
    let count = try run(.write, operation: .pwrite, path: path) { limit in
      unsafe pwrite(descriptor, bytes.baseAddress, min(bytes.count, limit), off_t(offset))
    }
    return wrote(count, at: offset, path: path)
  }

  /// Writes two buffers, one after the other.
  static func write(
    _ descriptor: Int32, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, at offset: Int, path: String
  ) throws(FileError) -> Int {
    try checkKnownSize(offset + first.count + second.count, operation: .pwritev, path: path)
    let count = try run(.write, operation: .pwritev, path: path) { limit in
      let firstCount = min(first.count, limit)
      return unsafe file_write_two(
        descriptor, first.baseAddress, firstCount, second.baseAddress, min(second.count, limit - firstCount),
        Int64(offset))
    }
    return wrote(count, at: offset, path: path)
  }

  /// Zeros to write.
  ///
  /// Never written to, and static storage of the program's: `nonisolated(unsafe)` says no more.
  static nonisolated(unsafe) let zeros = unsafe UnsafeRawBufferPointer(start: file_zeros(), count: file_zeros_count())

  static func reserve(
    _ descriptor: Int32, from offset: Int, count: Int, path: String
  ) throws(FileError) {
    try checkSize(offset + count, operation: .fallocate, path: path)
    try runReporting(.reserve, operation: .fallocate, path: path) {
      file_reserve(descriptor, Int64(offset), Int64(count))
    }
  }

  /// Gives a file a size. Cutting one off is allowed whatever the limit; making one longer is not.
  static func truncate(_ descriptor: Int32, to size: Int, path: String) throws(FileError) {
    if size > knownSizeLimit.load(ordering: .relaxed), try size > status(descriptor, path: path).size {
      try checkSize(size, operation: .ftruncate, path: path)
    }
    _ = try run(.truncate, operation: .ftruncate, path: path) { _ in ftruncate(descriptor, off_t(size)) }
  }

  /// Puts a file's bytes, and its size, on stable storage.
  static func flush(_ descriptor: Int32, path: String) throws(FileError) {
    _ = try run(.flush, operation: .fdatasync, path: path) { _ in
      #if canImport(Darwin)
        fcntl(descriptor, F_FULLFSYNC)
      #else
        fdatasync(descriptor)
      #endif
    }
  }

  /// Starts to write a file's changed pages to the device, without waiting. Only speeds up later calls: its result is ignored.
  static func startWriteBack(_ descriptor: Int32) {
    _ = file_start_write_back(descriptor)
  }

  /// Waits until the device has a file's changed pages. It may have them in a cache only, which a flush of any file of
  /// the same file system empties. False where there is no such call.
  static func finishWriteBack(_ descriptor: Int32, path: String) throws(FileError) -> Bool {
    do {
      try runReporting(.writeBack, operation: .syncFileRange, path: path) { file_finish_write_back(descriptor) }
      return true
    } catch let error where error.errorNumber == ENOSYS {
      return false
    }
  }

  /// Whether overwriting bytes of a file that are on the device already changes their blocks and nothing else.
  static func overwritesInPlace(_ descriptor: Int32, path: String) -> Bool {
    if isHooked.load(ordering: .relaxed) {
      for hook in hooks.withLock({ $0 }) {
        if let answer = hook.overwritesInPlace(path: path) { return answer }
      }
    }
    return fileSystem(descriptor, path: path).overwritesInPlace
  }

  /// The file system that the file lies on.
  static func fileSystem(_ descriptor: Int32, path: String) -> FileSystem {
    if isHooked.load(ordering: .relaxed) {
      for hook in hooks.withLock({ $0 }) {
        if let answer = hook.fileSystem(path: path) { return answer }
      }
    }
    return FileSystem(of: descriptor)
  }

  /// Puts a directory's entries on stable storage.
  static func flushEntries(_ descriptor: Int32, path: String) throws(FileError) {
    _ = try run(.flush, operation: .fsync, path: path) { _ in fsync(descriptor) }
  }

  /// Where bytes begin, at or after an offset, for which the file has room on the disk: before them is a hole, which reads as
  /// zeros. `Int.max` if there are none; the offset itself if the system does not know. Moves the descriptor's file position,
  /// which nothing here uses.
  static func nextData(_ descriptor: Int32, from offset: Int) -> Int {
    while true {
      let found = lseek(descriptor, off_t(offset), seekData)
      if found >= 0 { return Int(found) }
      switch errno {
      case EINTR: continue
      case ENXIO: return .max
      default: return offset
      }
    }
  }

  /// SEEK_DATA, which Swift's view of libc may lack: lseek(2).
  #if canImport(Darwin)
    private static var seekData: Int32 { 4 }
  #else
    private static var seekData: Int32 { 3 }
  #endif

  /// Takes the exclusive lock, without waiting: false when another process has it.
  static func lock(_ descriptor: Int32, path: String) throws(FileError) -> Bool {
    do {
      _ = try run(.lock, operation: .flock, path: path) { _ in flock(descriptor, LOCK_EX | LOCK_NB) }
      return true
    } catch let error where error.errorNumber == EWOULDBLOCK {
      return false
    }
  }

  /// Whether a process has the exclusive lock. If nobody has it, the asking process shares it for a moment, with all others that
  /// ask. Nobody gets the exclusive lock meanwhile.
  static func isLocked(_ descriptor: Int32) -> Bool {
    if flock(descriptor, LOCK_SH | LOCK_NB) != 0 { return errno == EWOULDBLOCK }
    unlock(descriptor)
    return false
  }

  static func unlock(_ descriptor: Int32) {
    _ = flock(descriptor, LOCK_UN)
  }
}
