import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Immuta
import ImmutaTestSupport
import Testing

@testable import ImmutaUI

@Suite("Records as answers")
struct RecordTests {
  let site = Site()

  @Test("Pages by number, to the last record and past it")
  func pages() async throws {
    let storage = try site.writer("events")
    try await storage.log("events").append(contentsOf: (0..<250).map { "record \($0)" })
    try await site.serve { client in
      let path = "/api/namespaces/events/records"
      var numbers: [Int] = []
      var from: Int? = 0
      while let next = from {
        let page = try await client.get("\(path)?from=\(next)&count=100")
        for record in try page.records {
          let number = try #require(record["sequence"] as? Int)
          #expect(record["text"] as? String == "record \(number)")
          #expect(record["size"] as? Int == "record \(number)".utf8.count)
          numbers.append(number)
        }
        from = try page.json["next"] as? Int
      }
      #expect(numbers == Array(0..<250))
      let last = try await client.get("\(path)?count=10")
      #expect(try last.records.map { $0["sequence"] as? Int } == Array(240..<250))
      let beyond = try await client.get("\(path)?from=\(Int.max)")
      #expect(try beyond.status == 200 && beyond.records.isEmpty && beyond.json["count"] as? Int == 250)
      // The log grows while it is shown.
      try await storage.append("one more", to: "events")
      #expect(try await client.get("\(path)?from=250").records.map { $0["text"] as? String } == ["one more"])
    }
  }

  @Test("A page by time begins with the first record of that time or later")
  func byTime() async throws {
    let storage = try site.writer("events")
    try await storage.append("early", to: "events")
    let early = try #require(storage.details(of: "events").lastTimestamp)
    while Timestamp.now.secondsSince1970 < early.secondsSince1970 + 0.1 { await Task.yield() }
    try await storage.append("late", to: "events")
    try await site.serve { client async throws in
      let path = "/api/namespaces/events/records?time="
      let milliseconds = early.nanosecondsSince1970 / 1_000_000
      func texts(_ time: String) async throws -> [String?] {
        try await client.get(path + time).records.map { $0["text"] as? String }
      }
      #expect(try await texts("\(milliseconds)") == ["early", "late"])
      #expect(try await texts("\(milliseconds + 20)") == ["late"])
      #expect(try await texts("1970-01-01T00:00:00Z") == ["early", "late"])
      #expect(try await texts("1970-01-01T00:00:00.5Z") == ["early", "late"])
      #expect(try await texts("2200-01-01T00:00:00Z") == [])
      #expect(try await texts("-1") == ["early", "late"])
    }
  }

  @Test("Bytes that are no text come as base64, and come back the same", arguments: [1, 16, 511, 512, 513, 4000])
  func bytes(count: Int) async throws {
    let storage = try site.writer("events")
    let payload = (0..<count).map { UInt8(truncatingIfNeeded: 255 - $0) }
    try await storage.append(payload, to: "events")
    try await site.serve { client in
      let record = try #require(try await client.get("/api/namespaces/events/records").records.first)
      let base64 = try #require(record["base64"] as? String)
      #expect(Data(base64Encoded: base64).map(Array.init) == Array(payload.prefix(512)))
      #expect(record["isCut"] as? Bool == (count > 512))
      let all = try await client.get("/api/namespaces/events/records/0/payload")
      #expect(all.bytes == payload)
      #expect(all.headers[.contentDisposition] == "attachment; filename=\"events-0.bin\"")
      #expect(all.headers[.contentSecurityPolicy] == "default-src 'none'; sandbox")
    }
  }

  @Test("A text that is cut stays a text, wherever the cut falls")
  func cutText() async throws {
    let storage = try site.writer("events")
    for text in ["aéb€c😀d", "😀😀😀", "\u{0}\u{1b}[31m\u{202e}", ""] { try await storage.append(text, to: "events") }
    try await site.serve { client in
      for (number, text) in ["aéb€c😀d", "😀😀😀", "\u{0}\u{1b}[31m\u{202e}", ""].enumerated() {
        for count in 0...20 {
          let record = try await client.get("/api/namespaces/events/records/\(number)?bytes=\(count)").json
          let shown = try #require(record["text"] as? String, "\(text) cut at \(count)")
          #expect(text.utf8.starts(with: shown.utf8) && shown.utf8.count > count - 4 || shown == text)
          #expect(record["isCut"] as? Bool == (count < text.utf8.count))
        }
      }
    }
  }

  @Test("A record of many megabytes is shown by its beginning, and saved whole")
  func large() async throws {
    let storage = try site.writer("events")
    let payload = (0..<(3 << 20) + 17).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    try await storage.append(payload, to: "events")
    try await site.serve { client in
      let record = try await client.get("/api/namespaces/events/records/0?bytes=1048576").json
      let base64 = try #require(record["base64"] as? String)
      #expect(Data(base64Encoded: base64).map(Array.init) == Array(payload.prefix(1 << 20)))
      #expect(record["size"] as? Int == payload.count && record["isCut"] as? Bool == true)
      #expect(try await client.get("/api/namespaces/events/records/0/payload").bytes == payload)
    }
  }

  @Test("A damaged record is shown as one, among the others")
  func damaged() async throws {
    let storage = try site.writer("events")
    for number in 0..<3 { try await storage.append("record \(number)", to: "events") }
    storage.close()
    var bytes = try site.directory.bytes(of: "events.log")
    let place = try #require(bytes.firstRange(of: Array("record 1".utf8))).lowerBound
    bytes[place] ^= 0x20
    try site.directory.write(bytes, to: "events.log")
    try await site.serve { client in
      let records = try await client.get("/api/namespaces/events/records").records
      #expect(records.map { $0["text"] as? String } == ["record 0", nil, "record 2"])
      #expect((records[1]["error"] as? String)?.contains("record 1") == true)
      let one = try await client.get("/api/namespaces/events/records/1")
      #expect(try one.status == 422 && one.json["damaged"] as? Bool == true)
      let found = try await client.get("/api/namespaces/events/search?text=record").json
      #expect((found["found"] as? [[String: Any]])?.count == 2 && found["unreadable"] as? Int == 1)
    }
  }

