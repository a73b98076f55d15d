/// What was appended to a log since it was opened: for metrics.
struct AppendedSoFar {
  /// Wrapping: it is counted without a check.
  private(set) var commits = 0
  private let firstCount: Int
  /// Bytes of the segments that were rolled since, minus what the first of them had when the log was opened.
  private var earlierBytes: Int

  /// - Parameters:
  ///   - count: how many records the log has when it is opened.
  ///   - tail: where they end in the newest segment.
  init(count: Int, tail: Int) {
    firstCount = count
    earlierBytes = -tail
  }

  @inline(__always)
  mutating func noteCommit() { commits &+= 1 }

  /// Appends go on in another segment.
  mutating func noteRoll(from tail: Int, to next: Int) { earlierBytes += tail - next }

  /// Records, of a log that has `count` now.
  func records(_ count: Int) -> Int { count - firstCount }

  /// Bytes of a log whose newest segment ends at `tail` now.
  func bytes(_ tail: Int) -> Int { earlierBytes + tail }
}
