import Immuta

/// The directory of a backup, with its manifest.
struct BackupDirectory {
  let path: String
  let place: Directory
  /// Nil where there is none: in an empty directory.
  var manifest: Manifest?

  /// Opens a directory to put a backup into; makes it, where there is nothing of its name.
  ///
  /// - Throws: for one that is or lies in the directory of the logs, or the other way round, and for one that has something
  ///   else in it.
  init(_ path: String, backupOf source: String) throws {
    let isNew = try Self.make(path, like: source, apartFrom: source)
    self.path = path
    place = try io(Directory(opening: path))
    manifest = try Self.manifest(in: place)
    if manifest != nil || isNew { return }
    // A file system's own folder is no file of anybody.
    let others = try io(place.names()).filter { ![".", "..", "lost+found", Self.lockName].contains($0) }
    if let other = others.sorted().first {
      throw ToolError(
        "\(path) is no backup and not empty (there is \(other), for one): give a new or an empty directory, or one that a "
          + "backup was made in")
    }
  }

  /// Opens a backup.
  init(reading path: String) throws {
    self.path = path
    place = try io(Directory(opening: path))
    manifest = try Self.manifest(in: place)
    guard let manifest else {
      throw ToolError(
        "there is no \(Manifest.fileName) in \(path), so it is no backup that immuta made; a copy of a directory of logs is put "
          + "back by copying its files")
    }
    guard manifest.isComplete else {
      throw ToolError(
        "the first backup into \(path) has not ended: there is nothing yet to be put back; run `immuta backup` again")
    }
  }

  /// Makes a directory, with the rights of another, if it does not exist. Does not make its parents: a disk for backups that is
  /// not mounted is an error.
  ///
  /// - Returns: whether it was made.
  static func make(_ path: String, like model: String, apartFrom other: String) throws -> Bool {
    let resolvedOther = System.resolved(other) ?? other
    try check(path, resolvedOther, other)
    guard try System.makeDirectory(path) else { return false }
    do {
      try check(path, resolvedOther, other)
    } catch {
      System.removeEmptyDirectory(path)
      throw error
    }
    let place = try io(Directory(opening: path))
    try io(place.take(rightsOf: Directory(opening: model)))
    try io(place.flushEntry())
    return true
  }

  /// Throws where one directory is, or lies in, the other.
  private static func check(_ path: String, _ resolvedOther: String, _ other: String) throws {
    guard let resolved = System.resolved(path) else { return }
    if resolved == resolvedOther { throw ToolError("\(path) and \(other) are the same directory: give another one") }
    if "\(resolved)/".hasPrefix("\(resolvedOther)/") {
      throw ToolError("\(path) lies in \(other): give a directory outside of it")
    }
    if "\(resolvedOther)/".hasPrefix("\(resolved)/") {
      throw ToolError("\(other) lies in \(path): give a directory outside of it")
    }
  }

  // MARK: The manifest

  private static let mostBytes = 256 << 20

  private static func manifest(in place: Directory) throws -> Manifest? {
    guard let file = try io(place.openIfPresent(Manifest.fileName, .read)) else { return nil }
    let size = try io(file.size)
    do {
      if size > mostBytes { throw Manifest.Unreadable("it has \(Quantities.counted(size, "byte"))") }
      var bytes = [UInt8](repeating: 0, count: size)
      let count = try bytes.withUnsafeMutableBytes { try io(file.read(into: $0, at: 0)) }
      return try Manifest(Array(bytes.prefix(count)))
    } catch let error as Manifest.Unreadable {
      throw ToolError(
        "damaged: \(place.path(of: Manifest.fileName)): \(error.reason); the logs beside it can be read as logs, with --dir "
          + "\(ToolCommandLine.word(place.path)): copy them, or back up into another directory", .damaged)
    }
  }

  /// Writes the manifest in the place of the last one. On stable storage when it returns.
  mutating func write(_ manifest: Manifest) throws {
    let old = try io(place.openIfPresent(Manifest.fileName, .read))
    let new = try io(Replacement(of: Manifest.fileName, in: place, as: "\(Manifest.fileName).new", like: old))
    do {
      try io(new.file.write(manifest.bytes, at: 0))
      try io(new.finish())
    } catch {
      new.abandon()
      throw error
    }
    try io(place.flush())
    self.manifest = manifest
  }

  // MARK: One at a time

  private static let lockName = "immuta-backup.lock"

  /// Keeps others from backing up into the directory until it is released.
  func lock() throws -> FileLock {
    do {
      return try io(
        FileLock.take(
          Self.lockName, in: place, subject: "backup", rights: place.status().rights, trust: FileTrust(in: place)))
    } catch {
      guard case ImmutaError.locked = error else { throw error }
      throw ToolError("another backup into \(path) is at work: wait until it has ended", .locked)
    }
  }
}
