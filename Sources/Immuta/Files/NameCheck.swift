/// Tells whether the files that a writer has open still have their names: what is written to a file that was removed,
/// or whose directory was, is lost, and where the lock's file was, a second writer may be at work.
///
/// O(files): a `fstatat` for each, and a `stat` for the directory.
struct NameCheck: Sendable {
  private let directory: Directory
  private let files: [(name: String, identity: FileIdentity)]

  init(_ directory: Directory, _ files: [(name: String, file: Descriptor)]) throws(ImmutaError) {
    self.directory = directory
    var named: [(name: String, identity: FileIdentity)] = []
    for (name, file) in files { named.append((name, try file.status().identity)) }
    self.files = named
  }

  /// Throws `.logMoved`. Where this process may not look any more, as after a change of its user, it finds nothing wrong.
  func check() throws(ImmutaError) {
    for (name, identity) in files {
      let status: SystemCalls.Status?
      do { status = try directory.status(of: name) } catch { continue }
      guard status?.identity == identity else { throw .logMoved(path: directory.path(of: name)) }
    }
    if directory.place == .elsewhere { throw .logMoved(path: directory.path) }
  }
}
