import ImmutaLibC

/// A file and the bare system calls on it: what a program pays that wants nothing but the bytes.
struct FloorFile: ~Copyable {
  let descriptor: Int32
  private let path: String

  /// Makes a new file.
  init(creating path: String) throws(ToolError) {
    try self.init(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC)
  }

  /// Opens a file that exists; for writing too, which is what opening a log is for.
  init(opening path: String) throws(ToolError) {
    try self.init(path, O_RDWR | O_CLOEXEC)
  }

  private init(_ path: String, _ flags: Int32) throws(ToolError) {
    self.path = path
    descriptor = open(path, flags, 0o644)
    if descriptor < 0 { throw ToolError("cannot open \(path): \(System.message(for: errno))") }
  }

  deinit { System.close(descriptor) }

  /// Writes all of the bytes.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(ToolError) {
    var done = 0
    while done < bytes.count {
      let count = pwrite(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset + done))
      if count < 0, errno != EINTR { throw failed("write to") }
      done += max(count, 0)
    }
  }

  /// Reads the existing bytes, up to the buffer's size; 0 bytes at the end.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(ToolError) -> Int {
    while true {
      let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
      if count >= 0 { return count }
      if errno != EINTR { throw failed("read") }
    }
  }

  /// Puts the bytes on stable storage.
  func flush() throws(ToolError) {
    #if canImport(Darwin)
      if fcntl(descriptor, F_FULLFSYNC) != 0 { throw failed("flush") }
    #else
      if fdatasync(descriptor) != 0 { throw failed("flush") }
    #endif
  }

  private func failed(_ verb: String) -> ToolError {
    ToolError("cannot \(verb) \(path): \(System.message(for: errno))")
  }
}
