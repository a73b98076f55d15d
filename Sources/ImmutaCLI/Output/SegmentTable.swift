import Immuta

/// A log's segments, a row each.
struct SegmentTable {
  private let segments: [SegmentDetails]
  /// In one or two words, of the newest.
  private let newest: String

  init(_ segments: [SegmentDetails], _ survey: LogSurvey?) {
    self.segments = segments
    newest = survey?.holder != nil ? "open" : survey?.wasClosed == false ? "not closed" : "ok"
  }

  /// What is wrong with them.
  var failures: [Failure] { segments.compactMap(\.failure).map { Failure($0) } }

  private func health(_ segment: SegmentDetails) -> String {
    if case .unsupportedVersion? = segment.failure { return "unreadable" }
    if segment.failure != nil { return segment.path == nil ? "missing" : "damaged" }
    if segment.isNewest, newest != "ok" { return newest }
    return segment.isUnverifiable ? "unverifiable" : "ok"
  }

  /// The table, indented: with times to the second where they fit, or else with days.
  func lines(_ sizes: ByteWords) -> [String] {
    let lines = lines(sizes, \.toTheSecond)
    let isNarrow = lines.allSatisfy { $0.count <= Paragraph.width }
    return isNarrow ? lines : self.lines(sizes, \.day)
  }

  private func lines(_ sizes: ByteWords, _ time: (Timestamp) -> String) -> [String] {
    var table = Table([
      ("SEGMENT", .right), ("RECORDS", .right), (sizes.title, .right), ("FIRST", .left), ("LAST", .left),
      ("HEALTH", .left),
    ])
    for segment in segments {
      let isThere = segment.path != nil
      table.add([
        "\(segment.records.lowerBound)",
        Quantities.grouped(segment.records.count),
        isThere ? sizes.of(segment.byteCount) : "-",
        segment.times.map { time($0.first) } ?? "-",
        segment.times.map { time($0.last) } ?? "-",
        health(segment),
      ])
    }
    return table.lines.map { "  \($0)" }
  }

  /// A member with an object for each.
  func add(to object: inout JSONObject) {
    object.add("segmentList", objects: segments) { segment, object in
      object.add("firstSequence", segment.records.lowerBound)
      object.add("records", segment.records.count)
      object.add("bytes", segment.byteCount)
      object.add("first", segment.times?.first.description)
      object.add("last", segment.times?.last.description)
      object.add("path", segment.path)
      object.add("health", health(segment))
      object.add("error", segment.failure.flatMap { Failure($0).message })
    }
  }
}
