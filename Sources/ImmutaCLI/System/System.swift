import ImmutaLibC

/// The tool's system calls, each retried when a signal interrupts it for no reason of ours.
enum System {
  static let standardInput: Int32 = 0
  static let standardOutput: Int32 = 1
  static let standardError: Int32 = 2

  /// Whether a person is on the other side.
  static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

  /// A variable of the environment; nil where it is not set, or empty.
  static func variable(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  /// The error number of a full disk.
  static let noSpace = ENOSPC

  /// The error number of a path that names nothing.
  static let noFile = ENOENT

  /// What the system says about an error number.
  static func message(for number: Int32) -> String { String(cString: strerror(number)) }

  /// Makes sure that descriptors 0 to 2 are taken, so that no log is opened under one of these numbers and then written
  /// to as if it were the output.
  ///
  /// Where the caller left one closed, reading or writing it fails, as it would have.
  static func occupyStandardDescriptors() {
    for descriptor in standardInput...standardError where fcntl(descriptor, F_GETFD) < 0 {
      // Gets the lowest free number: this one. Open the wrong way round, so that using it is an error.
      let mode = descriptor == standardInput ? O_WRONLY : O_RDONLY
      _ = libcOpen(in: AT_FDCWD, "/dev/null", mode)
    }
  }

  /// Closes standard output: some file systems say only then that what was written does not fit.
  static func closeOutput() throws(ToolError) {
    let result = libcClose(standardOutput)
    if result != 0, errno != EINTR { throw ToolError("cannot write to the output: \(message(for: errno))") }
  }

  // MARK: Reading and writing

  /// Opens a file for reading.
  static func open(_ path: String) throws(ToolError) -> Int32 {
    while true {
      let descriptor = libcOpen(in: AT_FDCWD, path, O_RDONLY | O_CLOEXEC)
      if descriptor >= 0 { return descriptor }
      if errno != EINTR { throw cannotOpen(path) }
    }
  }

  /// The error for a file that was just tried to be opened.
  private static func cannotOpen(_ path: String) -> ToolError {
    let number = errno
    let suggestion = number == noFile ? Suggestion(forPath: path, isDirectory: false) : nil
    return ToolError("cannot open \(path): \(message(for: number))\(suggestion.asked(after: "; "))")
  }

  /// Makes a file of these bytes, for its owner alone, on stable storage; one that exists is left as it is.
  static func create(_ path: String, _ bytes: [UInt8]) throws {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC
    let descriptor = libcOpen(in: AT_FDCWD, path, flags, 0o600)
    guard descriptor >= 0 else { throw ToolError("cannot make \(path): \(message(for: errno))") }
    defer { close(descriptor) }
    do {
      try bytes.withUnsafeBytes { try write($0, to: descriptor) }
      guard fsync(descriptor) == 0 else { throw ToolError("cannot write \(path): \(message(for: errno))") }
    } catch {
      unlink(path)
      throw error
    }
  }

  static func close(_ descriptor: Int32) {
    _ = libcClose(descriptor)
  }

  /// Throws where standard input cannot be read at all: before anything is made for what comes from it.
  static func checkInput() throws(ToolError) {
    guard fcntl(standardInput, F_GETFL) & O_ACCMODE != O_WRONLY else {
      throw ToolError("cannot read standard input: it is closed, or open for writing only")
    }
    if try info(standardInput, name: "standard input").isDirectory {
      throw ToolError("cannot read standard input: it is a directory")
    }
  }

  /// Waits for bytes and reads the ones that have come; 0 at the end of the input.
  ///
  /// Throws `Interrupted` when the user asks the tool to stop.
  static func read(
    _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, name: String
  ) throws -> Int {
    while true {
      var waits = [
        pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: Interruption.descriptor, events: Int16(POLLIN), revents: 0),
      ]
      if poll(&waits, nfds_t(waits.count), -1) < 0, errno != EINTR {
        throw ToolError("cannot wait for \(name): \(message(for: errno))")
      }
      try Interruption.check()
      let count = libcRead(descriptor, buffer.baseAddress, buffer.count)
      if count >= 0 { return count }
      // A descriptor that somebody made non-blocking: another process took what `poll` saw.
      if errno != EINTR, errno != EAGAIN { throw ToolError("cannot read \(name): \(message(for: errno))") }
    }
  }

  /// Lets time pass; throws `Interrupted` when the user asks the tool to stop.
  static func pause(_ time: Duration) throws {
    let milliseconds = time.components.seconds * 1000 + time.components.attoseconds / 1_000_000_000_000_000
    var wait = pollfd(fd: Interruption.descriptor, events: Int16(POLLIN), revents: 0)
    _ = poll(&wait, 1, Int32(clamping: max(1, milliseconds)))
    try Interruption.check()
  }

