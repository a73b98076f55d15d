import Harness

/// Takes all contenders in turn, round after round, over the same records.
struct CodecBench {
  /// On a real disk; what is made in it is removed with each measurement.
  let directory: String
  /// Records of each kind.
  let count: Int
  let rounds: Int

  func run(_ kind: RecordKind, progress: (String) -> Void) throws -> KindFindings {
    let sample = Sample(kind, count: count)
    let contenders = try Contender.all(for: sample)
    var measurements = contenders.map { _ in [Measurement]() }
    for round in 0..<rounds {
      // Another one begins in each round, so that none is always first or always behind the same one.
      for turn in contenders.indices {
        let index = (turn + round * contenders.count / rounds) % contenders.count
        progress("\(kind.rawValue), round \(round + 1) of \(rounds): \(contenders[index].name)")
        try PageCache.warm(2 * sample.byteCount, in: directory)
        measurements[index].append(try contenders[index].measure(sample, in: directory))
      }
    }
    let findings = zip(contenders, measurements).map { contender, measurements in
      Finding(
        name: contender.name, isReference: contender.isReference, byteCount: sample.byteCount,
        measurements: measurements)
    }
    return KindFindings(kind: kind, count: count, byteCount: sample.byteCount, findings: findings)
  }
}

/// The records of one kind that all contenders get.
struct Sample {
  let records: [[UInt8]]
  /// Records from before those, for what learns from records. None of them is measured.
  let earlier: [[UInt8]]
  /// Of the measured records' payloads.
  let byteCount: Int

  init(_ kind: RecordKind, count: Int) {
    let all = kind.records(Self.earlierCount + count)
    earlier = Array(all.prefix(Self.earlierCount))
    records = Array(all.dropFirst(Self.earlierCount))
    byteCount = records.reduce(0) { $0 + $1.count }
  }

  private static let earlierCount = 10_000
}

/// One pass over a sample.
struct Measurement {
  /// Bytes that the payloads take where they are kept.
  let stored: Int
  let append: Duration
  let read: Duration
}

/// What came out of a kind of record.
struct KindFindings {
  let kind: RecordKind
  let count: Int
  let byteCount: Int
  let findings: [Finding]
}

/// What came out of one contender: medians over the rounds.
struct Finding {
  let name: String
  let isReference: Bool
  let byteCount: Int
  let measurements: [Measurement]

  /// Stored bytes for each byte of payload.
  var storedShare: Double { measurements.map { Double($0.stored) / Double(byteCount) }.median }
  /// Payload bytes a second.
  var appendRate: Double { rate(\.append) }
  var readRate: Double { rate(\.read) }

  private func rate(_ time: KeyPath<Measurement, Duration>) -> Double {
    measurements.map { Double(byteCount) / ($0[keyPath: time] / .seconds(1)) }.median
  }
}
