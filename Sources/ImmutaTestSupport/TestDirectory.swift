import Foundation

/// A directory of a test's own, removed with its last reference.
public final class TestDirectory: Sendable {
  /// The directory's path.
  public let path: String

  /// Makes the directory.
  ///
  /// - Parameter inMemory: on a file system in memory, where there is one: flushes then cost nothing.
  public init(inMemory: Bool = false) throws {
    let memory = "/dev/shm"
    let parent =
      inMemory && FileManager.default.isWritableFile(atPath: memory)
      ? URL(filePath: memory) : FileManager.default.temporaryDirectory
    path = parent.appending(path: "immuta-torture-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// The path of a file in the directory.
  public func file(_ name: String) -> String { "\(path)/\(name)" }

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

  /// Makes a file of these bytes, in place of whatever is there.
  public static func write(_ bytes: [UInt8], to path: String) throws {
    try Data(bytes).write(to: URL(filePath: path))
  }

  /// Copies the files of a directory, as they are now, into another, which is made again.
  public static func copy(directory: String, to target: String) throws {
    try? FileManager.default.removeItem(atPath: target)
    try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
    for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
      if let bytes = try read("\(directory)/\(name)") { try write(bytes, to: "\(target)/\(name)") }
    }
  }
}
