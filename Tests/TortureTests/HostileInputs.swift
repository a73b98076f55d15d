import ImmutaTestSupport

/// Runs rounds of inputs that somebody made up: what is not to happen is said with the input that did it.
enum HostileInputs {
  /// - Parameters:
  ///   - rounds: how many there are, unless `IMMUTA_ROUNDS` says it.
  ///   - count: inputs of a round.
  ///   - make: makes an input up.
  ///   - trial: throws what it finds; it has a directory for itself.
  static func run<Input>(
    _ name: String, rounds: Int = 1, _ count: Int, _ make: (inout SeededGenerator) throws -> Input,
    _ trial: (_ input: Input, _ directory: String) async throws -> Void
  ) async throws {
    let before = Memory.peak
    try await Rounds.run(default: rounds, name, patience: .seconds(600)) { seed in
      var generator = SeededGenerator(seed: seed)
      let directory = TemporaryDirectory(inMemory: true)
      var findings = DistinctFindings()
      for number in 0..<count {
        let input = try make(&generator)
        let start = ContinuousClock.now
        do {
          try await trial(input, directory.path)
          let time = start.duration(to: .now)
          if time > .seconds(20) { throw Finding("it took \(time)") }
        } catch {
          findings.add("\(error)\ninput \(number), \(input)")
        }
      }
      try findings.throwIfAny()
      let grown = Memory.peak - before
      if grown > 128 << 20 { throw Finding("memory grew by \(grown) bytes") }
    }
  }
}
