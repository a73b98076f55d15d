import Foundation
import HTTPTypes
import HummingbirdTesting
import Immuta
import ImmutaLogStore
import ImmutaTestSupport
import Testing

@testable import ImmutaUI

@Suite("Partitions of a store")
struct PartitionTests {
  let site = Site()

  private func logs(_ answer: [String: Any]) throws -> [[String: Any]] {
    try #require(answer["namespaces"] as? [[String: Any]])
  }

  @Test("A store says how many partitions it has, and each is listed in order, a page at a time")
  func list() async throws {
    let store = try LogStore(directory: site.directory.path, partitions: 12)
    for number in 0..<60 { try await store.append("message \(number)", key: "\(number)") }
    let counts = try store.details.map(\.count)
    try await site.serve { client in
      let answer = try await client.get("/api/namespaces").json
      let described = try #require(answer["store"] as? [String: Any])
      #expect(described["partitions"] as? Int == 12 && described["routing"] as? String == "fnv1a-mod-n")
      let all = try logs(answer)
      #expect(answer["total"] as? Int == 12)
      #expect(all.compactMap { $0["name"] as? String } == (0..<12).map { "partition:\($0)" })
      #expect(all.compactMap { $0["partition"] as? Int } == Array(0..<12))
      #expect(all.compactMap { $0["records"] as? Int } == counts && counts.reduce(0, +) == 60)
      #expect(all.allSatisfy { ($0["bytes"] as? Int ?? 0) > 0 || $0["records"] as? Int == 0 })
      let page = try await client.get("/api/namespaces?count=3&after=partition:8").json
      #expect(try logs(page).compactMap { $0["partition"] as? Int } == [9, 10, 11] && page["next"] == nil)
      let first = try await client.get("/api/namespaces?count=3").json
      #expect(first["next"] as? String == "partition:2")
    }
    store.close()
  }

  @Test("Everything that there is of a log is there of a partition")
  func contents() async throws {
    let store = try LogStore(directory: site.directory.path, partitions: 2)
    let partition = store.partition(of: "a")
    for number in 0..<5 { try await store.append("message \(number)", key: "a") }
    let consumer = try store.consumer("mailer", partitions: [partition])
    _ = try consumer.nextAtOnce().map { try consumer.acknowledge($0) }
    let path = "/api/namespaces/partition:\(partition)"
    try await site.serve { client in
      let report = try await client.get(path).json
      #expect((report["consumers"] as? [[String: Any]])?.compactMap { $0["lag"] as? Int } == [4])
      #expect((report["log"] as? [String: Any])?["shown"] as? String == "appended")
      let texts = try await client.get("\(path)/records").records.map { $0["text"] as? String }
      #expect(texts == (0..<5).map { "message \($0)" })
      #expect(try await client.get("\(path)/records/3").json["text"] as? String == "message 3")
      #expect(try await client.get("/api/namespaces/partition%3A\(partition)").status == 200)
      let payload = try await client.get("\(path)/records/3/payload")
      #expect(payload.text == "message 3")
      #expect(payload.headers[.contentDisposition]?.contains("\"partition-\(partition)-3.bin\"") == true)
      let found = try await client.get("\(path)/search?text=ge%204").json
      #expect((found["found"] as? [[String: Any]])?.compactMap { $0["sequence"] as? Int } == [4])
      #expect(try await client.get("\(path)/sizes").json["records"] as? Int == 5)
      #expect(try await client.get("\(path)/rates?parts=3").status == 200)
      _ = try await client.post("\(path)/verify")
      var state: String?
      for _ in 0..<1000 where state == nil || state == "running" {
        state = try await client.get("\(path)/verify").json["state"] as? String
        try await Task.sleep(for: .milliseconds(5))
      }
      #expect(state == "ok")
    }
    consumer.close()
    store.close()
  }

  @Test("What a program appends meanwhile is there")
  func growing() async throws {
    let store = try LogStore(directory: site.directory.path, partitions: 1)
    try await store.append("one", key: "")
    try await site.serve { client in
      let path = "/api/namespaces/partition:0/records"
      #expect(try await client.get(path).records.count == 1)
      try await store.append("two", key: "")
      #expect(try await client.get(path).records.map { $0["text"] as? String } == ["one", "two"])
    }
    store.close()
  }

  @Test("Another store in the place of one is shown as it is")
  func replaced() async throws {
    try await LogStore(directory: site.directory.path, partitions: 1).append("old", key: "")
    try await site.serve { client in
      let path = "/api/namespaces/partition:0/records"
      #expect(try await client.get(path).records.map { $0["text"] as? String } == ["old"])
      for name in try FileManager.default.contentsOfDirectory(atPath: site.directory.path) {
        try FileManager.default.removeItem(atPath: site.directory.file(name))
      }
      #expect(try await client.get(path).status == 404)
      #expect(try await client.get("/api/namespaces").json["store"] == nil)
      let store = try LogStore(directory: site.directory.path, partitions: 3)
      try await store.append("new", key: "")
      let number = store.partition(of: "")
      #expect(try await client.get("/api/namespaces").json["total"] as? Int == 3)
      let texts = try await client.get("/api/namespaces/partition:\(number)/records").records
      #expect(texts.map { $0["text"] as? String } == ["new"])
      store.close()
    }
  }

  @Test("A partition that cannot be opened says why, and the others are shown")
  func damaged() async throws {
    let store = try LogStore(directory: site.directory.path, partitions: 3)
    for number in 0..<30 { try await store.append("message", key: "\(number)") }
    store.close()
    try FileManager.default.removeItem(atPath: site.directory.file("1.bilog"))
    try await site.serve { client in
      let all = try logs(try await client.get("/api/namespaces").json)
      #expect(all.map { $0["error"] != nil } == [false, true, false])
      #expect((all[1]["error"] as? String)?.contains("1.bilog") == true)
      #expect(try await client.get("/api/namespaces/partition:1").status == 422)
      #expect(try await client.get("/api/namespaces/partition:0").status == 200)
      #expect(try await client.get("/api/namespaces/partition:3").status == 404)
    }
  }

  @Test("A layout that makes no sense is a sentence, and namespaces beside it are shown")
  func layout() async throws {
    let storage = try site.writer("events")
    try await storage.append("a record", to: "events")
    try site.directory.write(Array("nonsense".utf8), to: "logstore.layout")
    try await site.serve { client in
      let answer = try await client.get("/api/namespaces").json
      #expect((answer["store"] as? [String: Any])?["error"] != nil)
      #expect(try logs(answer).compactMap { $0["name"] as? String } == ["events"])
    }
    storage.close()
  }

  @Test("A directory that is no store has no partitions")
  func none() async throws {
    let storage = try site.writer("events")
    try await site.serve { client in
      let answer = try await client.get("/api/namespaces").json
      #expect(answer["store"] == nil)
      #expect(try await client.get("/api/namespaces/partition:0").status == 404)
      for name in ["partition:", "partition:-1", "partition:x", "partition:01", "partition:9999999999999999999"] {
        #expect(try await client.get("/api/namespaces/\(name)").status == 400, "\(name)")
      }
    }
    storage.close()
  }
}
