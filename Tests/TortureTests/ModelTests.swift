import Immuta
import ImmutaTestSupport
import Testing

/// Random programs against an array in memory.
@Suite struct ModelTests {
  @Test(arguments: TestedDurability.allCases, LogFormat.allCases)
  func aLogHoldsWhatAnArrayWould(_ durability: TestedDurability, _ format: LogFormat) async throws {
    try await Rounds.run(default: format == .v2 ? 12 : 6, "random program, \(durability), \(format)") { seed in
      try await Self.round(seed, durability.configuration(format), operations: 150)
    }
  }

  /// Everything is then written through the kernel, and nothing mapped.
  @Test(arguments: TestedDurability.allCases, LogFormat.allCases)
  func aLogThatCannotReserveHoldsWhatAnArrayWould(_ durability: TestedDurability, _ format: LogFormat) async throws {
    try await Rounds.run(default: 4, "random program that cannot reserve, \(durability), \(format)") { seed in
      let directory = TemporaryDirectory(inMemory: true)
      try await FaultInjector.withoutReserving(in: directory) {
        try await Self.round(seed, durability.configuration(format), operations: 150, in: directory)
      }
    }
  }

  @Test func whatWasAppendedAndNotToldIsFound() async throws {
    try await mustBeFound(within: 3, "a record that the model does not know") { seed in
      try await Self.round(seed, .init(), operations: 30) { log in _ = try await log.append("stowaway") }
    }
  }

  /// - Parameter meddling: done behind the model's back at the end.
  static func round(
    _ seed: UInt64, _ configuration: Storage.Configuration, operations: Int, in directory: TemporaryDirectory? = nil,
    meddling: ((Log) async throws -> Void)? = nil
  ) async throws {
    let directory = directory ?? TemporaryDirectory(inMemory: true)
    var runner = try ProgramRunner(
      directory: directory.path, configuration: configuration.rolling(seed), model: LogModel())
    defer { runner.close() }
    let program = RandomProgram(seed: seed, rolls: Storage.Configuration.rolls(seed))
    for operation in program.prefix(operations) { try await runner.run(operation) }
    if let meddling { try await runner.withLog(meddling) }
    try await runner.checkAll()
    try await runner.run(.reopen)
    try await runner.run(.verify)
    try await runner.checkAll()
  }
}
