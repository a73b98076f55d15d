/// What is known of one segment of a log without reading it: see ``Log/segments()``.
public struct SegmentDetails: Sendable {
  /// Its records' numbers; of a missing segment, the numbers that it had.
  public let records: Range<Int>
  /// Its log file; nil for a missing segment.
  public let path: String?
  /// Bytes of its log file, header and committed records; 0 for a missing segment.
  public let byteCount: Int
  /// When its first record was committed; nil where it has none, or where the times cannot be read.
  public var firstTimestamp: Timestamp? { times?.first }
  /// When its last record was committed; nil where it has none, or where the times cannot be read.
  public var lastTimestamp: Timestamp? { times?.last }
  /// When its first and its last record were committed; nil where it has none, or where the times cannot be read.
  package let times: (first: Timestamp, last: Timestamp)?
  /// Whether no record of it has a checksum from when it was appended.
  package let isUnverifiable: Bool
  /// Whether it is the one that is appended to.
  public let isNewest: Bool
  /// Why it cannot be read, or what is wrong with its last record; nil where nothing is.
  public let failure: ImmutaError?
}

extension Log {
  /// What is known of the log's segments, in order: headers, companions, last records and sizes are looked at. A segment that
  /// is missing is in the list. Works also for a log that another process writes. O(segments).
  ///
  /// - Throws: `.storageClosed`, `.io`.
  public func segments() throws(ImmutaError) -> [SegmentDetails] {
    let list = try segmentList()
    var segments = try look(list)
    segments.append(details(of: list.newest, list.newest.first..<list.newest.count, isNewest: true))
    if let damage = endDamage {
      let path = damage.reason.code == .segmentMissing ? nil : damage.path
      segments.append(
        SegmentDetails(
          records: list.newest.count..<list.newest.count, path: path, byteCount: 0, times: nil,
          isUnverifiable: false, isNewest: true, failure: .corrupted(damage).of(namespace)))
    }
    return segments
  }

  /// The segments before the newest; only those that begin before a record.
  private func look(
    _ found: (list: (firsts: [Int], removed: Int), newest: LogReader), before limit: Int = .max
  ) throws(ImmutaError) -> [SegmentDetails] {
    let (list, newest) = found
    var segments: [SegmentDetails] = []
    var next = list.removed
    for (place, first) in list.firsts.enumerated() where first < limit {
      let end = place + 1 < list.firsts.count ? list.firsts[place + 1] : newest.first
      if end <= next { continue }
      if first > next { segments.append(missing(next..<first)) }
      next = end
      do throws(ImmutaError) {
        let reader = try open.sealed.reader(of: first)
        segments.append(details(of: reader, first..<min(end, reader.count), isNewest: false))
        if reader.count < end { segments.append(missing(reader.count..<end)) }
      } catch .recordRemoved {
        // The segment was removed a moment ago.
        continue
      } catch {
        segments.append(try broken(first..<end, error))
      }
    }
    if newest.first > next, next < limit { segments.append(missing(next..<newest.first)) }
    return segments
  }

  /// The log files of all its segments. O(segments).
  package func filePaths() throws(ImmutaError) -> [String] { try io(currentFiles.logPaths()) }

  /// Whether a file is one of its segments, whatever path leads to it. O(segments): the names are looked at, not the files.
  package func has(fileAt path: String) throws(ImmutaError) -> Bool {
    let files = currentFiles.home
    guard let file = try io(SystemCalls.status(path)), file.isRegular else { return false }
    if try io(files.directory.status(of: files.log))?.identity == file.identity { return true }
    return try io(files.openFolder()?.has(file.identity, called: FilePath.name(of: path))) ?? false
  }

