import ImmutaLibC

// What has a name in a directory, and what a directory has.
extension SystemCalls {
  static func makeDirectory(_ path: String) throws(FileError) {
    _ = try run(.makeDirectory, operation: .mkdir, path: path) { _ in unsafe mkdir(path, 0o755) }
  }

  /// A directory in another.
  ///
  /// - Parameter mode: what everybody may do there whom the process's mask allows.
  static func makeDirectory(
    _ name: String, in directory: Int32, mode: UInt32 = 0o777, path: String
  ) throws(FileError) {
    _ = try run(.makeDirectory, operation: .mkdir, path: path) { _ in unsafe mkdirat(directory, name, mode_t(mode)) }
  }

  static func unlink(
    _ directory: Int32, _ name: String, isFolder: Bool = false, path: String
  ) throws(FileError) {
    let flags = isFolder ? Int32(AT_REMOVEDIR) : 0
    _ = try run(.unlink, operation: .unlink, path: path) { _ in unsafe unlinkat(directory, name, flags) }
  }

  /// - Parameters:
  ///   - newDirectory: of the new name; nil for the same.
  ///   - path: of the new name.
  static func rename(
    _ directory: Int32, _ name: String, in newDirectory: Int32? = nil, to newName: String, path: String
  ) throws(FileError) {
    _ = try run(.rename, operation: .rename, path: path) { _ in
      unsafe renameat(directory, name, newDirectory ?? directory, newName)
    }
  }

  /// The names in a directory, in no order.
  static func names(_ directory: Int32, path: String) throws(FileError) -> [String] {
    var names: [String] = []
    try forEachName(directory, path: path) { name, _ in names.append(name) }
    return names
  }

  /// Calls `body` with the names in a directory, and with the inode that the directory says each leads to, in no order.
  static func forEachName(
    _ directory: Int32, path: String, _ body: (_ name: String, _ inode: UInt64) -> Void
  ) throws(FileError) {
    // A descriptor of its own: `closedir` closes it, and its place in the list is nobody else's.
    let own = try openDirectory(directory, ".", path: path)
    guard let stream = unsafe fdopendir(own) else {
      let number = errno
      close(own)
      throw .failed(.opendir, number, path: path)
    }
    defer { unsafe closedir(stream) }
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: pointer.pointee)) {
          unsafe String(cString: $0)
        }
      }
      body(name, unsafe UInt64(entry.pointee.d_ino))
    }
  }
}
