import Immuta

@main
struct Quickstart {
  static func main() async throws {
    let storage = try Storage(directory: "./log-data", namespaces: ["events"])
    defer { storage.close() }

    // One record. When this returns, every reader can see it.
    let receipt = try await storage.append("hello world", to: "events")
    print("record \(receipt.sequence), \(receipt.size) bytes", terminator: "")
    print(", at byte \(receipt.index) of the file")

    // All or nothing: committed together when the closure returns, gone if it
    // throws.
    try await storage.transaction(in: "events") { transaction in
      try await transaction.append("order placed")
      try await transaction.append([0xCA, 0xFE] as [UInt8])
    }

    // One at a time, with a deadline: nil when it passes with no record.
    // Without one, next() waits. Or begin at .latest, .last(10), .skipping(10).
    let reader = storage.reader("events", from: .beginning)
    while let record = try await reader.next(timeout: .seconds(1)) {
      print(record.sequence, record.index, record.size, record.timestamp)
      print(record.text)
    }

    let events = try storage.log("events")  // its handle: no look-up per call
    let first = try await events.record(at: 0)
    print(first.text, events.count)
    try await events.sync()  // all that is committed is on stable storage
    print(try storage.details(of: "events"))
    print(try await storage.verify("events"))
  }
}
