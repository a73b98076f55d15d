import Immuta

/// What `trim` would remove, or has removed.
struct TrimReport {
  /// The log, as people call it.
  let label: String
  let kind: LogKind
  let name: String
  /// The segments that go.
  let segments: [SegmentDetails]
  /// Records of the log, including removed ones.
  let count: Int
  /// The first record that the log has.
  var firstSequence: Int
  /// What was known of the log before.
  let all: Log.Details
  var isApplied = false
  /// Segments that were removed before, whose files a crash has left.
  var leftovers = 0

  /// The segments to remove, without missing ones.
  private var present: [SegmentDetails] { segments.filter { $0.path != nil } }

  /// The records to remove, without those of missing segments.
  private var records: Int { present.reduce(0) { $0 + $1.records.count } }

  private var bytes: Int { segments.reduce(0) { $0 + $1.byteCount } }

  /// The first record that is left.
  private var next: Int { segments.last?.records.upperBound ?? firstSequence }

  private var times: (first: Timestamp, last: Timestamp)? {
    guard let first = segments.lazy.compactMap(\.times).first,
      let last = segments.reversed().lazy.compactMap(\.times).first
    else { return nil }
    return (first.first, last.last)
  }

  /// For people.
  ///
  /// - Parameter command: what removes it, without --apply.
  func lines(next command: String?) -> [String] {
    let left = all.segmentCount - present.count
    let advice = command.map { ["  next: `\($0) --apply` removes them".printable] } ?? []
    guard let first = segments.first else {
      return leftovers == 0
        ? Paragraph.lines("\(label): \(nothing)".printable)
        : Paragraph.lines("\(label): \(leftoverWords)".printable) + advice
    }
    var text = "\(label): \(isApplied ? "removed" : "would remove") "
    text += "\(Quantities.counted(present.count, "segment")), "
    text += "records \(present.first?.records.lowerBound ?? first.records.lowerBound) to \(next - 1)"
    text += " (\(Quantities.counted(records, "record")), \(Quantities.counted(bytes, "byte")))"
    let missing = next - first.records.lowerBound - records
    if missing > 0 {
      text += "; \(Quantities.counted(missing, "record")) of them \(missing == 1 ? "was" : "were") missing already"
    }
    if let times { text += ", \(times.first.toTheSecond) to \(times.last.toTheSecond)" }
    text +=
      "; \(isApplied ? "left" : "would leave") \(Quantities.counted(count - next, "record")) from number \(next) on, "
    text += "in \(Quantities.counted(left, "segment")) of \(Quantities.counted(all.byteCount - bytes, "byte"))"
    if leftovers > 0 { text += "; \(leftoverWords)" }
    return Paragraph.lines(text.printable) + advice
  }

  /// What becomes of what an earlier removal left.
  private var leftoverWords: String {
    "\(isApplied ? "removed" : "would remove") the files of \(Quantities.counted(leftovers, "segment")) that an earlier removal "
      + "has left"
  }

  /// Why nothing goes.
  private var nothing: String {
    if all.segmentCount == 1 {
      let has = "nothing to remove: \(Quantities.counted(count - firstSequence, "record")) in a single segment, "
      return has + "and the newest one stays; `immuta append --segment-bytes 256M` begins others"
    }
    return
      "nothing to remove: no whole segment of its \(Quantities.grouped(all.segmentCount)) is older than what is kept"
  }

  /// One line for programs.
  var json: [UInt8] {
    var object = JSONObject()
    object.add(kind, name)
    object.add("applied", isApplied)
    object.add("segments", present.count)
    object.add("records", records)
    object.add("bytes", bytes)
    if leftovers > 0 { object.add("leftovers", leftovers) }
    if let first = segments.first {
      object.add("from", first.records.lowerBound)
      object.add("before", next)
    }
    object.add("first", times?.first.description)
    object.add("last", times?.last.description)
    object.add("firstSequence", firstSequence)
    object.add("count", count)
    return object.line
  }
}
