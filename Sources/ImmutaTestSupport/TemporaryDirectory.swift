import Foundation

/// A directory of a test's own, removed with its last reference.
public final class TemporaryDirectory: Sendable {
  /// The directory's path.
  public let path: String

  /// Makes the directory; ends the tests where that cannot be done, as none of them could go on.
  ///
  /// - Parameter inMemory: on a file system in memory, where there is one: flushes then cost nothing.
  public init(inMemory: Bool = false) {
    let memory = "/dev/shm"
    let parent =
      inMemory && FileManager.default.isWritableFile(atPath: memory)
      ? URL(filePath: memory) : FileManager.default.temporaryDirectory
    path = parent.appending(path: "immuta-tests-\(UUID().uuidString)").path
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      preconditionFailure("cannot make a directory for a test: \(error)")
    }
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// The path of a file in the directory.
  public func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Whether the directory has a file of this name.
  public func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: file(name)) }

  /// All bytes of a file in the directory.
  public func bytes(of name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: file(name))))
  }

  /// Makes a file of these bytes, in place of whatever has the name.
  public func write(_ bytes: [UInt8], to name: String) throws {
    try Data(bytes).write(to: URL(filePath: file(name)))
  }

  /// A new directory in this one.
  public func subdirectory(_ name: String) throws -> String {
    try FileManager.default.createDirectory(atPath: file(name), withIntermediateDirectories: true)
    return file(name)
  }
}

/// Whole files, as bytes.
public enum FileBytes {
  /// All bytes of a file; nil when there is none.
  public static func read(_ path: String) throws -> [UInt8]? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    return [UInt8](try Data(contentsOf: URL(filePath: path)))
  }

  /// Makes a file of these bytes, in place of an existing one.
  public static func write(_ bytes: [UInt8], to path: String) throws {
    try Data(bytes).write(to: URL(filePath: path))
  }

  /// Copies the files of a directory and of its folders, as they are now, into another, which is made again.
  public static func copy(directory: String, to target: String) throws {
    try? FileManager.default.removeItem(atPath: target)
    try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
    for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
      let path = "\(directory)/\(name)"
      if isFolder(path) {
        try copy(directory: path, to: "\(target)/\(name)")
      } else if let bytes = try read(path) {
        try write(bytes, to: "\(target)/\(name)")
      }
    }
  }

  /// Whether a path leads to a directory.
  public static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }
}
