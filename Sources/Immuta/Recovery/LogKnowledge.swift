/// What is known of a log beyond its records: its identity, and the codec that its payloads went through. Both the companion and
/// the meta file hold this, so that one of them may be lost.
struct LogKnowledge {
  /// Nil when nothing says it.
  let codecName: String?
  /// Nil when nothing says it, as of a log that was made before logs had one.
  let identity: LogIdentity?
  /// The log's name when it was made; nil when no file holds it.
  var namespace: String? { meta?.meta.namespace }
  /// The first record that was not removed from the log, as far as the meta file says.
  var removedCount: Int { meta?.meta.removedCount ?? 0 }
  /// See ``LogMeta/newestFirst``; 0 where nothing says it.
  var newestFirst: Int { meta?.meta.newestFirst ?? 0 }
  /// The meta file's contents, and its generation.
  private let meta: (meta: LogMeta, generation: UInt64)?

  /// Reads the meta file, and compares it with the companion's header. A meta file of a user who must not be trusted with the log
  /// is ignored, as its contents cannot be checked.
  ///
  /// - Throws: `.corrupted` when the two are of different logs, `.unsupportedVersion`, `.io`.
  init(
    _ files: LogFiles, _ companion: CompanionHeader?, _ format: LogFormat, _ trust: FileTrust
  ) throws(ImmutaError) {
    // A companion of another format describes another log.
    let companion = companion?.format == format ? companion : nil
    meta = try Self.meta(files, trust)
    codecName = companion?.codecName ?? meta?.meta.codecName
    identity = companion?.identity ?? meta?.meta.identity
    guard let meta = meta?.meta, let companion else { return }
    if let name = companion.codecName, name != meta.codecName {
      throw Self.disagreement(
        files,
        "it says that the log was written with \(Self.text(meta.codecName)), and its companion says with "
          + Self.text(name))
    }
    if let identity = companion.identity, identity != meta.identity {
      throw Self.disagreement(
        files, "it is the log \(meta.identity)'s, and the companion is \(identity)'s")
    }
  }

  private static func text(_ codecName: String) -> String { codecName.isEmpty ? "no codec" : codecName.quoted }

  private static func disagreement(_ files: LogFiles, _ reason: String) -> ImmutaError {
    .corrupted(
      Corruption(
        .metaFile, path: files.home.directory.path(of: files.meta),
        reason:
          "\(reason): put the one back that belongs to \(files.log), or move the one that does not out of the way "
          + "(\(files.companion) or \(files.meta))"))
  }

  private static func meta(
    _ files: LogFiles, _ trust: FileTrust
  ) throws(ImmutaError) -> (meta: LogMeta, generation: UInt64)? {
    let directory = files.home.directory
    guard let found = try io(directory.status(of: files.meta)),
      try io(trust.holds(found, in: directory, of: files)),
      let file = try io(directory.openIfPresent(files.meta, .read)),
      // The same file that was checked, and not one that took its place since.
      try io(file.status().rights.owner == found.rights.owner)
    else { return nil }
    guard let bytes = try file.twoSlots() else { return nil }
    let slots = unsafe bytes.withBytes { unsafe LogMeta.slots(in: $0) }
    if let version = slots.unknownVersion {
      throw .unsupportedVersion(
        UnsupportedVersion(
          path: file.path, subject: .meta, found: Int(version), supported: Int(LogMeta.version)))
    }
    return slots.current
  }

  /// Makes the meta file agree with the companion's header, if a codec is in use or the log has rolled. Writes nothing if it
  /// agrees already. Its bytes are on stable storage when it returns, its directory's entry with that of the log, before the
  /// first record is acknowledged.
  ///
  /// - Parameters:
  ///   - isNew: whether the log has no records yet: then its name is the one that it was made with.
  ///   - isSegmented: whether the log has rolled, or is about to.
  ///   - isOwn: whether one of its records can be read under the name that it has now.
  func keep(
    _ header: CompanionHeader, _ files: LogFiles, of log: Descriptor, isNew: Bool = false, isOwn: Bool = false,
    isSegmented: Bool = false, newestFirst: Int = 0
  ) throws(ImmutaError) {
    guard let codecName = header.codecName, let identity = header.identity,
      !codecName.isEmpty || meta != nil || files.first > 0 || isSegmented
    else { return }
    let directory = files.home.directory
    var wanted = LogMeta(
      identity: identity, codecName: codecName, removedCount: max(header.removedCount, removedCount),
      namespace: isNew && files.first == 0 ? files.namespace : namespace ?? (isOwn ? files.namespace : nil))
    wanted.newestFirst = max(self.newestFirst, newestFirst)
    if meta?.meta == wanted { return }
    let file =
      if let file = try io(directory.openIfPresent(files.meta, .readWrite)) { file } else {
        try io(directory.create(files.meta, like: log))
      }
    if let meta {
      let generation = TwoSlots.next(after: meta.generation)
      try file.write(slot: wanted.encoded(generation: generation), of: generation)
    } else {
      try file.write(firstSlot: wanted.encoded(generation: 0))
    }
    try io(file.flush())
  }

  /// Makes the meta file of a copy agree with this log's, if there is something to keep. It is on stable storage when this
  /// returns, except for its name.
  ///
  /// - Parameters:
  ///   - copy: the copy's files.
  ///   - removed: the first record that the copy has; never less than it said before.
  ///   - newestFirst: the first record of the copy's newest segment, whose name is on stable storage.
  ///   - log: whose rights the file gets.
  func keep(
    inCopy copy: LogFiles, removed: Int, newestFirst: Int, like log: Descriptor, _ trust: FileTrust
  ) throws(ImmutaError) {
    guard let codecName, let identity, meta != nil || newestFirst > 0 || !codecName.isEmpty else { return }
    try io(trust.checkMeta(of: copy))
    let there = try Self.meta(copy, trust)
    var wanted = LogMeta(
      identity: identity, codecName: codecName, removedCount: max(removed, there?.meta.removedCount ?? 0),
      namespace: namespace)
    wanted.newestFirst = max(newestFirst, there?.meta.newestFirst ?? 0)
    if there?.meta == wanted { return }
    let directory = copy.home.directory
    if let there, let file = try io(directory.openIfPresent(copy.meta, .readWrite)) {
      let generation = TwoSlots.next(after: there.generation)
      try file.write(slot: wanted.encoded(generation: generation), of: generation)
      return try io(file.flush())
    }
    let new = try io(Replacement(of: copy.meta, in: directory, as: Descriptor.unfinished(copy.meta), like: log))
    try new.file.write(firstSlot: wanted.encoded(generation: 0))
    try io(new.finish())
  }

  /// Advice for a payload that cannot be decoded, if the log had another name when it was made; nil if it had not, or that is
  /// unknown.
  static func advice(afterRenaming files: LogFiles) -> String? {
    let trust = FileTrust(in: files.directory)
    guard let made = (try? meta(files, trust))?.meta.namespace, made != files.namespace else { return nil }
    return
      "it was sealed for the namespace \(made.quoted), and the log is called \(files.namespace.quoted) now: "
      + "give its files their old name back, and copy its records into a new log from there"
  }
}
