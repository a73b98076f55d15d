import Foundation
import Immuta
import Testing

@testable import ImmutaCLI

@Suite("demo")
struct DemoTests {
  private static let steps = ["append", "follow", "roll back", "close", "reopen", "verify"]
  let place = Workplace()

  @Test("It goes through every step, says that everything held, and leaves nothing behind")
  func table() throws {
    let outcome = try place.run("demo", "--records", "2000", "--size", "100")
    #expect(outcome.ending == .exit(0))
    #expect(outcome.errors.isEmpty)
    let rows = outcome.lines.filter { $0.hasPrefix("✓") }
    #expect(rows.count == Self.steps.count)
    for (row, step) in zip(rows, Self.steps) { #expect(row.contains("  \(step)")) }
    #expect(outcome.text.contains("2,000 records of 100 bytes committed"))
    #expect(outcome.text.contains("8 followers at once, each read 2,001"))
    #expect(outcome.text.contains("1,000 records taken back, count still 2,000"))
    #expect(outcome.text.contains("Everything held"))
    #expect(try place.names().isEmpty)
  }

  @Test("As JSON it is an object for each step and one for the whole", arguments: [0, 1, 7, 8, 9, 1024, 2_000_000])
  func json(size: Int) throws {
    let outcome = try place.run("demo", "--records", "20", "--size", "\(size)", "--json")
    #expect(outcome.ending == .exit(0))
    let objects = try outcome.objects()
    #expect(objects.map { $0["step"] as? String } == Self.steps + ["all"])
    #expect(objects.allSatisfy { $0["ok"] as? Bool == true && $0["seconds"] is Double && $0["result"] is String })
    #expect(objects[0]["records"] as? Int == 20)
    #expect(objects[1]["records"] as? Int == 8 * 21)
    #expect(objects[1]["bytes"] as? Int == 8 * 21 * size)
    #expect(objects[5]["records"] as? Int == 21)
    #expect(objects[0]["recordsPerSecond"] is Int)
    #expect(try place.names().isEmpty)
  }

  @Test("More than the disk holds is refused before anything is written")
  func tooLarge() throws {
    let outcome = try place.run("demo", "--records", "100000000", "--size", "67108864")
    #expect(outcome.ending == .exit(1))
    #expect(outcome.errors.contains("take fewer or smaller records"))
    #expect(try place.names().isEmpty)
  }

  @Test("Ctrl-C ends it, and nothing is left behind", arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func interrupted(signal: Int32, status: Int32) throws {
    let child = try place.start("demo", "--records", "100000000", "--size", "0")
    // Its first line comes when the directory is there and signals are handled.
    _ = try child.line()
    #expect(try place.names().count == 1)
    child.signal(signal)
    #expect(try child.finish(closingInput: false).ending == .exit(status))
    #expect(try place.names().isEmpty)
  }

  @Test("It fails when its directory cannot be used")
  func unusableDirectory() async throws {
    let demonstration = Demonstration(
      directory: place.path + "/not/there", records: 10, size: 10, progress: Progress("", isShown: false))
    let report = try await demonstration.run()
    #expect(!report.isHeld)
    #expect(report.steps.map(\.name) == ["open"])
  }

  @Test("A step that did not hold makes the whole fail, and is marked")
  func notHeld() {
    var report = DemoReport(followers: 8)
    #expect(!report.isHeld)
    report.steps = [
      DemoStep(name: "append", result: "fine", isHeld: true, time: .milliseconds(1)),
      DemoStep(name: "follow", result: "follower 3 got something else", isHeld: false, time: .milliseconds(1)),
    ]
    #expect(!report.isHeld)
    #expect(report.lines.contains { $0.hasPrefix("✗  follow  follower 3") })
    #expect(report.lines.last == "Not everything held: see the step marked ✗.")
    #expect(report.json.last.map { String(decoding: $0, as: UTF8.self) }?.contains(#""ok":false"#) == true)
  }

  @Test("A payload is told from any other, and from itself with a byte changed", arguments: [1, 8, 9, 100])
  func payloads(size: Int) async throws {
    let payload = DemoPayload(size: size)
    let storage = try Storage(directory: place.path, namespaces: ["e"])
    defer { storage.close() }
    var buffer = [UInt8](repeating: 0, count: size)
    payload.fill(&buffer, number: 5)
    try await storage.append(buffer, to: "e")
    for position in buffer.indices {
      buffer[position] ^= 1
      try await storage.append(buffer, to: "e")
      buffer[position] ^= 1
    }
    try await storage.append(buffer + [0], to: "e")
    try await storage.append(buffer.dropLast(), to: "e")
    let log = try storage.log("e")
    let whole = try await log.record(at: 0).payload
    #expect(payload.matches(whole, number: 5))
    #expect(!payload.matches(whole, number: 6))
    for number in 1..<log.count {
      #expect(!payload.matches(try await log.record(at: number).payload, number: 5), "\(number)")
    }
  }
}
