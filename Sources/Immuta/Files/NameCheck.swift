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
  ) throws(FileError) {
    self.directory = directory
    self.leastSize = leastSize
    var named = files
    for name in others { if let found = try directory.status(of: name) { named.append((name, found.identity)) } }
    self.files = named
  }

  /// Throws `.moved` and `.cutShort`. Where this process may not look any more, as after a change of its user, it finds nothing wrong.
  func check() throws(FileError) {
    var isFirst = true
    for (name, identity) in files {
      // Asked before the file is: it grows meanwhile.
      var least = isFirst ? leastSize() : 0
      while true {
        let status: SystemCalls.Status?
        do { status = try directory.status(of: name) } catch { break }
        guard let status, status.identity == identity else { throw .moved(path: directory.path(of: name)) }
        if status.size >= least { break }
        // Its writer gives back what was reserved, and says so before it does.
        let now = leastSize()
        if now < least {
          least = now
          continue
        }
        throw .cutShort(path: directory.path(of: name), size: status.size, least: least)
      }
      isFirst = false
    }
    if directory.place == .elsewhere { throw .moved(path: directory.path) }
  }
}
