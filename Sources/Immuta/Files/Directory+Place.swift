// Where a directory is, by its path and in fact.

extension Directory {
  /// The descriptor, for watching it, and the paths of everything that leads here: the directories and the symbolic links on the
  /// way, by the given path and by the one that it led to.
  func watched() throws(FileError) -> (descriptor: Descriptor, way: [String]) {
    var way: [String] = []
    for path in Set([absolutePath, resolvedPath].compactMap { $0 }) {
      var path = path
      while path != "/", !path.isEmpty, path != "." {
        way.append(path)
        path = FilePath.parent(of: path)
      }
    }
    return (try opened(), way)
  }

  /// Where a path leads.
  package enum Place: Hashable, Sendable {
    case here
    /// Another directory, or none.
    case elsewhere
    /// The path cannot be followed any more by this process.
    case unknown
  }

  /// Whether the directory is where it was when it was opened. A symbolic link on the way that leads elsewhere since
  /// changes nothing.
  package var place: Place { place(by: resolvedPath) }

  /// Whether the path, as it was given, still leads here: for callers that want the file that has the name now.
  package var placeByName: Place { place(by: absolutePath) }

  private func place(by path: String?) -> Place {
    guard let path else { return .unknown }
    do throws(FileError) {
      if try SystemCalls.status(path)?.identity == identity { return .here }
    } catch let error where error.errorNumber == ErrorNumber.notDirectory {
      // A file has the name of a directory on the way.
    } catch {
      return .unknown
    }
    // A process that changed its root cannot follow a path from before.
    return Self.identityOfRoot == root ? .elsewhere : .unknown
  }

  static var identityOfRoot: FileIdentity? { (try? SystemCalls.status("/"))?.identity }
}
