import Foundation
import HTTPTypes
import HummingbirdTesting
import Immuta
import ImmutaTestSupport
import Testing

@testable import ImmutaUI

@Suite("Records as they come")
struct TailTests {
  private func site(_ change: (inout Tail.Pace) -> Void = { _ in }) -> Site {
    var site = Site()
    change(&site.pace)
    return site
  }

  private func follow(_ client: any TestClientProtocol, _ query: String = "", _ lines: String...) throws -> Wire {
    let wire = try Wire(port: #require(client.port))
    let request = ["GET /api/namespaces/events/tail\(query) HTTP/1.1", "Host: localhost"] + lines
    try wire.send(request.joined(separator: "\r\n"))
    return wire
  }

  @Test("New records come with their numbers, from the end on if nothing else is said")
  func newRecords() async throws {
    let site = site()
    let storage = try site.writer("events")
    try await storage.append("old", to: "events")
    try await site.serve { client in
      let wire = try follow(client)
      try wire.wait(for: "retry: 1000")
      #expect(wire.received.contains("text/event-stream"))
      for text in ["one", "two\nlines", "<b>"] { try await storage.append(text, to: "events") }
      try wire.wait(for: "id: 3\n")
      try wire.wait(for: #""text":"<b>""#)
      #expect(wire.received.contains("id: 1\ndata: {") && wire.received.contains(#""text":"two\nlines""#))
      #expect(!wire.received.contains("old"))
    }
  }

  @Test("It goes on after the record that the browser says it had")
  func resumes() async throws {
    let site = site()
    let storage = try site.writer("events")
    for number in 0..<6 { try await storage.append("record \(number).", to: "events") }
    try await site.serve { client in
      let wire = try follow(client, "?from=0", "Last-Event-ID: 3")
      try wire.wait(for: "record 5.")
      #expect(wire.received.contains("record 4.") && !wire.received.contains("record 3."))
      let name = try #require(HTTPField.Name("Last-Event-ID"))
      for wrong in ["x", "-1", "6", "\(Int.max)", "99999999999999999999"] {
        #expect(
          try await client.get("/api/namespaces/events/tail", headers: [name: wrong]).status == 400, "\(wrong)")
      }
    }
  }

  @Test("Where too many come, those in the middle are left out, and it says which")
  func skips() async throws {
    let site = site {
      $0.mostBehind = 50; $0.kept = 10
    }
    let storage = try site.writer("events")
    try await storage.log("events").append(contentsOf: (0..<200).map { "record \($0)." })
    try await site.serve { client in
      let wire = try follow(client, "?from=0")
      try wire.wait(for: "record 199.")
      #expect(wire.received.contains("event: skipped\ndata: {\"before\":190,\"from\":0}"))
      #expect(!wire.received.contains("record 189.") && wire.received.contains("record 190."))
    }
  }

  @Test("While nothing comes there are comments, so that both sides notice a broken connection")
  func heartbeats() async throws {
    let site = site {
      $0.heartbeat = .milliseconds(50); $0.look = .milliseconds(20)
    }
    try site.writer("events").close()
    try await site.serve { client in
      let wire = try follow(client)
      try wire.wait(for: ": still here\n\n", times: 3)
    }
  }

  @Test("It ends when the browser goes, and when the server ends", .timeLimit(.minutes(1)))
  func ends() async throws {
    let site = site()
    let storage = try site.writer("events")
    let before = ContinuousClock.now
    let wire = try await site.serve { client in
      // Each of these would hold a connection for good.
      for _ in 0..<20 { try follow(client).wait(for: "retry") }
      let wire = try follow(client)
      try wire.wait(for: "retry")
      return Kept(wire)
    }.wire
    try wire.waitForEnd()
    #expect(ContinuousClock.now - before < .seconds(20))
    storage.close()
  }

  /// Handed from the closure to the test, one after the other.
  private struct Kept: @unchecked Sendable {
    let wire: Wire
    init(_ wire: Wire) { self.wire = wire }
  }

  @Test("If the log is removed, the browser is told")
  func removed() async throws {
    let site = site()
    let storage = try site.writer("events")
    try await storage.append("record", to: "events")
    try await site.serve { client in
      let wire = try follow(client)
      try wire.wait(for: "retry")
      try storage.remove("events")
      try wire.wait(for: "event: failure\ndata: {\"error\":\"")
    }
  }

  @Test("Of a large record its beginning comes")
  func large() async throws {
    let site = site()
    let storage = try site.writer("events")
    try await storage.append([UInt8](repeating: 97, count: 3 << 20), to: "events")
    try await site.serve { client in
      let wire = try follow(client, "?from=0&bytes=10")
      try wire.wait(for: #""text":"aaaaaaaaaa""#)
      #expect(wire.received.contains(#""isCut":true"#) && wire.received.contains(#""size":3145728"#))
    }
  }
}
