/// Paths of files, as text.
package enum FilePath {
  /// The directory that holds the entry of the file or directory at a path.
  package static func parent(of path: String) -> String {
    var components = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: true)
    components.removeLast(components.isEmpty ? 0 : 1)
    let parent = components.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
    return path.hasPrefix("/") ? "/\(parent)" : parent.isEmpty ? "." : parent
  }

  /// The path of what has a name in the directory at a path.
  static func joined(_ path: String, _ name: String) -> String {
    path.hasSuffix("/") ? path + name : "\(path)/\(name)"
  }
}
