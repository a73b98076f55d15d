import Foundation
import HTTPTypes
import HummingbirdTesting
import Immuta
import ImmutaTestSupport
import Testing

@testable import ImmutaUI

@Suite("Searching payloads")
struct SearchTests {
  let site = Site()

  @Test(
    "A text is found where it is, and nowhere else",
    arguments: [
      ("needle", false, [1, 3, 4]), ("needle", true, [1, 2, 3, 4]), ("NEEDLE", false, [2]), ("é", false, [5]),
      ("nothing like it", false, []), ("\u{0}", false, [4]), ("eedleneedl", false, [3]),
    ])
  func texts(text: String, ignoresCase: Bool, expected: [Int]) async throws {
    let storage = try site.writer("events")
    let payloads = ["hay", "a needle", "A NEEDLE", "needleneedle", "\u{0}needle", "caf\u{e9}", ""]
    for payload in payloads { try await storage.append(payload, to: "events") }
    try await site.serve { client in
      let query = text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
      let answer = try await client.get(
        "/api/namespaces/events/search?text=\(query)&ignorecase=\(ignoresCase ? 1 : 0)"
      ).json
      let found = try #require(answer["found"] as? [[String: Any]])
      #expect(found.compactMap { $0["sequence"] as? Int } == expected)
      #expect(answer["searched"] as? Int == payloads.count && answer["next"] == nil)
    }
  }

  @Test("A request looks at some of the log only, and says where to go on; together they look at all of it")
  func budget() throws {
    let storage = try site.writer("events")
    let log = try storage.log("events")
    try log.append(contentsOf: (0..<20_000).map { "record \($0)" })
    let needle = Needle("9", ignoresCase: false)
    var (found, requests, from): ([Int], Int, Int?) = ([], 0, 0)
    while let next = from {
      let page = try SearchPage(log, for: needle, from: next, budget: .init(found: 500, time: .milliseconds(5)))
      #expect(page.found.count <= 500)
      found += page.found.map(\.sequence)
      (requests, from) = (requests + 1, page.next)
    }
    #expect(found == (0..<20_000).filter { "\($0)".contains("9") })
    #expect(requests > 10)
    // A page is full whatever time is left.
    let full = try SearchPage(log, for: needle, from: 0, budget: .init(found: 5, time: .seconds(30)))
    #expect(full.found.map(\.sequence) == [9, 19, 29, 39, 49] && full.next == 50)
    // Without any time at all it still gets on.
    let page = try SearchPage(log, for: needle, from: 0, budget: .init(time: .zero))
    #expect(page.searched >= 1 && (page.next ?? 0) >= 1)
  }

  @Test("A text is found in a large record, also where it lies across two pieces of it")
  func pieces() async throws {
    let storage = try site.writer("events")
    let needle = Array("the needle".utf8)
    for place in [0, (256 << 10) - 4, (512 << 10) - 1, (2 << 20) - needle.count] {
      var payload = [UInt8](repeating: 46, count: 2 << 20)
      payload.replaceSubrange(place..<place + needle.count, with: needle)
      let receipt = try await storage.append(payload, to: "events")
      let record = try await storage.log("events").record(at: receipt.sequence)
      #expect(try Needle("the needle", ignoresCase: false).isIn(record.payload), "\(place)")
      #expect(try Needle("THE Needle", ignoresCase: true).isIn(record.payload), "\(place)")
      #expect(try !Needle("THE needle", ignoresCase: false).isIn(record.payload))
    }
  }
}
