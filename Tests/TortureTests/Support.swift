import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// The durabilities that every test of loss is run with.
enum TestedDurability: String, CaseIterable, CustomTestStringConvertible {
  case buffered, interval, synced

  var durability: Durability {
    switch self {
    case .buffered: .buffered
    case .interval: .interval(.milliseconds(5))
    case .synced: .synced
    }
  }

  var configuration: Storage.Configuration { .init(durability: durability) }

  func configuration(_ format: LogFormat) -> Storage.Configuration {
    var configuration = configuration
    configuration.format = format
    return configuration
  }

  var testDescription: String { rawValue }
}

extension Storage.Configuration {
  /// The same for half of all seeds; for the others the log begins a segment every few records, or by hand only, and may
  /// remove the oldest by itself.
  func rolling(_ seed: UInt64) -> Self {
    if !Self.rolls(seed) { return self }
    var generator = SeededGenerator(seed: seed &* 3)
    var configuration = self
    configuration.segments.maximumBytes = [nil, 100, 400, 400, 2000, 40_000].randomElement(using: &generator) ?? nil
    switch Int.random(in: 0..<6, using: &generator) {
    case 0: configuration.retention.maximumRecords = Int.random(in: 1...60, using: &generator)
    case 1: configuration.retention.maximumBytes = Int.random(in: 1...20_000, using: &generator)
    default: break
    }
    return configuration
  }

  /// Whether the programs of a seed roll.
  static func rolls(_ seed: UInt64) -> Bool { seed % 2 == 0 }

  /// The same, for a log that loses nothing that it has.
  var keepingEverything: Self {
    var configuration = self
    configuration.retention = Retention()
    return configuration
  }
}

extension LogFormat {
  /// The paths of a namespace's files.
  func testFiles(of namespace: String, in directory: String) -> (log: String, companion: String) {
    self == .bilog
      ? ("\(directory)/\(namespace).bilog", "\(directory)/\(namespace).bilog.companion")
      : ("\(directory)/\(namespace).log", "\(directory)/\(namespace).idx")
  }
}

/// Proves that a harness finds what it is there for: runs it on something broken until it does.
///
/// - Throws: `Finding` when it does not, in so many rounds.
func mustBeFound(within rounds: Int, _ what: String, _ round: (_ seed: UInt64) async throws -> Void) async throws {
  for seed in 1...UInt64(rounds) {
    do {
      try await round(seed)
    } catch {
      return
    }
  }
  throw Finding("\(what) was not found in \(rounds) rounds")
}

/// What a test that tries many things found, one of each kind: two findings that differ in numbers only are of one
/// kind.
struct DistinctFindings {
  private var texts: [String: (first: String, count: Int)] = [:]

  mutating func add(_ text: String) {
    let kind = String(
      text.split(separator: "\n").prefix(2).joined(separator: "\n").filter { !$0.isHexDigit && $0 != "-" })
    texts[kind, default: (text, 0)].count += 1
  }

  func throwIfAny() throws {
    guard !texts.isEmpty else { return }
    throw Finding(texts.values.map { "\($0.first)\n(\($0.count) of this kind)" }.sorted().joined(separator: "\n\n"))
  }
}

extension FaultInjector {
  /// Runs `body` as on a file system that cannot reserve space.
  static func withoutReserving<Result>(
    in directory: TemporaryDirectory, _ body: () async throws -> Result
  ) async throws -> Result {
    let injector = FaultInjector(directory: directory.path, .error(EOPNOTSUPP), of: .reserve, lasting: true)
    let result = try await injector.run(body)
    if injector.injected == 0 { throw Finding("nothing was ever reserved") }
    return result
  }
}

/// The tool beside these tests.
enum BuiltTool {
  /// It is built under its product's name or its target's.
  static func path() throws -> String {
    for name in ["immuta", "ImmutaCLI"] {
      guard let path = try? ChildProcess.sibling(named: name) else { continue }
      var isDirectory: ObjCBool = false
      if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory.boolValue { return path }
    }
    throw Finding("the tool was not built beside these tests")
  }
}
