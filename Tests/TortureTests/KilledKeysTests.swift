import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Processes that die while they append by keys: what their index's files say afterwards is what the log says.
@Suite struct KilledKeysTests {
  @Test func anIndexOfAKilledProcessSaysWhatTheLogDoes() async throws {
    try await Rounds.run(default: 4, most: 2000, "killed process with an index of keys") { seed in
      try await Self.round(seed)
    }
  }

  private static func round(_ seed: UInt64) async throws {
    var generator = SeededGenerator(seed: seed)
    let directory = TemporaryDirectory()
    for life in 0..<4 {
      let child = try OtherProcess.start("keys", directory.path, "\(seed &+ UInt64(life))")
      var counts: [String: Int] = [:]
      let lines = try await child.kill(
        afterLines: Int.random(in: 0...400, using: &generator),
        pause: .microseconds(Int.random(in: 0...3000, using: &generator)))
      for line in lines where line != "open" {
        let words = line.split(separator: " ")
        guard words.count == 2, let count = Int(words[1]) else { throw Finding("the child printed \(line)") }
        counts[String(words[0])] = count
      }
      try await check(directory, counts)
    }
  }

  /// - Parameter counts: how many records each key had, at least, when the process died.
  private static func check(_ directory: TemporaryDirectory, _ counts: [String: Int]) async throws {
    let storage = try Storage(directory: directory.path, namespaces: ["events"])
    defer { storage.close() }
    let log = try storage.log("events")
    var all: [String: [Int]] = [:]
    for try await record in log.history() {
      all[KeyedWriter.key(record.payload) ?? "", default: []].append(record.sequence)
    }
    let keyed = try KeyedWriter.keyed(log)
    for key in KeyedWriter.keys {
      let kept = all[key] ?? []
      var found: [Int] = []
      for try await record in keyed.records(of: key) { found.append(record.sequence) }
      guard found == kept else { throw Finding("“\(key)” has the records \(found), not \(kept)") }
      let count = try await keyed.count(of: key)
      guard count >= kept.count else { throw Finding("“\(key)” has \(count) records, and \(kept.count) are there") }
      // The last record says how many there were before it: whatever was removed counts, and nothing counts twice.
      if let last = kept.last, let number = Int(try await log.record(at: last).text.split(separator: " ")[1]) {
        guard count <= number + 1 else {
          throw Finding("“\(key)” has \(count) records, and \(number + 1) were appended")
        }
      }
      guard log.firstSequence > 0 || count >= counts[key] ?? 0 else {
        throw Finding("“\(key)” has \(count) records, and had \(counts[key] ?? 0)")
      }
    }
  }
}

/// The process that dies.
enum KeyedWriter {
  static let keys = ["k0", "k1", "k2", "k3", "k4", "k5"]

  static func key(_ payload: Payload) -> String? { payload.text.split(separator: " ").first.map(String.init) }

  static func keyed(_ log: Log) throws -> KeyedLog<String> { try log.keyed("killed", by: key) }

  /// Each record says how many its key had before it. Prints each key's count when its record is appended.
  static func append(_ directory: String, _ seed: UInt64) async throws {
    var generator = SeededGenerator(seed: seed)
    var configuration = Storage.Configuration()
    configuration.segments.maximumBytes = [300, 2000].randomElement(using: &generator)
    let keeps = generator.oneIn(2)
    let storage = try Storage(directory: directory, namespaces: ["events"], configuration: configuration)
    let log = try storage.log("events")
    let keyed = try keyed(log)
    OtherProcess.say("open")
    while true {
      let key = keys.randomElement(using: &generator) ?? "k0"
      let count = try await keyed.count(of: key)
      try await keyed.append("\(key) \(count)", expecting: count)
      OtherProcess.say("\(key) \(count + 1)")
      if generator.oneIn(50) { try await log.roll() }
      if !keeps, generator.oneIn(100) {
        try await log.removeRecords(before: max(log.firstSequence, log.count - 60))
      }
    }
  }
}
