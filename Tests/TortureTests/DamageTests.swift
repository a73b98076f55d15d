import Immuta
import ImmutaTestSupport
import Testing

/// Logs whose bytes somebody changed behind their back.
@Suite struct DamageTests {
  @Test(arguments: DamagedSample.Ending.allCases, LogFormat.allCases)
  func aFlippedByteIsNeverAWrongRecord(_ ending: DamagedSample.Ending, _ format: LogFormat) async throws {
    try await Rounds.run(default: 1, most: 20, "flipped bytes, \(ending.rawValue), \(format)", patience: .seconds(600))
    { seed in
      try await Self.round(seed, ending, format) { sample, file, generator in
        sample.offsets(of: file, using: &generator).flatMap { offset -> [Damage] in
          let bit = Damage.flippedBit(at: offset, Int.random(in: 0..<8, using: &generator))
          return generator.oneIn(3) ? [bit, .flippedByte(at: offset)] : [bit]
        }
      }
    }
  }

  /// The highest bits of a count or a size are those that arithmetic trips over.
  @Test(arguments: DamagedSample.Ending.allCases, LogFormat.allCases)
  func anAbsurdNumberIsNotBelieved(_ ending: DamagedSample.Ending, _ format: LogFormat) async throws {
    try await Rounds.run(default: 1, most: 20, "absurd numbers, \(ending.rawValue), \(format)") { seed in
      try await Self.round(seed, ending, format, count: Rounds.areMany ? 12 : 5) { sample, file, _ in
        let fields = file == .log ? Array(stride(from: 0, to: format.headerSize, by: 8)) + sample.places.dropLast() : []
        return fields.flatMap { field in (0..<64).map { .flippedBit(at: field + $0 / 8, $0 % 8) } }
      }
    }
  }

  @Test(arguments: DamagedSample.Ending.allCases, LogFormat.allCases)
  func aFileCutShortIsNeverAWrongRecord(_ ending: DamagedSample.Ending, _ format: LogFormat) async throws {
    try await Rounds.run(default: 1, most: 20, "cut files, \(ending.rawValue), \(format)", patience: .seconds(600)) {
      seed in
      try await Self.round(seed, ending, format) { sample, file, generator in
        sample.offsets(of: file, using: &generator).map { .cut(at: $0) }
      }
    }
  }

  @Test(arguments: DamagedSample.Ending.allCases, LogFormat.allCases)
  func otherDamageIsNeverAWrongRecord(_ ending: DamagedSample.Ending, _ format: LogFormat) async throws {
    try await Rounds.run(default: 1, most: 20, "random damage, \(ending.rawValue), \(format)", patience: .seconds(600))
    { seed in
      try await Self.round(seed, ending, format) { sample, file, generator in
        (0..<(Rounds.areMany ? 150 : 60)).map { _ in .random(count: sample.size(of: file), using: &generator) }
      }
    }
  }

  /// Nothing left to chance: every byte of both files, and every length. A thousand records where many rounds are asked
  /// for; in a single round one in 64 of the companion's bytes that are of no field and no entry, other ones each time.
  @Test(arguments: DamagedSample.Ending.allCases, LogFormat.allCases)
  func everyByteAndEveryLengthIsTried(_ ending: DamagedSample.Ending, _ format: LogFormat) async throws {
    try await Rounds.run(default: 1, most: 1, "every byte, \(ending.rawValue), \(format)", patience: .seconds(3600)) {
      seed in
      let sample = try await DamagedSample(
        count: Rounds.areMany ? 1000 : format == .v2 ? 8 : 2, sizes: [0, 1, 7, 8, 9, 24], ending: ending,
        format: format, seed: seed)
      try await Self.tryAll(sample, seed) { file, _ in
        let isSparse = file == .companion && !Rounds.areMany
        let offsets = (0..<sample.size(of: file)).filter {
          // Between the header's fields, and reserved after the entries.
          !isSparse || sample.isField($0) || UInt64($0) % 64 == seed % 64
        }
        return offsets.flatMap { [.flippedByte(at: $0), .cut(at: $0)] }
      }
    }
  }

  @Test func recordsThatNobodyChecksAreFound() async throws {
    try await mustBeFound(within: 3, "a reader that checks no checksum") { seed in
      try await Self.round(seed, .closed, verifiesChecksums: false) { sample, file, generator in
        sample.offsets(of: file, using: &generator).map { .flippedByte(at: $0) }
      }
    }
  }

  /// Damages a log's files in one way after the other.
  static func round(
    _ seed: UInt64, _ ending: DamagedSample.Ending, _ format: LogFormat = .v2, count: Int? = nil,
    verifiesChecksums: Bool = true,
    _ damages: (DamagedSample, DamagedSample.File, inout SeededGenerator) -> [Damage]
  ) async throws {
    var generator = SeededGenerator(seed: seed)
    // Rounds on end are worth logs of all sizes; a single one should not take long.
    let count = count ?? (Rounds.areMany ? Int.random(in: 1...1000, using: &generator) : 40)
    let sample = try await DamagedSample(count: count, ending: ending, format: format, seed: generator.next())
    try await tryAll(sample, generator.next(), verifiesChecksums: verifiesChecksums) { file, generator in
      // Of a large log, as many places as of a small one. A single round tries others each time.
      let most = Rounds.areMany ? 2000 : format == .v2 ? 200 : 80
      return Array(damages(sample, file, &generator).shuffled(using: &generator).prefix(most))
    }
  }

  /// Tries each damage of each file.
  private static func tryAll(
    _ sample: DamagedSample, _ seed: UInt64, verifiesChecksums: Bool = true,
    _ damages: (DamagedSample.File, inout SeededGenerator) -> [Damage]
  ) async throws {
    var generator = SeededGenerator(seed: seed)
    let directory = TemporaryDirectory(inMemory: true)
    var findings = DistinctFindings()
    for file in DamagedSample.File.allCases {
      for damage in damages(file, &generator) {
        let trial = DamageTrial(
          sample: sample, damage: damage, file: file, directory: directory.path, verifiesChecksums: verifiesChecksums)
        do {
          try await trial.run()
        } catch {
          findings.add("\(error)\nin a log of \(sample.count) records (\(sample.stable) stable), \(file): \(damage)")
        }
      }
    }
    try findings.throwIfAny()
  }
}
