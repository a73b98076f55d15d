/// What is known of one segment of a log without reading it.
package struct SegmentDetails: Sendable {
  /// Its records' numbers; of a segment that is missing, those that it had.
  package let records: Range<Int>
  /// Its log file; of a segment that is missing, nil.
  package let path: String?
  /// Bytes of its log file, header and committed records; 0 of one that is missing.
  package let byteCount: Int
  /// When its first and its last record were committed; nil where there is none, or where that cannot be read.
  package let times: (first: Timestamp, last: Timestamp)?
  /// Whether no record of it has a checksum from when it was appended.
  package let isUnverifiable: Bool
  /// Whether it is the one that is appended to.
  package let isNewest: Bool
  /// Why it cannot be read, or what is wrong with its last record; nil where nothing is.
  package let failure: ImmutaError?
}

extension Log {
  /// What is known of the log's segments, in order: headers, companions, last records and sizes are looked at. A segment that
  /// is missing is in the list. O(segments).
  ///
  /// - Throws: `.storageClosed`, `.io`.
  package func segments() throws(ImmutaError) -> [SegmentDetails] { try look().segments }

  /// The segments; and the first records of those before the newest, without any that is missing.
  private func look() throws(ImmutaError) -> (segments: [SegmentDetails], firsts: [Int]) {
    let (list, newest) = try segmentList()
    var segments: [SegmentDetails] = []
    var next = list.removed
    for (place, first) in list.firsts.enumerated() {
      let end = place + 1 < list.firsts.count ? list.firsts[place + 1] : newest.first
      if end <= next { continue }
      if first > next { segments.append(missing(next..<first)) }
      next = end
      do throws(ImmutaError) {
        let reader = try open.sealed.reader(of: first)
        segments.append(details(of: reader, first..<min(end, reader.count), isNewest: false))
        if reader.count < end { segments.append(missing(reader.count..<end)) }
      } catch .recordRemoved {
        // A moment ago.
        continue
      } catch {
        segments.append(try broken(first..<end, error))
      }
    }
    if newest.first > next { segments.append(missing(next..<newest.first)) }
    segments.append(details(of: newest, newest.first..<newest.count, isNewest: true))
    return (segments, list.firsts.filter { $0 >= list.removed })
  }

  /// The log files of all its segments. O(segments).
  package func filePaths() throws(ImmutaError) -> [String] { try io(currentFiles.logPaths()) }

  /// The segments that would go if the log kept no more than this, in order: what ``Retention`` removes at this moment. None
  /// is removed, and a log that another process writes is looked at, too.
  ///
  /// - Throws: `.storageClosed`, `.io`.
  package func removable(by retention: Retention) throws(ImmutaError) -> [SegmentDetails] {
    try removable { (plan, segments) throws(ImmutaError) in
      let sizes = Dictionary(segments.map { ($0.records.lowerBound, $0.byteCount) }) { size, _ in size }
      // An empty newest one ends where the one before it does.
      let times = Dictionary(segments.map { ($0.records.upperBound, $0.times?.last) }) { time, _ in time }
      return try plan.firstToKeep(retention, now: Clocks.wallClock()) { first in
        sizes[first] ?? 0
      } lastTime: { end in
        times[end]??.nanosecondsSince1970
      }
    }
  }

  /// The same of ``removeRecords(before:)-(Int)``.
  package func removable(before number: Int) throws(ImmutaError) -> [SegmentDetails] {
    try removable { plan, _ in plan.firstToKeep(before: number) }
  }

  private func removable(
    _ choice: (RetentionPlan, [SegmentDetails]) throws(ImmutaError) -> Int?
  ) throws(ImmutaError) -> [SegmentDetails] {
    let (segments, firsts) = try look()
    guard let newest = segments.last else { return [] }
    let plan = RetentionPlan(
      firsts: firsts, newest: newest.records.lowerBound, count: newest.records.upperBound)
    guard let first = try choice(plan, segments) else { return [] }
    return segments.filter { $0.records.upperBound <= first && !$0.isNewest }
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
      // Otherwise it has rolled in between.
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
        // Only who has the keys can say.
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

  /// One that cannot be opened.
  private func broken(_ records: Range<Int>, _ error: ImmutaError) throws(ImmutaError) -> SegmentDetails {
    let segment = try io(files.segment(records.lowerBound, inFolder: files.openFolder()))
    let size = try io(segment?.logSize())
    return SegmentDetails(
      records: records, path: size == nil ? nil : segment?.logPath, byteCount: size ?? 0, times: nil,
      isUnverifiable: false, isNewest: false, failure: error.of(namespace))
  }
}
