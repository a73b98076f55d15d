/// Paths of files, as text.
package enum FilePath {
  /// The path of what has a name in a directory.
  package static func appending(_ name: String, to path: String) -> String {
    path.hasSuffix("/") ? path + name : "\(path)/\(name)"
  }

  /// What the file or directory at a path is called in it.
  package static func name(of path: String) -> String {
    path.utf8.split(separator: UInt8(ascii: "/")).last.map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  /// The directory that holds the entry of the file or directory at a path.
  package static func parent(of path: String) -> String {
    var components = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: true)
    components.removeLast(components.isEmpty ? 0 : 1)
    let parent = components.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
    return path.hasPrefix("/") ? "/\(parent)" : parent.isEmpty ? "." : parent
  }
}
