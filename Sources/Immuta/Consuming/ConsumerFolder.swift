/// Where the positions of a log's consumers are: `<namespace>.consumers`, a file for each.
struct ConsumerFolder {
  let files: LogFiles
  private let trust: FileTrust

  init(_ files: LogFiles, trust: FileTrust) {
    self.files = files.home
    self.trust = trust
  }

  private static let suffix = ".position"

  /// Whether a file holds a position, by its name.
  static func isPosition(_ name: String) -> Bool { name.hasSuffix(suffix) }

  /// The name of a consumer's file.
  static func file(of consumer: String) -> String { consumer + suffix }

  /// The consumer's name in the lock's file.
  private func subject(_ consumer: String) -> String { "\(files.namespace)/\(consumer)" }

  /// Nil where no consumer was made yet.
  private func folder() throws(ImmutaError) -> Directory? { try io(trust.folder(files.consumersFolder, of: files)) }

  /// The names of the consumers, sorted. O(files in the folder).
  func names() throws(ImmutaError) -> [String] {
    guard let folder = try folder() else { return [] }
    return try io(folder.names()).filter { $0.hasSuffix(Self.suffix) }.map { String($0.dropLast(Self.suffix.count)) }
      .filter(FileName.isValid).sorted()
  }

  /// Whether a consumer of this name exists.
  func has(_ consumer: String) throws(ImmutaError) -> Bool {
    guard let folder = try folder() else { return false }
    return try io(folder.statusOfFile(Self.file(of: consumer))) != nil
  }

  /// What a consumer's file says; nil if it has none. Takes no lock.
  ///
  /// - Parameter flushing: whether what it returns must be on stable storage then.
  /// - Throws: `.corrupted` where no slot in it is whole, `.unsupportedVersion`, `.foreignOwner`, `.io`.
  func mark(of consumer: String, flushing: Bool = false) throws(ImmutaError) -> ConsumerMark? {
    try current(of: consumer, flushing: flushing)?.mark
  }

  /// The same, and its generation.
  func current(
    of consumer: String, flushing: Bool = false
  ) throws(ImmutaError) -> (mark: ConsumerMark, generation: UInt64)? {
    guard let (file, _, _) = try open(consumer) else { return nil }
    let current = try PositionFile.current(in: file)
    // After reading: a mark that is written in between is not the one that was read.
    if flushing { try io(file.flush()) }
    return current
  }

  /// A consumer's file, to be read again and again; nil if it has none.
  ///
  /// - Parameter isKept: whether it stays open.
  /// - Throws: `.foreignOwner`, `.io`.
  func watched(_ consumer: String, isKept: Bool) throws(ImmutaError) -> WatchedFile? {
    guard let (file, identity, folder) = try open(consumer) else { return nil }
    return WatchedFile(file, identity, Self.file(of: consumer), in: folder, isKept: isKept)
  }

  private func open(
    _ consumer: String
  ) throws(ImmutaError) -> (file: Descriptor, identity: FileIdentity, folder: Directory)? {
    let name = Self.file(of: consumer)
    guard let folder = try folder(), let status = try io(folder.statusOfFile(name)) else { return nil }
    try io(trust.check(status, name))
    guard let found = try io(folder.openIfPresentWithStatus(name, .read)) else { return nil }
    return (found.file, found.status.identity, folder)
  }

  /// Where the state logs of work queues are; nil where no consumer was made yet.
  func stateFolder() throws(ImmutaError) -> Directory? { try folder() }

  /// Whether a name is a work queue's: as its position says, or, where that is damaged, by its state log.
  func isWorkQueue(_ name: String) throws(ImmutaError) -> Bool {
    do throws(ImmutaError) {
      if let mark = try mark(of: name) { return mark.queue != 0 }
    } catch {
      guard case .corrupted = error else { throw error }
    }
    guard let folder = try folder() else { return false }
    return try io(LogFiles(directory: folder, namespace: name).isThere())
  }

  /// The process that has a consumer; nil where nobody has it.
  func owner(of consumer: String) throws(ImmutaError) -> ConsumerOwner? {
    guard let folder = try folder(),
      let note = FileLock.holder(
        Self.file(of: consumer), in: folder, subject: subject(consumer), noteAt: TwoSlots.size)
    else { return nil }
    return self.owner(consumer, note)
  }

  /// Takes a consumer that exists; nil where there is none.
  ///
  /// - Throws: `.consumerInUse`, `.corrupted`, `.unsupportedVersion`, `.foreignOwner`, `.io`.
  func take(_ consumer: String) throws(ImmutaError) -> PositionFile? {
    let name = Self.file(of: consumer)
    guard let folder = try folder(), try io(folder.statusOfFile(name)) != nil else { return nil }
    return PositionFile(lock: try lock(name, of: consumer, in: folder), name: name, in: folder)
  }

  /// Makes a consumer with a position, on stable storage, unless one exists: then takes that one.
  func make(_ consumer: String, _ mark: ConsumerMark) throws(ImmutaError) -> PositionFile {
    let folder = try io(trust.makeFolder(files.consumersFolder, of: files))
    let name = Self.file(of: consumer)
    // Made under another name, so that a file with the real name always holds a position.
    let newName = name + ".new"
    let lock = try lock(newName, of: consumer, in: folder)
    if try io(folder.statusOfFile(name)) != nil {
      try io(folder.removeIfPresent(newName))
      lock.unlock()
      if let taken = try take(consumer) { return taken }
      throw .consumerNotFound(consumer)
    }
    var file = PositionFile(lock: lock, name: name, in: folder)
    try file.begin(mark)
    try io(folder.rename(newName, to: name))
    file.noteName()
    try io(folder.flush())
    try io(files.directory.flush())
    return file
  }

  /// Removes a consumer's position.
  ///
  /// - Parameter before: called before the removal, with the lock and the folder.
  /// - Throws: `.consumerNotFound`, `.consumerInUse`, `.foreignOwner`, `.io`.
  func remove(
    _ consumer: String, _ before: (Directory) throws(ImmutaError) -> Void
  ) throws(ImmutaError) {
    guard let file = try take(consumer) else { throw .consumerNotFound(consumer) }
    defer { file.unlock() }
    try before(file.folder)
    try io(file.folder.removeIfPresent(file.name))
    try io(file.folder.flush())
  }

  private func owner(_ consumer: String, _ note: LockNote) -> ConsumerOwner {
    ConsumerOwner(
      consumer: consumer, namespace: files.namespace, processID: note.processID,
      since: note.since.map { Timestamp(nanosecondsSince1970: $0) })
  }

  private func lock(_ name: String, of consumer: String, in folder: Directory) throws(ImmutaError) -> FileLock {
    let log = try io(files.directory.status(of: files.log))
    let folderRights = try io(folder.status().rights)
    do throws(FileError) {
      return try FileLock.take(
        name, in: folder, subject: subject(consumer), rights: log?.rights ?? folderRights, trust: trust, of: log,
        noteAt: TwoSlots.size)
    } catch .locked(let note) {
      throw .consumerInUse(owner(consumer, note))
    } catch {
      throw ImmutaError(error)
    }
  }
}