  /// Writes all of the bytes.
  ///
  /// Throws `OutputClosed` when nobody reads them any more.
  static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let part = UnsafeRawBufferPointer(rebasing: rest)
      let count = libcWrite(descriptor, part.baseAddress, part.count)
      if count >= 0 {
        rest = rest.dropFirst(count)
        continue
      }
      switch errno {
      case EINTR: try Interruption.check()
      case EAGAIN:
        var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&wait, 1, -1)
        try Interruption.check()
      case EPIPE: throw OutputClosed()
      default: throw ToolError("cannot write to the output: \(message(for: errno))")
      }
    }
  }

  /// Where a byte first is.
  static func position(of byte: UInt8, in bytes: UnsafeRawBufferPointer) -> Int? {
    guard let base = bytes.baseAddress, let found = memchr(base, Int32(byte), bytes.count) else { return nil }
    return UnsafeRawPointer(found) - base
  }

  /// Whether the first bytes of `other` are `bytes`.
  static func areEqual(_ bytes: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
    guard let left = bytes.baseAddress, let right = other.baseAddress, !bytes.isEmpty else { return true }
    return memcmp(left, right, bytes.count) == 0
  }

  /// Sets bytes to zero, also where nothing reads them afterwards.
  static func wipe(_ bytes: UnsafeMutableRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    #if canImport(Darwin)
      memset_s(start, bytes.count, 0, bytes.count)
    #else
      explicit_bzero(start, bytes.count)
    #endif
  }

  /// Ends the process with status 0 once the reader of standard output has gone, if that is a pipe or socket. A thread waits
  /// for that, and for nothing else. Where there is none to be had, the next write fails.
  static func exitOnceAbandoned() {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    #if canImport(Darwin)
      var thread: pthread_t?
    #else
      var thread = pthread_t()
    #endif
    _ = pthread_create(&thread, &attributes, waiting, nil)
    pthread_attr_destroy(&attributes)
  }

  #if canImport(Darwin)
    private static let waiting: @convention(c) (UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? = { _ in
      waitForReaderToGo()
      return nil
    }
  #else
    private static let waiting: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { _ in
      waitForReaderToGo()
      return nil
    }
  #endif

  private static func waitForReaderToGo() {
    // Nothing is asked for: only what is reported in any case ends it.
    var wait = pollfd(fd: standardOutput, events: 0, revents: 0)
    while poll(&wait, 1, -1) < 0, errno == EINTR {}
    if wait.revents & Int16(POLLERR | POLLHUP) != 0 { _exit(EXIT_SUCCESS) }
  }

  // MARK: Files

  /// What a path names.
  struct FileInfo {
    var isDirectory: Bool
    /// Bytes of a regular file; nil for anything else.
    var size: Int?
    /// Whether others than the file's owner may read or change it.
    var isOpenToOthers: Bool
    var identity: Identity
  }

  /// Tells whether two paths name the same file.
  struct Identity: Equatable {
    var device: UInt64
    var number: UInt64
  }

  static func info(_ path: String) throws(ToolError) -> FileInfo {
    var status = stat()
    guard stat(path, &status) == 0 else { throw cannotOpen(path) }
    return info(status)
  }

  /// What an open descriptor is; `name` is for messages.
  static func info(_ descriptor: Int32, name: String) throws(ToolError) -> FileInfo {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw ToolError("cannot use \(name): \(message(for: errno))") }
    return info(status)
  }

  private static func info(_ status: stat) -> FileInfo {
    let isRegular = status.st_mode & S_IFMT == S_IFREG
    return FileInfo(
      isDirectory: status.st_mode & S_IFMT == S_IFDIR, size: isRegular ? Int(status.st_size) : nil,
      isOpenToOthers: status.st_mode & 0o077 != 0,
      identity: Identity(
        device: UInt64(truncatingIfNeeded: status.st_dev), number: UInt64(truncatingIfNeeded: status.st_ino)))
  }

  static func isReadable(_ path: String) -> Bool { access(path, R_OK) == 0 }

  /// Bytes that a user's files may still take in the file system of a directory.
  static func freeSpace(in directory: String) throws(ToolError) -> Int {
    var status = statvfs()
    guard statvfs(directory, &status) == 0 else {
      throw ToolError("cannot use \(directory): \(message(for: errno))")
    }
    return Int(clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
  }

  static func removeFile(_ path: String) { unlink(path) }

  /// The path from the root that a path leads to, every symbolic link followed; nil where it leads nowhere.
  static func resolved(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
