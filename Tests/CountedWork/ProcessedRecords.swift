import Immuta

/// What it costs to turn the records of one log into records of another, each once, beside doing the same without a consumer:
/// reading the one, and appending to the other in transactions of as many records.
///
/// ```
/// CountedWork process DIRECTORY COUNT          COUNT records of 100 B, 64 a step
/// CountedWork process-synced DIRECTORY COUNT   the same, each step on stable storage
/// ```
struct ProcessedRecords {
  let directory: String
  let count: Int
  let durability: Durability

  private static let perStep = 64
  private static let rounds = 5

  func run() async throws {
    var configuration = Storage.Configuration(durability: durability)
    configuration.acceptsFilesOfOthers = true
    let storage = try Storage(directory: directory, namespaces: ["in", "out", "plain"], configuration: configuration)
    defer { storage.close() }
    let payload = (0..<100).map { UInt8($0) &* 37 }
    let (input, out, plain) = (try storage.log("in"), try storage.log("out"), try storage.log("plain"))
    for first in stride(from: 0, to: count, by: 10_000) {
      try await input.append(contentsOf: (first..<min(count, first + 10_000)).map { _ in payload })
    }
    let consumer = try input.consumer("worker")
    for _ in 0..<Self.rounds {
      try await consumer.seek(to: .beginning)
      try await measure("processed") {
        while consumer.position < count {
          _ = try await consumer.processNext(into: out, atMost: Self.perStep) { record, transaction in
            try await transaction.append(record.payload)
          }
        }
      }
      let reader = input.reader(from: .beginning)
      try await measure("read and appended") {
        while reader.position < count {
          try await plain.transaction { transaction in
            for _ in 0..<Self.perStep {
              guard let record = try reader.nextAtOnce() else { return }
              try await transaction.append(record.payload)
            }
          }
        }
      }
    }
  }

  private func measure(_ name: String, _ work: () async throws -> Void) async throws {
    let start = ContinuousClock.now
    try await work()
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    print("\(name): \(Int(Double(count) / seconds)) records a second")
  }
}
