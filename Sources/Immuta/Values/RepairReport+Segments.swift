extension RepairReport {
  /// What was found in a log, from what was found in its segments.
  ///
  /// - Parameters:
  ///   - segments: the first record of each, and what was found in it, with its own numbers; in order.
  ///   - first: the first record that was not removed.
  ///   - newestFirst: the first record of the newest segment, as far as is known.
  ///   - problems: what is wrong with the files.
  init(
    _ namespace: String, of segments: [(first: Int, report: RepairReport)], from first: Int, newestFirst: Int = 0,
    problems: [Corruption] = []
  ) {
    self.init(
      namespace: namespace, promised: 0, sound: 0, verifiable: 0, lost: [], actions: [], isApplied: false, saved: [])
    self.problems = problems
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
      self.problems += report.problems
      actions += report.actions.map { .inSegment(first: start, $0) }
      isApplied = isApplied || report.isApplied
      saved += report.saved
      possibleFormat = possibleFormat ?? report.possibleFormat
      end = start + report.promised
    }
    // Nobody knows how many records it had.
    if let last = segments.last, newestFirst > last.first { addMissing(end..<max(end, newestFirst) + 1) }
  }

  /// The report for a segment that is refused: none of its records counts.
  init(_ namespace: String, refused damage: Corruption, count: Int) {
    self.init(
      namespace: namespace, promised: count, sound: 0, verifiable: 0,
      lost: [LostRange(sequences: 0..<count, index: nil, reason: .segmentRefused("\(damage.path): \(damage.reason)"))],
      actions: [], isApplied: false, saved: [])
  }

  private mutating func addMissing(_ numbers: Range<Int>) {
    promised += numbers.count
    lost.append(LostRange(sequences: numbers, index: nil, reason: .segmentMissing))
  }
}
