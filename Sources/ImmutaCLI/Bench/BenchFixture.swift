import Immuta

/// A closed log for works that read, made when the first of them begins, and shared by them.
final class BenchFixture {
  private static let perCommit = 1000
  /// Bytes between two looks at the clock: flushed, so that a slow disk is noticed in time.
  private static let piece = 8 << 20

  /// The contents to read, from any thread.
  struct Contents: Sendable {
    let directory: String
    let payloads: BenchPayloads
    fileprivate(set) var records = 0
  }

  private(set) var contents: Contents
  private let most: Int

  /// A log of at most so many records, less if the disk is slow.
  init(_ directory: String, size: Int, most: Int) {
    self.most = most
    contents = Contents(directory: directory, payloads: BenchPayloads(size: size))
  }

  /// Writes the log, for about as long as that, unless it exists.
  func fill(within budget: Duration) throws {
    guard contents.records == 0 else { return }
    let deadline = ContinuousClock.now + budget
    let payloads = contents.payloads
    try System.makeDirectory(contents.directory)
    let bench = try BenchLog(contents.directory)
    let log = bench.log
    var unflushed = 0
    while contents.records < most {
      let batch = contents.records..<min(contents.records + Self.perCommit, most)
      try log.transaction { transaction in
        for number in batch { try transaction.append(payloads[number]) }
      }
      try Interruption.check()
      contents.records = batch.upperBound
      unflushed += batch.count * payloads.size
      guard unflushed >= Self.piece else { continue }
      unflushed = 0
      try log.sync()
      if ContinuousClock.now >= deadline { return }
    }
  }

  func remove() {
    System.removeDirectory(contents.directory)
    contents.records = 0
  }
}

extension BenchFixture.Contents {
  /// Numbers of records: the same in every run.
  func randomNumbers(_ count: Int) -> [Int] {
    var state: UInt64 = 42
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 32) % UInt64(records))
    }
  }
}
