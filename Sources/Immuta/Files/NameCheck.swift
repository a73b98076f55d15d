/// Tells whether the files that a writer has open still have their names: what is written to a file that was removed,
/// or whose directory was, is lost, and where the lock's file was, a second writer may be at work.
///
/// O(files): a `fstatat` for each, and a `stat` for the directory.
struct NameCheck: Sendable {
  private let directory: Directory
  private let files: [(name: String, identity: FileIdentity)]

  /// How many bytes the first of the files has at least.
  private let leastSize: @Sendable () -> Int

  /// - Parameters:
  ///   - others: names of files that are not open, and belong to it all the same, as far as there are any.
  ///   - leastSize: how many bytes the first of the files has at least, while nobody cuts it short.
  init(
    _ directory: Directory, _ files: [(name: String, identity: FileIdentity)], others: [String],
    leastSize: @escaping @Sendable () -> Int
  ) throws(ImmutaError) {
    self.directory = directory
    self.leastSize = leastSize
    var named = files
    for name in others { if let found = try directory.status(of: name) { named.append((name, found.identity)) } }
    self.files = named
  }

  /// Throws `.logMoved`. Where this process may not look any more, as after a change of its user, it finds nothing wrong.
  func check() throws(ImmutaError) {
    var isFirst = true
    for (name, identity) in files {
      // Asked before the file is: it grows meanwhile.
      var least = isFirst ? leastSize() : 0
      while true {
        let status: SystemCalls.Status?
        do { status = try directory.status(of: name) } catch { break }
        guard let status, status.identity == identity else { throw .logMoved(path: directory.path(of: name)) }
        if status.size >= least { break }
        // Its writer gives back what was reserved, and says so before it does.
        let now = leastSize()
        if now < least {
          least = now
          continue
        }
        throw .corrupted(
          Corruption(
            path: directory.path(of: name),
            reason:
              "another program cut it short to \(status.size) bytes while it was open for writing, and \(least) were "
              + "there: put the log back from a copy, or repair it"))
      }
      isFirst = false
    }
    if directory.place == .elsewhere { throw .logMoved(path: directory.path) }
  }
}
