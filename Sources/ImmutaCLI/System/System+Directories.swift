import Immuta
import ImmutaLibC

// Directories: making them, and what is in them.
extension System {
  /// The directory for temporary files.
  static var temporaryDirectory: String { variable("TMPDIR") ?? "/tmp" }

  /// Makes a directory, whose parent exists.
  ///
  /// - Returns: whether it was made; false if there is something of that name.
  @discardableResult
  static func makeDirectory(_ path: String) throws(ToolError) -> Bool {
    if mkdir(path, 0o755) == 0 { return true }
    if errno == EEXIST { return false }
    throw ToolError("cannot make the directory \(path): \(message(for: errno))")
  }

  /// Makes the directories that a directory is to lie in, as far as they are missing. They are on stable storage when it returns:
  /// a log that is synced is of no use in a directory that a power cut takes away.
  static func makeParents(of path: String) throws(ToolError) {
    let parent = FilePath.parent(of: path)
    guard access(parent, F_OK) != 0, errno == ENOENT, parent != path else { return }
    try makeParents(of: parent)
    if try makeDirectory(parent) { try flushDirectory(FilePath.parent(of: parent)) }
  }

  private static func flushDirectory(_ path: String) throws(ToolError) {
    let descriptor = try open(path)
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw ToolError("cannot write \(path): \(message(for: errno))") }
  }

  /// Makes a directory of a name of its own.
  static func makeTemporaryDirectory(
    in parent: String = temporaryDirectory, prefix: String
  ) throws(ToolError) -> String {
    var template = Array("\(parent)/\(prefix)XXXXXX".utf8CString)
    let path = template.withUnsafeMutableBufferPointer { buffer -> String? in
      guard let base = buffer.baseAddress, let path = mkdtemp(base) else { return nil }
      return String(cString: path)
    }
    guard let path else { throw ToolError("cannot make a directory in \(parent): \(message(for: errno))") }
    return path
  }

  /// The names of what is in a directory; nothing where it cannot be read.
  static func names(in directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
        name.withMemoryRebound(to: CChar.self, capacity: 1) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Removes a directory and the files in it.
  ///
  /// What cannot be removed stays: nobody could do anything about it.
  static func removeDirectory(_ path: String) {
    for name in names(in: path) { unlink("\(path)/\(name)") }
    removeEmptyDirectory(path)
  }

  /// Removes a directory, unless something is in it.
  static func removeEmptyDirectory(_ path: String) { rmdir(path) }
}
