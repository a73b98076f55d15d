import Foundation
import Immuta
import ImmutaTestSupport

/// The files of a directory and of its folders, in memory: to be changed, and put into another one.
struct FileTree {
  /// By their paths in the directory.
  var files: [String: [UInt8]] = [:]
  /// What a file is made longer to, without bytes.
  var holes: [String: Int] = [:]

  init() {}

  init(of directory: String) throws {
    let manager = FileManager.default
    for path in try manager.subpathsOfDirectory(atPath: directory) {
      let full = "\(directory)/\(path)"
      guard !FileBytes.isFolder(full), var bytes = try FileBytes.read(full) else { continue }
      // Space that was reserved costs nothing as a hole.
      let size = bytes.count
      if size > 1 << 15, let last = bytes.lastIndex(where: { $0 != 0 }) {
        bytes.removeLast(size - last - 1)
        holes[path] = size
      }
      files[path] = bytes
    }
  }

  /// The files of a storage that `body` fills, and that is closed then.
  static func made(
    by namespaces: [String], _ configuration: Storage.Configuration = Storage.Configuration(),
    _ body: (Storage) async throws -> Void
  ) async throws -> FileTree {
    let directory = TemporaryDirectory(inMemory: true)
    defer { withExtendedLifetime(directory) {} }
    let storage = try Storage(directory: directory.path, namespaces: namespaces, configuration: configuration)
    defer { storage.close() }
    try await body(storage)
    storage.close()
    return try FileTree(of: directory.path)
  }

  /// In their order, so that a seed finds the same.
  var paths: [String] { files.keys.sorted() }

  func paths(ending suffix: String) -> [String] { paths.filter { $0.hasSuffix(suffix) } }

  mutating func remove(_ path: String) {
    files[path] = nil
    holes[path] = nil
  }

  /// Puts the files into a directory, in place of all that it has.
  func write(to directory: String) throws {
    let manager = FileManager.default
    for name in try manager.contentsOfDirectory(atPath: directory) {
      try manager.removeItem(atPath: "\(directory)/\(name)")
    }
    try overwrite(in: directory)
  }

  /// Writes over the files that a directory has, in place. What it has under other names stays.
  func overwrite(in directory: String) throws {
    let manager = FileManager.default
    var folders: Set<String> = []
    for (path, bytes) in files {
      let full = "\(directory)/\(path)"
      let folder = (full as NSString).deletingLastPathComponent
      if folders.insert(folder).inserted {
        try manager.createDirectory(atPath: folder, withIntermediateDirectories: true)
      }
      try FileBytes.write(bytes, to: full)
      if let hole = holes[path] { truncate(full, off_t(hole)) }
    }
  }
}
