/// What the other segments of its log say about a segment.
struct SegmentPlace {
  /// How many records it has, by where the next one begins; nil for the newest.
  let end: Int?
  /// Whether the next one's companion says that it belongs there.
  let isEndProven: Bool
  /// Whether the log has rolled: then the lock is held elsewhere, and the segment's companion names the log that it belongs to.
  let isRolled: Bool

  /// Of a log that never rolled.
  static let alone = SegmentPlace(end: nil, isEndProven: false, isRolled: false)

  /// The damage if it has records beyond its end.
  func tooMany(_ files: LogFiles, _ count: Int) -> Corruption {
    let next = files.first + (end ?? 0)
    return Corruption(
      .segmentLength, path: files.logPath, sequence: next,
      reason:
        "the segment has \(Quantity.records(count)) too many: the next one begins with record \(next). Another program appended to "
        + "it, or the next one does not belong to the log. They are left out; move them to a log of their own, and put the "
        + "segment back from a backup")
  }
}

// Whether the files of a segment are in their place in the log.

extension LogFiles {
  /// Throws where a companion says that its segment begins with another record than its name says: its log may be another
  /// segment's, too, whose records must not get other numbers.
  func checkPlace(_ header: CompanionHeader) throws(ImmutaError) {
    let stated = header.firstSequence
    // A segment that got its name just before the machine went down may not hold the number yet.
    if stated == first || (first > 0 && stated == CompanionHeader.unnamedFirst) { return }
    throw .corrupted(
      Corruption(
        .segmentMisplaced, path: companionPath,
        reason:
          "it says that its segment begins with record \(stated), and its name says with record \(first): it was moved or "
          + "renamed; put the files back under their names"))
  }

  /// Throws if the companion belongs to the segment but the log does not match it: then the log is another segment's, and its
  /// records have other numbers.
  func checkOwner(_ disk: LogOnDisk, in place: SegmentPlace, _ trust: FileTrust) throws(ImmutaError) {
    guard place.isRolled, let header = disk.companionHeader, header.firstSequence == first else { return }
    let known = try LogKnowledge(self, nil, disk.format, trust).identity
    guard let identity = header.identity, identity == known ?? identity else { return }
    throw .corrupted(Corruption(.segmentMisplaced, path: logPath, sequence: first, reason: .foreignLog(companionPath)))
  }

  /// The error if a segment goes on beyond the beginning of the next one.
  func tooMany(_ count: Int, before end: Int) -> ImmutaError { .corrupted(goesOn(count, after: end)) }

  /// The same, as damage.
  func goesOn(_ count: Int, after end: Int) -> Corruption {
    Corruption(
      .segmentLength, path: logPath, sequence: end,
      reason:
        "the segment has \(Quantity.records(count)), and the next one begins with record \(end): another program "
        + "appended to it; move what it appended to a log of its own, and put the segment back from a backup")
  }

  /// The damage of the newest segment of a log whose other segments can be read.
  func inNewest(_ damage: Corruption) -> Corruption {
    var damage = damage
    let found: String
    if damage.isNoLog {
      // It is the log's, or was put in its place.
      damage.isNoLog = false
      damage.reason.code = .notALog
      found = "nothing of the segment is left in it"
    } else {
      found = damage.reason.description
    }
    damage.reason.description =
      "\(found); it is the newest segment of the log, from record \(first) on: the records before it can be read. Put its "
      + "files back from a backup, or have it repaired"
    return damage
  }

  /// The note about a segment, if the log has others: it says to which segment the numbers in it belong.
  func note(_ note: String?) -> String? {
    first == 0 ? note : note.map { "\($0) (in its newest segment, from record \(first) on)" }
  }
}

extension String {
  /// Why a log is refused that has its place, and whose companion does not fit it.
  static func foreignLog(_ companion: String) -> String {
    "it is not the file that belongs here: \(companion) is the companion of this segment, and the records are not what it "
      + "says. Two segments may have been exchanged: put the log's own file back; nothing was changed"
  }
}

extension Corruption {
  /// Something else that has the name of a segment's file.
  static func irregular(_ path: String, _ status: SystemCalls.Status) -> Corruption {
    let kind = status.isDirectory ? "a folder" : status.isSymbolicLink ? "a symbolic link" : "not a regular file"
    return .notSegment(path, "it is \(kind)")
  }

  /// A file that has a segment's name, but does not belong to the log.
  static func notSegment(_ path: String, _ reason: String) -> Corruption {
    Corruption(
      .segmentMisplaced, path: path,
      reason:
        "\(reason): it is left out; put the log's own segment back in its place, or take the file out of the folder")
  }
}
