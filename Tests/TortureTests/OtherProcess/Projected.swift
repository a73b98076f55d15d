import Foundation
import Immuta
import ImmutaCodable
import ImmutaTestSupport

/// A state that depends on each record, on their order and on how often each was added.
struct Trail: Codable, Hashable, Sendable {
  private(set) var count = 0
  private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func add(_ record: Record) {
    count += 1
    for byte in record.payload { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
  }

  /// Of all records that there are.
  static func fresh(_ log: Log) throws -> Trail {
    var trail = Trail()
    var history = log.history()
    while let record = try history.next() { trail.add(record) }
    return trail
  }
}

/// A process that appends, and keeps what its records come to.
enum Projected {
  static let everyRecords = 5

  /// The projection of all of these processes.
  static func trail(of log: Log) throws -> Projection<Trail> {
    let policy = SnapshotPolicy(everyRecords: everyRecords, every: nil)
    return try log.projection(named: "trail", initial: Trail(), saving: policy) { trail, record in trail.add(record) }
  }

  /// Prints the number of records that are in the state, after each append.
  static func append(_ directory: String, _ seed: UInt64) async throws {
    var generator = SeededGenerator(seed: seed)
    let storage = try Storage(directory: directory, namespaces: ["events"])
    let log = try storage.log("events")
    let trail = try trail(of: log)
    OtherProcess.say("open \(trail.position)")
    while true {
      let texts = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
        "\(Int.random(in: 1000...9999, using: &generator))"
      }
      try await log.append(contentsOf: texts)
      if generator.oneIn(30) { try await log.roll() }
      try await trail.catchUp()
      OtherProcess.say("\(trail.position)")
    }
  }
}
