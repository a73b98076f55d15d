extension RepairReport {
  /// What was found of a log, from what was found of its segments.
  ///
  /// - Parameters:
  ///   - segments: the first record of each, and what was found of it by its own numbers; in order.
  ///   - first: the first record that was not removed.
  ///   - newestFirst: that of the newest segment, as far as is known.
  init(
    _ namespace: String, of segments: [(first: Int, report: RepairReport)], from first: Int, newestFirst: Int = 0
  ) {
    self.init(
      namespace: namespace, promised: 0, sound: 0, verifiable: 0, lost: [], actions: [], isApplied: false, saved: [])
    opensAsItIs = segments.allSatisfy { $0.report.opensAsItIs || $0.report.isHealthy }
    var end = first
    for (start, report) in segments {
      if end < start { addMissing(end..<start) }
      promised += report.promised
      sound += report.sound
      verifiable += report.verifiable
      lost += report.lost.map { range in
        var range = range
        range.sequences = range.sequences.lowerBound + start..<range.sequences.upperBound + start
        return range
      }
      actions += report.actions.map { .inSegment(first: start, $0) }
      isApplied = isApplied || report.isApplied
      saved += report.saved
      possibleFormat = possibleFormat ?? report.possibleFormat
      end = start + report.promised
    }
    // Nobody knows how many records it had.
    if let last = segments.last, newestFirst > last.first { addMissing(end..<max(end, newestFirst) + 1) }
  }

  private mutating func addMissing(_ numbers: Range<Int>) {
    promised += numbers.count
    lost.append(LostRange(sequences: numbers, index: nil, reason: .segmentMissing))
  }
}
