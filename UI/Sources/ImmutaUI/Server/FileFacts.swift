#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// What the file system says of a file.
enum FileFacts {
  /// A number among a file's attributes; nil where there is no such file.
  ///
  /// By its text: which type of number it is depends on the system, and on how much of Foundation is there.
  static func number(_ key: FileAttributeKey, of path: String) -> Int? {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    return attributes?[key].flatMap { Int("\($0)") }
  }
}