  @Test("Payloads of a log with a codec are shown as they are stored, and the log says so")
  func codec() async throws {
    var configuration = Storage.Configuration()
    let turned = WholePayloadTransformer(name: "turned") { bytes, _ in bytes.map { ~$0 } }
    configuration.codec = Codec(name: "turned", writing: turned, reading: turned)
    let storage = try site.writer("secret", configuration: configuration)
    try await storage.append("hello", to: "secret")
    try await site.serve { client in
      let log = try #require(try await client.get("/api/namespaces/secret").json["log"] as? [String: Any])
      #expect(log["codec"] as? String == "turned")
      let record = try #require(try await client.get("/api/namespaces/secret/records").records.first)
      let stored = Data(Array("hello".utf8).map { ~$0 }).base64EncodedString()
      #expect(record["base64"] as? String == stored)
    }
  }

  @Test("A log whose first segments were removed begins where it begins")
  func removed() async throws {
    let storage = try site.writer("events")
    let log = try storage.log("events")
    for number in 0..<9 {
      try await log.append("record \(number)")
      if number % 3 == 2 { try await log.roll() }
    }
    try await log.removeRecords(before: 4)
    try await site.serve { client in
      let page = try await client.get("/api/namespaces/events/records?from=0")
      #expect(try page.records.map { $0["sequence"] as? Int } == Array(3..<9))
      #expect(try page.json["firstSequence"] as? Int == 3)
      #expect(try await client.get("/api/namespaces/events/records/1").status == 404)
      #expect(try await client.get("/api/namespaces/events/records/9").status == 404)
      let segments = try #require(try await client.get("/api/namespaces/events").json["segments"] as? [[String: Any]])
      #expect(segments.compactMap { $0["firstSequence"] as? Int }.starts(with: [3, 6]))
    }
  }

  @Test(
    "Parameters that make no sense get one sentence that says what would",
    arguments: [
      "records?from=-1", "records?from=x", "records?from=99999999999999999999", "records?count=0", "records?count=501",
      "records?bytes=-1", "records?bytes=16385", "records?from=1&time=1", "records?time=yesterday", "records?time=",
      "records?time=9223372036854775807", "records/x", "records/-1", "records/0?bytes=1048577", "search",
      "search?text=",
      "search?text=a&from=-1", "search?text=a&ignorecase=2", "rates?parts=0", "rates?parts=201", "rates?from=x",
      "rates?from=2&until=1", "tail?from=-1", "tail?from=2", "tail?bytes=x",
    ])
  func nonsense(path: String) async throws {
    let storage = try site.writer("events")
    try await storage.append("record", to: "events")
    try await site.serve { client in
      let answer = try await client.get("/api/namespaces/events/\(path)")
      #expect(answer.status == 400)
      let error = try #require(answer.error)
      #expect(error.hasSuffix(".") && !error.contains("\n"), "\(error)")
      #expect(answer.headers[.contentType] == "application/json; charset=utf-8")
    }
  }

  @Test(
    "The greatest and least numbers and times are numbers as others are",
    arguments: [
      ("records?from=\(Int.max)&count=500", 200), ("records/\(Int.max)", 404), ("records/\(Int.max)/payload", 404),
      ("search?text=a&from=\(Int.max)", 200), ("tail?from=\(Int.max)", 400),
      ("records?time=9223372036854", 200), ("records?time=-9223372036854", 200),
      ("records?time=\(Int64.min)", 400), ("records?time=9223372036855", 400),
      ("records?time=0000-01-01T00:00:00Z", 400), ("records?time=9999-12-31T23:59:59Z", 400),
      ("rates?from=-9223372036854&until=9223372036854&parts=200", 200),
      ("rates?from=-9223372036854&until=9223372036854&parts=1", 200),
      ("rates?from=9223372036854", 200), ("rates?until=-9223372036854", 200),
    ])
  func extremes(path: String, status: Int) async throws {
    let storage = try site.writer("events")
    try await storage.append("record", to: "events")
    try await site.serve { client async throws in
      #expect(try await client.get("/api/namespaces/events/\(path)").status == status)
      // Nobody else is in its way.
      #expect(try await client.get("/api/namespaces/events/records").records.count == 1)
    }
  }

  @Test("What does not exist is not found, and names cannot lead out of the directory")
  func notFound() async throws {
    try site.writer("events").close()
    try await site.serve { client in
      for path in ["none", "none/records", "none/tail", "none/verify", "none/sizes", "none/search?text=a"] {
        let answer = try await client.get("/api/namespaces/\(path)")
        #expect(answer.status == 404 && answer.error?.isEmpty == false, "\(path)")
      }
      let tooLong = String(repeating: "a", count: 201)
      for path in ["%2e%2e", "..%2fevents", "a%20b", ".hidden", "%00", "events%2Frecords", tooLong] {
        let answer = try await client.get("/api/namespaces/\(path)/records")
        #expect(answer.status == 400 || answer.status == 404, "\(path): \(answer.status)")
        #expect(answer.error != nil)
      }
      for path in ["/nowhere", "/api", "/api/namespaces/events/nothing", "/style.css/x"] {
        #expect(try await client.get(path).status == 404, "\(path)")
      }
      #expect(try await client.post("/api/namespaces/none/verify").status == 404)
      #expect(try await client.post("/api/namespaces/events/records").status != 200)
    }
  }
}
