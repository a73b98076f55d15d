import Foundation
import HTTPTypes
import HummingbirdTesting
import Immuta
import ImmutaTestSupport
import Testing

@testable import ImmutaUI

@Suite("What is known of logs")
struct LogTests {
  let site = Site()

  @Test("All logs, some at a time, those that cannot be opened among them")
  func overview() async throws {
    let names = (0..<7).map { "log-\($0)" }
    let storage = try Storage(directory: site.directory.path, namespaces: names)
    for name in names { try await storage.append("a record", to: name) }
    try site.directory.write(Array("this is no log at all, but has the name of one".utf8), to: "log-9.log")
    try await site.serve { client in
      var found: [String] = []
      var after = ""
      repeat {
        let answer = try await client.get("/api/namespaces?count=3\(after)").json
        let logs = try #require(answer["namespaces"] as? [[String: Any]])
        #expect(logs.count <= 3 && answer["total"] as? Int == 8)
        for log in logs {
          let name = try #require(log["name"] as? String)
          found.append(name)
          #expect((log["error"] == nil) == (name != "log-9"))
          if name != "log-9" { #expect(log["records"] as? Int == 1 && log["count"] as? Int == 1) }
        }
        after = (answer["next"] as? String).map { "&after=\($0)" } ?? ""
      } while !after.isEmpty
      #expect(found == names + ["log-9"])
      #expect(try await client.get("/api/namespaces?count=0").status == 400)
    }
  }

  @Test("More logs than are kept open are all shown")
  func manyLogs() async throws {
    let names = (0..<LogShelf.capacity + 20).map { "log-\(1000 + $0)" }
    let storage = try Storage(directory: site.directory.path, namespaces: names)
    for name in names { try await storage.append(name, to: name) }
    storage.close()
    try await site.serve { client in
      for _ in 0..<2 {
        let logs = try #require(
          try await client.get("/api/namespaces?count=500").json["namespaces"] as? [[String: Any]])
        #expect(logs.compactMap { $0["name"] as? String } == names)
        #expect(logs.allSatisfy { $0["records"] as? Int == 1 })
      }
    }
  }

  @Test("A log that was removed is gone, and one with its name is shown as it is")
  func removed() async throws {
    let storage = try site.writer("events")
    try await storage.append("old", to: "events")
    try await site.serve { client in
      #expect(try await client.get("/api/namespaces/events/records").records.count == 1)
      try storage.remove("events")
      #expect(try await client.get("/api/namespaces/events/records").status == 404)
      try await storage.log("events", creating: true).append("new")
      #expect(try await client.get("/api/namespaces/events/records").records.map { $0["text"] as? String } == ["new"])
    }
  }

  @Test("Consumers with their positions, lags and owners")
  func consumers() async throws {
    let storage = try site.writer("events")
    let log = try storage.log("events")
    try await log.append(contentsOf: (0..<10).map { "record \($0)" })
    let held = try log.consumer("billing")
    _ = try held.nextAtOnce()
    try await held.acknowledge(through: 3)
    try log.consumer("mail").close()
    try await site.serve { client in
      let answer = try await client.get("/api/namespaces/events").json
      let consumers = try #require(answer["consumers"] as? [[String: Any]])
      #expect(consumers.compactMap { $0["name"] as? String } == ["billing", "mail"])
      #expect(consumers.compactMap { $0["position"] as? Int } == [4, 0])
      #expect(consumers.compactMap { $0["lag"] as? Int } == [6, 10])
      #expect(consumers[0]["owner"] as? String == "process \(ProcessInfo.processInfo.processIdentifier)")
      #expect(consumers[1]["owner"] == nil)
    }
    held.close()
  }

