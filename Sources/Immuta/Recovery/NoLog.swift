// Files that have a log's name and are something else: a text that another program writes, a picture, a few bytes.
extension LogOnDisk {
  /// The damage of a file that is shorter than a header.
  func tooShort() throws(ImmutaError) -> Corruption {
    let size = status.size
    if let companion, try companion.namesRecords(slots?.current) { return .lost(log.path, says: companion.path) }
    if size > 0, companion == nil {
      return try .noLog(log, "\(Quantity.bytes(size)) are less than a log's header of \(format.headerSize)")
    }
    var damage = Corruption(
      .cutShort, path: log.path,
      reason: size == 0
        ? "it is empty: nothing was appended yet, or everything was lost; appending begins a log in it"
        : "it was cut short: \(Quantity.bytes(size)) are less than a log's header of \(format.headerSize); put the log back "
          + "from a backup, or remove it to begin a new one")
    damage.reason.remedy = .asStated
    return damage
  }
}

extension Descriptor {
  /// Whether a companion says that its log had records, by its header or its first entry.
  func namesRecords(_ header: CompanionHeader?) throws(ImmutaError) -> Bool {
    if let header, header.stableCount > 0 { return true }
    return try companionEntry(0) != nil
  }
}

extension Corruption {
  /// A log that is gone while another file says that it had records. Every command and every call gives the same advice.
  static func lost(_ path: String, says other: String) -> Corruption {
    Corruption(
      .logMissing, path: path,
      reason:
        "the log is missing or empty, but its companion \(other) says that it had records: put the log back from a backup, "
        + "or remove the companion to begin a new one")
  }

  static func noLog(_ file: Descriptor, _ reason: String) throws(ImmutaError) -> Corruption {
    guard let appearance = try FileAppearance(file) else {
      var damage = Corruption(
        .notALog, path: file.path,
        reason:
          "\(reason): it is no log, or nothing of the log is left; nothing was changed: put the log back from a backup, or "
          + "take the file out of the directory")
      damage.reason.remedy = .asStated
      return damage
    }
    var damage = Corruption(
      .notALog, path: file.path,
      reason:
        "it looks like \(appearance.words), and \(reason); nothing was changed: give it another name, or take it out "
        + "of the directory")
    damage.isNoLog = true
    return damage
  }
}

extension LogFiles {
  /// The same damage, judged with the files beside the log: if a log was once open for writing here, an unrecognised file is the
  /// rest of that log.
  func seenInPlace(_ error: ImmutaError) -> ImmutaError {
    guard case .corrupted(var damage) = error, damage.isNoLog, damage.path == logPath, hasTraces else { return error }
    damage.isNoLog = false
    damage.reason = Corruption.Reason(
      .logMissing,
      "nothing of the log is left in it, and files beside it say that there was one: put the log back from a backup, or "
        + "remove it with all files of its name to begin a new one")
    return .corrupted(damage)
  }

  /// Whether a file exists that only a log leaves beside itself.
  package var hasTraces: Bool {
    // A store's layout says that its partitions were logs.
    let once = [meta, lock, segmentsFolder] + (isPartition ? ["logstore.layout"] : [])
    return (try? directory.status(of: companion)) != nil
      || once.contains { (try? home.directory.status(of: $0)) != nil }
  }

  /// The damage if the log is missing but other files of it exist; nil otherwise.
  ///
  /// - Parameter trust: decides whose meta file is trusted; nil to trust any.
  /// - Throws: `.foreignOwner`, `.unsupportedVersion`, `.io`.
  package func lostLog(_ trust: FileTrust? = nil) throws(ImmutaError) -> Corruption? {
    // Its files are left of a removal.
    if try io(isBeingRemoved()) { return nil }
    let lost: Corruption?
    if let status = try io(home.directory.status(of: meta)) {
      try io(trust?.check(status, meta))
      lost = Corruption(
        .logMissing, path: logPath,
        reason:
          "the log is missing, but \(home.directory.path(of: meta)) says that there was one: put the log back from a "
          + "backup, or remove that file to begin a new one")
    } else {
      if let trust, let status = try io(directory.status(of: companion)) { try io(trust.check(status, companion)) }
      lost = try lostRecords(isEntryProof: true)
    }
    // Only now: another process may be making it this very moment, and makes the log before its other files.
    guard var lost, try io(directory.status(of: log) == nil) else { return nil }
    if try io(home.directory.status(of: salvage)?.isDirectory == true) {
      lost.reason = Corruption.Reason(
        .logMissing, "a salvage into it did not end: salvage into it again, which removes what that one left")
    }
    return lost
  }

  /// What the companion says of records, where the log has none.
  ///
  /// - Parameter isEntryProof: whether an entry proves a record, stable or not. Not where the log exists and has no
  ///   header: then it is empty until its first record is stable.
  func lostRecords(isEntryProof: Bool) throws(ImmutaError) -> Corruption? {
    guard let file = try io(directory.openIfPresent(companion, .read)), let header = try file.companionHeader() else {
      return nil
    }
    let hasEntries = try file.companionEntry(0) != nil
    guard header.stableCount > 0 || (hasEntries && isEntryProof) else { return nil }
    return .lost(logPath, says: companionPath)
  }
}

/// What a file is, if its first bytes are well known.
enum FileAppearance {
  case text
  case known(String)

  private static var sampleSize: Int { 512 }

  private static let magics: [(bytes: [UInt8], words: String)] = [
    ([0x1F, 0x8B], "a file of gzip"), ([0x28, 0xB5, 0x2F, 0xFD], "a file of Zstandard"),
    ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "a file of xz"), ([0x50, 0x4B, 0x03, 0x04], "a ZIP archive"),
    ([0x89, 0x50, 0x4E, 0x47], "a picture"), ([0xFF, 0xD8, 0xFF], "a picture"), ([0x25, 0x50, 0x44, 0x46], "a PDF"),
    ([0x7F, 0x45, 0x4C, 0x46], "a program"), (Array("SQLite format 3".utf8), "a database of SQLite"),
    (Array("LPKSHHRH".utf8), "a journal of systemd"),
  ]

  /// Nil for an unknown kind.
  init?(_ file: Descriptor) throws(ImmutaError) {
    var bytes = [UInt8](repeating: 0, count: Self.sampleSize)
    let count = try unsafe bytes.withMutableBytes { (bytes) throws(ImmutaError) in
      try unsafe io(file.read(into: bytes, at: 0))
    }
    let sample = bytes[..<count]
    if let magic = Self.magics.first(where: { sample.starts(with: $0.bytes) }) {
      self = .known(magic.words)
    } else if !sample.isEmpty, Self.isText(sample) {
      self = .text
    } else {
      return nil
    }
  }

  var words: String {
    switch self {
    case .text: "text"
    case .known(let words): words
    }
  }

  /// Without control characters but those that end or begin a line's parts; a character may be cut off at the end.
  private static func isText(_ sample: ArraySlice<UInt8>) -> Bool {
    if sample.contains(where: { $0 < 0x20 && !(0x09...0x0D).contains($0) && $0 != 0x1B || $0 == 0x7F }) { return false }
    return (0...3).contains { String(validating: sample.dropLast($0), as: UTF8.self) != nil }
  }
}
