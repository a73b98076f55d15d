/// A file that is read again and again while others write it: it costs one call each time as long as it is kept open.
struct WatchedFile: Sendable {
  private let folder: Directory
  let name: String
  private let identity: FileIdentity
  /// Nil where too many files are open to keep it.
  private let kept: Descriptor?

  /// How many are kept open together.
  static var mostKept: Int { OpenFiles.shared.limit / 2 }

  /// - Parameters:
  ///   - file: the file, open.
  ///   - isKept: whether it stays open.
  init(_ file: Descriptor, _ identity: FileIdentity, _ name: String, in folder: Directory, isKept: Bool) {
    (self.folder, self.name, self.identity) = (folder, name, identity)
    kept = isKept ? file : nil
  }

  /// The file, open; nil where it has lost its name, unless it was kept open.
  func opened() throws(FileError) -> Descriptor? {
    if let kept { return kept }
    guard let found = try folder.openIfPresentWithStatus(name, .read), found.status.identity == identity else {
      return nil
    }
    return found.file
  }

  /// Whether the name leads to it.
  var hasName: Bool {
    get throws(FileError) { try folder.status(of: name)?.identity == identity }
  }
}