  @Test("Rates count each record once, and all bytes, over all segments")
  func rates() async throws {
    let storage = try site.writer("events")
    let log = try storage.log("events")
    for number in 0..<30 {
      try await log.append(String(repeating: "x", count: number * 10))
      if number % 10 == 9 {
        try await log.roll()
        try await Task.sleep(for: .milliseconds(30))
      }
    }
    try await site.serve { client in
      for parts in [1, 7, 60] {
        let answer = try await client.get("/api/namespaces/events/rates?parts=\(parts)").json
        let found = try #require(answer["parts"] as? [[String: Any]])
        #expect(found.count <= parts && !found.isEmpty)
        #expect(found.compactMap { $0["records"] as? Int }.reduce(0, +) == 30)
        // Sizes, and 8 bytes of each record before them, and perhaps headers.
        let bytes = found.compactMap { $0["bytes"] as? Int }.reduce(0, +)
        let least = (0..<30).reduce(0) { $0 + $1 * 10 + 8 }
        #expect(bytes >= least && bytes <= least + 4 * 16, "\(bytes)")
      }
      let none = try await client.get("/api/namespaces/events/rates?from=0&until=1000").json
      #expect((none["parts"] as? [[String: Any]])?.compactMap { $0["records"] as? Int }.reduce(0, +) == 0)
    }
  }

  @Test("Sizes are counted by powers of two")
  func sizes() async throws {
    let storage = try site.writer("events", "empty")
    for size in [0, 1, 2, 3, 4, 100, 127, 128] {
      try await storage.append([UInt8](repeating: 7, count: size), to: "events")
    }
    try await site.serve { client in
      let answer = try await client.get("/api/namespaces/events/sizes").json
      let parts = try #require(answer["parts"] as? [[String: Any]])
      #expect(parts.compactMap { $0["atMost"] as? Int } == [0, 1, 3, 7, 15, 31, 63, 127, 255])
      #expect(parts.compactMap { $0["records"] as? Int } == [1, 1, 2, 1, 0, 0, 0, 2, 1])
      #expect(answer["largest"] as? Int == 128 && answer["median"] as? Int == 4)
      for path in ["sizes", "rates", "records", ""] {
        #expect(try await client.get("/api/namespaces/empty/\(path)").status == 200, "\(path)")
      }
    }
  }

  @Test("A verification ends with what was checked, or with the record that is damaged")
  func verification() async throws {
    let storage = try site.writer("good", "bad")
    for name in ["good", "bad"] { for number in 0..<3 { try await storage.append("record \(number)", to: name) } }
    storage.close()
    var bytes = try site.directory.bytes(of: "bad.log")
    let place = try #require(bytes.firstRange(of: Array("record 2".utf8))).lowerBound
    bytes[place + 3] ^= 1
    try site.directory.write(bytes, to: "bad.log")
    try await site.serve { client in
      for (name, state) in [("good", "ok"), ("bad", "damaged")] {
        let path = "/api/namespaces/\(name)/verify"
        #expect(try await client.get(path).json["state"] as? String == "none")
        _ = try await client.post(path)
        let outcome = try await self.outcome(client, path)
        #expect(outcome["state"] as? String == state)
        let message = try #require(outcome["message"] as? String)
        #expect(message.contains(state == "ok" ? "3 records" : "record 2"), "\(message)")
        #expect(outcome["began"] != nil && outcome["ended"] != nil)
        // What was its progress is none any more.
        #expect(outcome["done"] == nil && outcome["total"] == nil)
      }
    }
  }

  @Test("A verification that goes on says how far it has come")
  func progress() async throws {
    let storage = try site.writer("events")
    let log = try storage.log("events")
    // Each segment is a piece, after which progress is told.
    let records = Array(repeating: String(repeating: "x", count: 100), count: 500)
    for _ in 0..<40 {
      try await log.append(contentsOf: records)
      try await log.roll()
    }
    try await site.serve { client in
      let path = "/api/namespaces/events/verify"
      _ = try await client.post(path)
      var seen: [Int] = []
      while true {
        let outcome = try await client.get(path).json
        guard outcome["state"] as? String == "running" else { break }
        guard let done = outcome["done"] as? Int else { continue }
        #expect(outcome["total"] as? Int == 20_000)
        seen.append(done)
      }
      #expect(seen == seen.sorted() && seen.allSatisfy { (0...20_000).contains($0) })
      #expect(seen.contains { $0 > 0 && $0 < 20_000 }, "\(seen)")
    }
  }

  private func outcome(_ client: any TestClientProtocol, _ path: String) async throws -> [String: Any] {
    for _ in 0..<1000 {
      let outcome = try await client.get(path).json
      if outcome["state"] as? String != "running" { return outcome }
      try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("the verification does not end")
    return [:]
  }
}
