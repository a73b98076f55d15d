/// The segments of a log that is repaired, or copied elsewhere: looks at each of them, while opening looks at two.
struct LogSegments {
  let files: LogFiles
  private var folder: SegmentFolder
  private(set) var problems: [Corruption]
  private let trust: FileTrust

  /// O(segments): the header of each companion is read.
  ///
  /// - Throws: `.namespaceNotFound` if there is no log, `.corrupted` if it was lost, `.io`.
  init(_ files: LogFiles, _ trust: FileTrust) throws(ImmutaError) {
    (self.files, self.trust) = (files, trust)
    folder = try SegmentFolder(files, trust)
    problems = folder.refusals
    // A missing newest segment is in the list of lost records.
    if let missing = folder.missingNewest { problems.removeAll { $0 == missing } }
    problems += try folder.leaveOutIrregular()
    if folder.firsts.isEmpty {
      if let lost = try files.lostLog() { throw .corrupted(lost) }
      throw .namespaceNotFound(files.namespace)
    }
    problems += try folder.leaveOutStraysBetween(identity: LogKnowledge(files, nil, .v2, trust).identity)
  }

  var firsts: [Int] { folder.firsts }

  /// The files of the segment that begins with a record.
  func files(of first: Int) -> LogFiles { folder.files(of: first) }

  /// Whether the log has rolled.
  var isRolled: Bool { folder.firsts != [0] || folder.newestFirst > 0 }

  /// The lock for all segments, held while one of them is worked on; nil if the only segment's own lock is taken, or if there is
  /// no segment to look at.
  func lock(for purpose: Repair.Purpose, _ trust: FileTrust) throws(ImmutaError) -> FileLock? {
    guard isRolled else { return nil }
    for first in folder.firsts.reversed() {
      let segment = folder.files(of: first)
      if let status = try io(segment.directory.status(of: segment.log)) {
        return try Repair.lock(segment, for: purpose, trust, of: status)
      }
    }
    return nil
  }

  /// What the other segments say about a segment.
  func place(_ number: Int) throws(ImmutaError) -> SegmentPlace {
    let firsts = folder.firsts
    guard isRolled else { return .alone }
    guard number + 1 < firsts.count else { return SegmentPlace(end: nil, isEndProven: false, isRolled: true) }
    return SegmentPlace(
      end: firsts[number + 1] - firsts[number], isEndProven: folder.isProven(firsts[number + 1]), isRolled: true)
  }

  /// The report of each segment; a segment that is refused is reported as lost.
  func reports(
    _ look: (_ files: LogFiles, _ place: SegmentPlace) throws(ImmutaError) -> RepairReport
  ) throws(ImmutaError) -> [(first: Int, report: RepairReport)] {
    var reports: [(first: Int, report: RepairReport)] = []
    for (number, first) in folder.firsts.enumerated() {
      let (files, place) = (folder.files(of: first), try place(number))
      do throws(ImmutaError) {
        reports.append((first, try look(files, place)))
      } catch .corrupted(let damage) {
        if !isRolled { throw .corrupted(damage) }
        reports.append((first, refused(damage, files, place)))
      }
    }
    return reports
  }

  /// A report that all of a segment's records are lost; for the newest segment, as many as its companion counts, or one.
  private func refused(_ damage: Corruption, _ files: LogFiles, _ place: SegmentPlace) -> RepairReport {
    let header = try? files.companionHeader(trust)
    let count = place.end ?? max(1, header?.stableCount ?? 1)
    return RepairReport(files.namespace, refused: damage, count: count)
  }

  /// The report of the whole log.
  func report(_ reports: [(first: Int, report: RepairReport)]) -> RepairReport {
    if !isRolled, var report = reports.first?.report {
      report.problems += problems
      return report
    }
    return RepairReport(
      files.namespace, of: reports, from: folder.removed, newestFirst: folder.newestFirst, problems: problems)
  }
}
