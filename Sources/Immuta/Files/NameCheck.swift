/// Checks whether the files that a writer has open still have their names. Bytes written to a file that was removed, or whose
/// directory was, are lost; and if the lock's file was removed, a second writer may be at work.
///
/// O(files): a `fstatat` for each, and a `stat` for the first one's directory.
struct NameCheck: Sendable {
  private let files: [NamedFile]

  /// A file by its name in a directory.
  struct NamedFile {
    let directory: Directory
    let name: String
    let identity: FileIdentity
    /// How many bytes it has at least, while nobody cuts it short.
    var leastSize: @Sendable () -> Int = { 0 }
  }

  init(_ files: [NamedFile]) {
    precondition(!files.isEmpty, "there is nothing to check")
    self.files = files
  }

  /// The files of these names in a directory, as far as there are any.
  static func files(_ names: [String], in directory: Directory) throws(FileError) -> [NamedFile] {
    var named: [NamedFile] = []
    for name in names {
      if let found = try directory.status(of: name) {
        named.append(NamedFile(directory: directory, name: name, identity: found.identity))
      }
    }
    return named
  }

  /// Throws `.moved` and `.cutShort`. Where this process may not look any more, as after a change of its user, it finds nothing wrong.
  func check() throws(FileError) {
    for file in files {
      let (directory, name) = (file.directory, file.name)
      // Asked before the file is: it grows meanwhile.
      var least = file.leastSize()
      while true {
        let status: SystemCalls.Status?
        do { status = try directory.status(of: name) } catch { break }
        guard let status, status.identity == file.identity else { throw .moved(path: directory.path(of: name)) }
        if status.size >= least { break }
        // The file's writer gives back reserved space, and announces that before it does.
        let now = file.leastSize()
        if now < least {
          least = now
          continue
        }
        throw .cutShort(path: directory.path(of: name), size: status.size, least: least)
      }
    }
    // A segment's files lie in a folder of the directory.
    let directory = files[0].directory
    if directory.place == .elsewhere { throw .moved(path: directory.path) }
  }
}
