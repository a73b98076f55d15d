/// Which segments a log has, by the names of their files: read once, when the log is opened.
struct SegmentFolder: Sendable {
  /// The folder of the segments after the first; nil for a log that never rolled.
  let folder: Directory?
  /// The first records of all segments, in order. The last one is the segment that is appended to.
  private(set) var firsts: [Int]
  private let files: LogFiles
  /// Companions in the folder whose logs are not there.
  private(set) var orphans: [Int] = []
  /// Whether files were left that were made for a segment to come.
  private var hasNext = false

  /// O(names in the folder).
  init(_ files: LogFiles) throws(ImmutaError) {
    let files = files.home
    self.files = files
    folder = try io(files.openFolder())
    // Whether a log that never rolled exists finds out who opens it.
    var firsts = [0]
    if let folder {
      if try io(files.directory.status(of: files.log)) == nil { firsts = [] }
      var companions: [Int] = []
      for name in try io(folder.names()) {
        if let first = files.first(ofLog: name) {
          firsts.append(first)
        } else if let first = files.first(ofCompanion: name) {
          companions.append(first)
        } else if name == files.nextLog || name == files.nextCompanion {
          hasNext = true
        }
      }
      firsts.sort()
      if companions.count >= firsts.count { orphans = Set(companions).subtracting(firsts).sorted() }
    }
    self.firsts = firsts
  }

  /// The files of the segment that begins with a record.
  func files(of first: Int) -> LogFiles {
    files.segment(first, inFolder: folder) ?? files
  }

  /// The segment that is appended to; that of the first record where there is none.
  var newest: LogFiles { files(of: firsts.last ?? 0) }

  /// The segment before that.
  var previous: LogFiles? { firsts.count < 2 ? nil : files(of: firsts[firsts.count - 2]) }

  /// The last segment is not one of the log any more.
  mutating func dropNewest() { firsts.removeLast() }

  /// Removes what a crash left: files that were made for a segment to come, which hold no records; companions whose logs
  /// never got their names, or were removed; and segments that were being removed. For who has the log's lock.
  ///
  /// - Parameter removed: the first record that was not removed.
  mutating func clear(removed: Int) throws(ImmutaError) {
    guard let folder else { return }
    if hasNext {
      try io(folder.removeIfPresent(files.nextLog))
      try io(folder.removeIfPresent(files.nextCompanion))
    }
    while firsts.count > 1, firsts[1] <= removed {
      let gone = files(of: firsts[0])
      try io(gone.directory.removeIfPresent(gone.log))
      try io(gone.directory.removeIfPresent(gone.companion))
      firsts.removeFirst()
    }
    if removed > 0 {
      // The companion goes last.
      if firsts.first != 0 { try io(files.directory.removeIfPresent(files.companion)) }
    }
    for first in orphans {
      let segment = files(of: first)
      if first < removed {
        try io(folder.removeIfPresent(segment.companion))
      } else if first >= firsts.last ?? 0 {
        // What is not stable is not promised, and its log's name may have been lost with the machine.
        let isUp = try segment.isOfThisRun()
        if let lost = try segment.lostRecords(isEntryProof: isUp) { throw .corrupted(lost) }
        try io(folder.removeIfPresent(segment.companion))
      }
    }
  }
}

extension LogFiles {
  /// Whether the segment's companion was last written in this run of the machine.
  fileprivate func isOfThisRun() throws(ImmutaError) -> Bool {
    guard let header = try io(directory.openIfPresent(companion, .read))?.companionHeader() else { return false }
    return header.bootIdentity != 0 && header.bootIdentity == BootIdentity.current
  }

  /// That the newest segment is missing; nil where it is not. What is kept beside the segments says which it is, once its
  /// name is on stable storage.
  func missingNewest(_ newestFirst: Int, in folder: SegmentFolder) -> Corruption? {
    guard newestFirst > folder.newest.first else { return nil }
    let meta = home.directory.path(of: meta)
    return Corruption(
      .segmentMissing, path: home.logPath, sequence: newestFirst,
      reason:
        "the segment that begins with record \(newestFirst) is missing, and so is what came after it: put its files back "
        + "into \(home.directory.path(of: segmentsFolder)) from a backup; to go on without them, remove \(meta)")
  }
}
