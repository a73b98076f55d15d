import ImmutaLocking

/// Where the files of an index of keys are: a folder beside the log, which the indexes of a log share.
///
/// ```
/// <namespace>.keys/<name>.<first>.keys    a sealed segment's; <first>: its first record's number, 20 digits
/// <namespace>.keys/<name>.removed.keys    how many records of each key were removed with their segments
/// <namespace>.keys/<name>.writing         locked by who makes one of these
/// ```
///
/// Nothing in it is needed: files that are missing, damaged or of another version are made again, except the counts of removed
/// records.
final class KeyFolder: Sendable {
  let files: LogFiles
  let name: String
  private let trust: FileTrust
  private let folder = Lock<Directory?>(nil)

  init(_ files: LogFiles, name: String, trust: FileTrust) {
    self.files = files.home
    self.name = name
    self.trust = trust
  }

  /// Nil if it does not exist, or cannot be opened.
  private var existing: Directory? {
    folder.withLock { folder in
      if folder == nil { folder = try? trust.folder(files.keysFolder, of: files) }
      return folder
    }
  }

  private func made() throws(FileError) -> Directory {
    if let existing { return existing }
    let new = try trust.makeFolder(files.keysFolder, of: files)
    return folder.withLock { folder in
      if let folder { return folder }
      folder = new
      return new
    }
  }

  // MARK: Names

  private static var suffix: String { ".keys" }

  func fileName(_ first: Int) -> String { "\(name).\(LogFiles.digits(first))\(Self.suffix)" }
  var removedName: String { "\(name).removed\(Self.suffix)" }
  private var writingName: String { "\(name).writing" }
  private var newName: String { "\(name).new" }

  /// The first record of the segment whose file has a name; nil for other files.
  func first(of file: String) -> Int? {
    let digits = file.dropFirst(name.utf8.count + 1).dropLast(Self.suffix.utf8.count)
    guard digits.utf8.count == 20, let first = Int(digits), first >= 0, file == fileName(first) else { return nil }
    return first
  }

  /// The first records of the segments that have files, before a number; in order.
  func firsts(before number: Int) -> [Int] {
    guard let existing, let names = try? existing.names() else { return [] }
    return names.compactMap { first(of: $0) }.filter { $0 < number }.sorted()
  }

  // MARK: Files

  /// A file that may be used; nil if there is none.
  func open(_ name: String, _ isExpected: (KeyFileHeader) -> Bool) -> KeyFile? {
    guard let existing else { return nil }
    return KeyFile(name, in: existing, trust, isExpected)
  }

  /// Removes files. Those that could not be removed are removed the next time.
  ///
  /// - Returns: whether all are gone.
  @discardableResult
  func remove(_ names: [String]) -> Bool {
    guard let existing else { return true }
    var areGone = true
    for name in names {
      do { try existing.removeIfPresent(name) } catch { areGone = false }
    }
    return areGone
  }

  /// Calls `body` while nobody else, in this process or another, makes files of the index; nil if somebody does.
  func alone<R>(_ body: (_ original: Descriptor) throws(ImmutaError) -> R) throws(ImmutaError) -> R? {
    let folder = try io(made())
    guard let log = try newestLog() else { return nil }
    let lock: Descriptor
    if let file = try io(folder.openIfPresent(writingName, .readWrite)) {
      lock = file
    } else {
      do {
        lock = try folder.create(writingName, like: log)
      } catch let error where error.errorNumber == ErrorNumber.exists {
        return nil
      } catch {
        throw ImmutaError(error)
      }
    }
    guard try io(trust.holds(lock.status())), try io(lock.tryLock()) else { return nil }
    defer { lock.unlock() }
    return try body(log)
  }

  /// A file of the log, whose owner and rights the index's files get.
  private func newestLog() throws(ImmutaError) -> Descriptor? {
    if let log = try io(files.directory.openIfPresent(files.log, .read)) { return log }
    guard let folder = try io(files.openFolder()), let names = try? folder.names(),
      let log = names.filter({ files.first(ofLog: $0) != nil }).max()
    else { return nil }
    return try io(folder.openIfPresent(log, .read))
  }

  /// Makes a file under another name, flushes it, and gives it its own name. Call it inside ``alone(_:)``.
  ///
  /// - Parameter write: returns false if the file is not to be kept.
  func replace(
    _ name: String, like log: Descriptor, _ write: (Descriptor) throws(ImmutaError) -> Bool
  ) throws(ImmutaError) -> Bool {
    let folder = try io(made())
    let replacement = try io(Replacement(of: name, in: folder, as: newName, like: log))
    do throws(ImmutaError) {
      guard try write(replacement.file) else {
        replacement.abandon()
        return false
      }
      try io(replacement.finish())
      try io(folder.flush())
      return true
    } catch {
      replacement.abandon()
      throw error
    }
  }
}