  /// The segments that ``Retention`` would remove at this moment, in order. Removes none, and works also for a log that another
  /// process writes.
  ///
  /// - Throws: `.unsupportedVersion` where a newer program wrote one of them, `.storageClosed`, `.io`.
  package func removable(by retention: Retention) throws(ImmutaError) -> [SegmentDetails] {
    let folder = try io(currentFiles.openFolder())
    let files = currentFiles
    return try removable { (plan, newest) throws(ImmutaError) in
      try plan.firstToKeep(retention, now: Clocks.wallClock()) { (first) throws(ImmutaError) in
        // A missing segment has no bytes.
        try first == newest.first ? newest.end : io(files.segment(first, inFolder: folder)?.logSize() ?? 0)
      } lastTime: { end in
        try? open.sealed.reader(of: end - 1).timestamp(of: end - 1).nanosecondsSince1970
      }
    }
  }

  /// The same for ``removeRecords(before:)-(Int)``.
  package func removable(before number: Int) throws(ImmutaError) -> [SegmentDetails] {
    try removable { plan, _ in plan.firstToKeep(before: number) }
  }

  private func removable(
    _ choice: (RetentionPlan, _ newest: LogReader) throws(ImmutaError) -> Int?
  ) throws(ImmutaError) -> [SegmentDetails] {
    let found = try segmentList()
    let plan = RetentionPlan(
      firsts: found.list.firsts.filter { $0 >= found.list.removed }, newest: found.newest.first,
      count: found.newest.count)
    guard let first = try choice(plan, found.newest) else { return [] }
    let segments = try look(found, before: first).filter { $0.records.upperBound <= first }
    // Removing them would throw.
    for segment in segments {
      if case .unsupportedVersion? = segment.failure, let failure = segment.failure { throw failure }
    }
    return segments
  }

  // MARK: Looking

  /// The segments before the newest, and the newest: as they were at one moment.
  private func segmentList() throws(ImmutaError) -> (list: (firsts: [Int], removed: Int), newest: LogReader) {
    try checkOpen()
    try open.refresh()
    follower?.noteRemoved()
    while true {
      let newest = reader
      let sealed = open.sealed
      let list = sealed.list
      // Otherwise the log has rolled in between.
      if list.end == newest.first || !isFollowing { return ((list.firsts, sealed.firstSequence), newest) }
      try open.refresh()
    }
  }

  private func details(of reader: LogReader, _ records: Range<Int>, isNewest: Bool) -> SegmentDetails {
    var times: (first: Timestamp, last: Timestamp)?
    var failure: ImmutaError?
    if !records.isEmpty {
      let last = records.upperBound - 1
      do throws(ImmutaError) {
        times = try (reader.timestamp(of: records.lowerBound), reader.timestamp(of: last))
        _ = try reader.record(last, reader: 0)
      } catch .undecodable {
        // Only a caller that has the keys can find that out.
      } catch {
        failure = error.of(namespace)
      }
    }
    return SegmentDetails(
      records: records, path: reader.check.path, byteCount: reader.end, times: times,
      isUnverifiable: !records.isEmpty && reader.madeCount == records.count, isNewest: isNewest, failure: failure)
  }

  private func missing(_ records: Range<Int>) -> SegmentDetails {
    let damage = Corruption(
      .segmentMissing, path: files.logPath, sequence: records.lowerBound,
      reason: "the segment with its records \(records.lowerBound) to \(records.upperBound - 1) is missing")
    return SegmentDetails(
      records: records, path: nil, byteCount: 0, times: nil, isUnverifiable: false, isNewest: false,
      failure: .corrupted(damage))
  }

  /// A segment that cannot be opened.
  private func broken(_ records: Range<Int>, _ error: ImmutaError) throws(ImmutaError) -> SegmentDetails {
    let segment = try io(files.segment(records.lowerBound, inFolder: files.openFolder()))
    let size = try io(segment?.logSize())
    return SegmentDetails(
      records: records, path: size == nil ? nil : segment?.logPath, byteCount: size ?? 0, times: nil,
      isUnverifiable: false, isNewest: false, failure: error.of(namespace))
  }
}
