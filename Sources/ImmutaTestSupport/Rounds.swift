import Foundation

/// How often a randomised test runs, and with which seeds.
///
/// The environment decides: `IMMUTA_SEED` runs one round, with that seed; `IMMUTA_ROUNDS` says how many rounds there
/// are, each with a seed of its own, and `IMMUTA_ROUNDS=forever` goes on until something fails. A round that fails
/// throws ``RoundFailure``, which says how to have the same round again; for a crash, `IMMUTA_ROUNDS_LOG` names a file
/// that each round adds a line to when it begins and when it ends.
public enum Rounds {
  /// Runs `body` once per round.
  ///
  /// - Parameters:
  ///   - count: rounds when the environment says nothing.
  ///   - most: rounds beyond which more of the same find nothing new, whatever the environment says.
  ///   - name: what is tested, for messages.
  ///   - patience: after how long a round hangs: the process then ends with a message, since a test that hangs says
  ///     less.
  ///   - body: one round; throws when it finds something.
  public static func run(
    default count: Int, most: Int = .max, _ name: String, patience: Duration = .seconds(120),
    _ body: (_ seed: UInt64) async throws -> Void
  ) async throws {
    let environment = ProcessInfo.processInfo.environment
    if let text = environment["IMMUTA_SEED"], let seed = UInt64(text) {
      return try await one(seed, name, patience, body)
    }
    var left = min(asked ?? count, most)
    while left > 0 {
      left -= 1
      try await one(UInt64.random(in: 1...UInt64.max), name, patience, body)
    }
  }

  /// The number of rounds that the environment asks for, if it does.
  private static var asked: Int? {
    ProcessInfo.processInfo.environment["IMMUTA_ROUNDS"].flatMap { $0 == "forever" ? Int.max : Int($0) }
  }

  /// Whether the environment asks for more than one round: then each may be larger, too.
  public static var areMany: Bool { (asked ?? 1) > 1 }

  /// Adds a line to the file that `IMMUTA_ROUNDS_LOG` names: after a crash it shows which rounds had begun but not ended.
  private static func note(_ line: String) {
    guard let path = ProcessInfo.processInfo.environment["IMMUTA_ROUNDS_LOG"],
      let file = fopen(path, "a")
    else { return }
    fputs(line + "\n", file)
    fclose(file)
  }

  private static func one(
    _ seed: UInt64, _ name: String, _ patience: Duration, _ body: (_ seed: UInt64) async throws -> Void
  ) async throws {
    let watchdog = Watchdog(patience, "\(name) hangs, IMMUTA_SEED=\(seed)")
    defer { watchdog.stop() }
    note("begin \(seed) \(name)")
    defer { note("end \(seed) \(name)") }
    do {
      try await body(seed)
    } catch {
      throw RoundFailure(name: name, seed: seed, reason: "\(error)")
    }
  }
}

/// A round that found something, with the seed that finds it again.
public struct RoundFailure: Error, CustomStringConvertible {
  /// What was tested.
  public let name: String
  /// The round's seed.
  public let seed: UInt64
  /// What was found.
  public let reason: String

  /// The finding, and how to have it again.
  public var description: String { "\(name): \(reason)\nThe same round again: IMMUTA_SEED=\(seed)" }
}

/// Something that must not be was found.
public struct Finding: Error, CustomStringConvertible {
  /// What it is.
  public let description: String

  /// A finding, in words.
  public init(_ description: String) {
    self.description = description
  }
}
