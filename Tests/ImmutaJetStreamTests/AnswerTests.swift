#if JetStream
  import Immuta
  import Testing

  @testable import ImmutaJetStream

  /// What the servers say, and what is made of it.
  @Suite struct AnswerTests {
    @Test func jsonIsReadAsItWasWritten() throws {
      let value = JSON.object([
        "text": "a \"b\" \\ \u{1} é 🙂", "number": -7, "yes": true, "none": .null,
        "list": .array([1, .number("1.5"), .object([:])]),
      ])
      #expect(JSON(value.text.utf8) == value)
      #expect(JSON(#" {"a" : [ 1 , "\u00e9\ud83d\ude42\n" ] } "#.utf8) == .object(["a": .array([1, "é🙂\n"])]))
    }

    @Test(arguments: [
      "", "{", "[1", "{\"a\"}", "\"a", "{\"a\":}", "tru", "1 2", "{\"a\":1,}", "\"\\x\"", "\"\\u12\"",
      String(repeating: "[", count: 100_000),
    ])
    func whatIsNotJSONIsNothing(_ text: String) {
      #expect(JSON(text.utf8) == nil)
    }

    @Test func aStoredMessageIsARecord() throws {
      func record(_ data: String, _ header: String = #""TkFUUy8xLjANCm5hdHMtbXNnLWlkOiAgbWluZQ0KDQo=""#)
        -> ClusterRecord?
      {
        let text = #"{"message":{"seq":5,"data":\#(data),"hdrs":\#(header),"time":"1970-01-01T00:00:01Z"}}"#
        return JSON(text.utf8).flatMap { StoredMessage.record($0) }
      }
      let found = try #require(record(#""AP9/gA==""#))
      #expect(found.sequence == 4 && found.payload.elementsEqual([0, 255, 127, 128]) && found.id == "mine")
      #expect(found.timestamp == Timestamp(nanosecondsSince1970: 1_000_000_000))
      #expect(record(#""""#)?.payload.isEmpty == true)
      #expect(record(#""eg==""#, #""""#)?.id == nil)
      for data in [#""a-b""#, #""eg=""#, "7", "null"] { #expect(record(data) == nil) }
      #expect(StoredMessage.record(.object(["message": .object(["seq": 0, "time": "1970-01-01T00:00:01Z"])])) == nil)
      #expect(StoredMessage.record(.object(["message": .object(["seq": 1, "time": "1970-01-01T00:00:01Z"])])) != nil)
    }

    @Test(arguments: [
      (#"{"stream":"s","seq":5}"#, AppendAnswer.stored(count: 5, batch: nil, isDuplicate: false)),
      (#"{"stream":"s","seq":5,"duplicate": true}"#, .stored(count: 5, batch: nil, isDuplicate: true)),
      (#"{"stream":"s","seq":6,"batch":"b","count":3}"#, .stored(count: 6, batch: 3, isDuplicate: false)),
      (
        #"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 12"},"stream":"s","seq":0}"#,
        .unexpected(count: 12)
      ),
    ])
    func answersToAppendsAreUnderstood(_ text: String, _ answer: AppendAnswer) throws {
      #expect(AppendAnswer(try #require(JSON(text.utf8))) == answer)
    }

    @Test(arguments: [
      (503, 10008, "JetStream system temporarily unavailable", true),
      (400, 10054, "message size exceeds maximum allowed", false),
      (503, 10077, "maximum bytes exceeded", false), (400, 10199, "batch", true),
      (404, 10059, "stream not found", false),
      (400, 10005, "no suitable peers for placement, peer offline", true),
      (400, 10005, "no suitable peers for placement", false),
    ])
    func refusalsPassOrLast(_ code: Int, _ number: Int, _ text: String, _ isPassing: Bool) {
      #expect(ServerRefusal(code: code, number: number, text: text).isPassing == isPassing)
    }

    @Test func timesAreReadToTheNanosecond() {
      #expect(RecordTime.parse("1970-01-01T00:00:00Z") == Timestamp(nanosecondsSince1970: 0))
      let time = Timestamp(nanosecondsSince1970: 1_795_725_006_873_852_084)
      #expect(RecordTime.parse(time.description) == time)
      #expect(RecordTime.parse("2026-11-26T22:30:06.5+02:00") == RecordTime.parse("2026-11-26T20:30:06.500000000Z"))
      #expect(RecordTime.parse("2024-02-29T12:00:00Z")?.description == "2024-02-29T12:00:00.000000000Z")
      for text in ["", "now", "2026-11-26", "2026-13-26T20:30:06Z", "2026-11-26T20:30:06", "2026-11-26T20:30:06x"] {
        #expect(RecordTime.parse(text) == nil)
      }
    }

    @Test func aDeliverySaysItsPlace() {
      func place(_ subject: String) -> DeliveryPlace? { DeliveryPlace(Array(subject.utf8), from: "im") }
      let found = place("$JS.ACK.orders.im.1.42.7.1795725006873852084.0")
      #expect(found?.sequence == 41)
      #expect(found?.timestamp == Timestamp(nanosecondsSince1970: 1_795_725_006_873_852_084))
      #expect(
        place("$JS.ACK.domain.account.orders.im.1.42.7.9.0.token") == place("$JS.ACK.orders.im.1.42.7.9.0"))
      for text in [
        "", "$JS.ACK.orders", "_INBOX.a.b.c.d.e.f.g.h", "$JS.ACK.orders.im.1.x.7.9.0", "$JS.ACK.orders.im.1.0.7.9.0",
        "$JS.ACK.orders.im.1.-4.7.9.0", "$JS.ACK.orders.im.1.42.7..0", "$JS.ACK.orders.other.1.42.7.9.0",
        "$JS.ACK.orders.im.1.99999999999999999999.7.9.0", "$JS.ACK.orders.im.1.42.7.9223372036854775808.0",
      ] {
        #expect(place(text) == nil)
      }
    }

    @Test func aGreetingSaysTheVersion() {
      let line = #"INFO {"server_name":"n1","version":"2.9.10","jetstream":true}"#
      let greeting = ServerGreeting(line: line.utf8)
      #expect(greeting?.name == "n1" && greeting?.version == "2.9.10" && greeting?.hasJetStream == true)
      #expect(greeting?.isAtLeast(2, 12) == false && greeting?.isAtLeast(2, 9) == true)
      #expect(ServerGreeting(line: #"INFO {"version":"3.0.0-beta"}"#.utf8)?.isAtLeast(2, 12) == true)
      #expect(ServerGreeting(line: "HTTP/1.1 400".utf8) == nil)
    }

    @Test func namesOfStreamsAreDistinctAndValid() {
      let namespaces = ["a", "a.b", "a-b", "a_b", "a.b.consumers", "a..b", String(repeating: "x.", count: 99) + "x"]
      let names = namespaces.compactMap { StreamName($0) }
      #expect(names.count == namespaces.count)
      #expect(Set(names.flatMap { [$0.stream, $0.positions] }).count == 2 * names.count)
      for name in names { #expect(name.stream.utf8.count <= 255 && !name.stream.contains { " .*>/\\".contains($0) }) }
      #expect(StreamName("a.b")?.stream == "a=b")
      #expect(StreamName("a b") == nil && StreamName("") == nil && StreamName(".a") == nil)
    }

    @Test func aMarkIsReadAsItWasWritten() throws {
      let identity = LogIdentity("00112233445566778899aabbccddeeff")
      var mark = ConsumerMark(identity: try #require(identity), position: 7, owner: "me", process: 12, since: 99)
      mark.change = 3
      #expect(ConsumerMark(mark.bytes) == mark)
      mark.owner = nil
      #expect(ConsumerMark(mark.bytes) == mark)
      #expect(ConsumerMark("{}".utf8) == nil)
    }

    @Test func aStreamThatIsNoLogSaysWhatDiffers() throws {
      let name = try #require(StreamName("orders"))
      let identity = try #require(LogIdentity("00112233445566778899aabbccddeeff"))
      func faults(_ change: (String, JSON)? = nil, deleted: Int = 0) throws -> [String] {
        guard case .object(var members) = StreamDescription.config(name, identity, codec: "", .init(), isBatched: true)
        else {
          return []
        }
        if let change {
          members.removeAll { $0.name == change.0 }
          members.append(.init(name: change.0, value: change.1))
        }
        let json = JSON.object([
          "config": .object(members), "state": .object(["first_seq": 1, "last_seq": 9, "num_deleted": .int(deleted)]),
        ])
        return try #require(StreamDescription(json)).faults(name, identity)
      }
      #expect(try faults().isEmpty)
      let changes: [(String, JSON)] = [
        ("deny_delete", false), ("deny_purge", false), ("discard", "old"), ("allow_direct", false),
        ("storage", "memory"),
        ("retention", "workqueue"), ("max_age", 1), ("max_msgs_per_subject", 1),
        ("subjects", .array(["immuta.orders"])),
        ("allow_rollup_hdrs", true), ("allow_msg_ttl", true), ("persist_mode", "async"), ("sealed", true),
        ("mirror", .object(["name": "other"])), ("sources", .array([.object(["name": "other"])])),
      ]
      for change in changes {
        let found = try faults(change)
        #expect(found.count == 1 && found[0].hasPrefix(change.0), "\(change.0): \(found)")
      }
      #expect(try faults(deleted: 2).count == 1)
    }
  }
#endif
