import Foundation
import Immuta
import ImmutaCodable
import ImmutaTestSupport
import Testing

/// A log of values.
@Suite(.timeLimit(.minutes(3))) struct TypedLogTests {
  private let events: [OrderEvent] = [
    .placed(id: 7), .shipped(id: 7, at: Date(timeIntervalSinceReferenceDate: 820_000_000.125)), .cancelled,
  ]

  @Test func whatWasAppendedIsReadInEachWay() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let orders = try storage.log("orders", of: OrderEvent.self)
    for event in events { try await orders.append(event) }
    #expect(orders.count == 3 && orders.log.count == 3 && orders.namespace == "orders")

    var streamed: [OrderEvent] = []
    for try await order in orders.stream() {
      #expect(order.record.sequence == streamed.count && order.timestamp == order.record.timestamp)
      streamed.append(order.value)
      if streamed.count == 3 { break }
    }
    #expect(streamed == events)

    let reader = orders.reader(from: .last(2))
    #expect(try await reader.next()?.value == events[1])
    #expect(reader.position == 2 && reader.nextPosition?.sequence == 2)
    #expect(try reader.nextAtOnce()?.value == events[2])
    #expect(try await reader.next(timeout: .zero) == nil)

    var history = orders.history(from: .skipping(1))
    #expect(try await history.next()?.value == events[1] && history.end == 3)
    #expect(try await orders.record(at: 1).value == events[1])
    #expect(try orders.records(in: 0..<3).map(\.value) == events)
    #expect(try orders.value(of: try await orders.log.record(at: 2)) == .cancelled)
  }

  @Test func codeThatIsNotAsyncHasTheSameCalls() throws {
    let directory = TemporaryDirectory()
    let storage = try Storage(directory: directory.path, namespaces: ["other"])
    defer { storage.close() }
    let orders = try storage.log("orders", of: OrderEvent.self, creating: true)
    #expect(try orders.append(events[0]).sequence == 0)
    #expect(try orders.append(events[1], expecting: 1).sequence == 1)
    #expect(try orders.append(contentsOf: events, expecting: 2).sequences == 2..<5)
    #expect(throws: ImmutaError.unexpectedCount(expected: 2, actual: 5)) {
      try orders.append(contentsOf: events, expecting: 2)
    }
    try orders.transaction(expecting: 5) { transaction in
      let receipt = try transaction.append(.cancelled)
      #expect(receipt.sequence == 5)
    }
    try orders.transaction { transaction in try transaction.append(.placed(id: 8)) }
    #expect(try orders.record(at: 6).value == .placed(id: 8))
    #expect(throws: ImmutaError.namespaceNotFound("none")) { try storage.log("none", of: OrderEvent.self) }
  }

  @Test func appendsAndTransactionsAreWholeOrNothing() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let orders = try storage.log("orders", of: OrderEvent.self)
    #expect(try await orders.append(contentsOf: events).sequences == 0..<3)
    try await orders.transaction { transaction in
      try await transaction.append(.placed(id: 1))
      try await transaction.append(.placed(id: 2))
      #expect(orders.count == 3)
    }
    #expect(orders.count == 5)
    await #expect(throws: CancellationError.self) {
      try await orders.transaction(expecting: 5) { transaction in
        try await transaction.append(.placed(id: 3))
        throw CancellationError()
      }
    }
    #expect(orders.count == 5)
    await #expect(throws: ImmutaError.unexpectedCount(expected: 4, actual: 5)) {
      try await orders.append(.cancelled, expecting: 4)
    }
    await #expect(throws: ImmutaError.unexpectedCount(expected: 4, actual: 5)) {
      try await orders.transaction(expecting: 4) { transaction in try await transaction.append(.cancelled) }
    }
    let transaction = try await orders.beginTransaction()
    try await transaction.append(.cancelled)
    try await transaction.commit()
    #expect(try await orders.record(at: 5).value == .cancelled)
    let dropped = try await orders.beginTransaction()
    try await dropped.append(.cancelled)
    dropped.rollBack()
    #expect(orders.count == 6)
  }

  @Test func aRecordThatDoesNotDecodeNamesItselfAndIsPassed() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let orders = try storage.log("orders", of: OrderEvent.self)
    try await orders.append(events[0])
    try await orders.log.append(#"{"placed":{"id":"seven"}}"#)
    try await orders.append(events[2])

    let error = try await thrown { _ = try await orders.record(at: 1) }
    guard case .undecodableValue(sequence: 1, type: "OrderEvent", reason: let reason, in: let place) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(place.namespace == "orders" && error.namespace == "orders" && reason.hasPrefix("placed.id: "), "\(reason)")
    #expect(error.description.contains("record 1 in “orders” is no value of OrderEvent: placed.id: "))

    var stream = orders.stream()
    let reader = orders.reader()
    var history = orders.history()
    #expect(try await stream.next()?.value == events[0])
    #expect(try await reader.next()?.value == events[0])
    #expect(try await history.next()?.value == events[0])
    #expect(try await thrown { _ = try await stream.next() } == error)
    #expect(try await thrown { _ = try await reader.next() } == error)
    #expect(try await thrown { _ = try await history.next() } == error)
    #expect(try await stream.next()?.value == events[2])
    #expect(try await reader.next()?.value == events[2])
    #expect(try await history.next()?.value == events[2])
    #expect(try await history.next() == nil)
    #expect(try await thrown { _ = try orders.records(in: 0..<3) } == error)
    await #expect(throws: error) {
      for try await order in orders.stream() { #expect(order.sequence == 0) }
    }
  }

  @Test func textThatIsNoJSONSaysWhatTheDecoderSaid() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let numbers = try storage.log("orders", of: [Int].self)
    try await numbers.log.append("{[")
    try await numbers.log.append("[1,2,null]")
    guard case .undecodableValue(_, "Array<Int>", let reason, _) = try await thrown({ _ = try numbers.record(at: 0) }),
      case .undecodableValue(_, _, let other, _) = try await thrown({ _ = try numbers.record(at: 1) })
    else {
      Issue.record("another error")
      return
    }
    #expect(reason.contains("JSON") && !reason.hasSuffix("."), "\(reason)")
    #expect(other.hasPrefix("[2]: "), "\(other)")
  }

  @Test func aValueThatCannotBeEncodedIsNotAppended() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let numbers = try storage.log("orders", of: Double.self)
    await #expect(throws: EncodingError.self) { try await numbers.append(.nan) }
    await #expect(throws: EncodingError.self) { try await numbers.append(contentsOf: [1, .infinity]) }
    await #expect(throws: EncodingError.self) {
      try await numbers.transaction { transaction in
        try await transaction.append(1)
        try await transaction.append(.nan)
      }
    }
    #expect(numbers.count == 0)
    // One that is caught inside leaves the others.
    try await numbers.transaction { transaction in
      try await transaction.append(1)
      do { try await transaction.append(.nan) } catch is EncodingError {}
    }
    #expect(try numbers.records(in: 0..<1).map(\.value) == [1])
  }

  @Test func anotherCoderDoesWhatItSays() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let lists = try storage.log("orders", of: OrderEvent.self).coder(.propertyList)
    for event in events { try await lists.append(event) }
    #expect(try lists.records(in: 0..<3).map(\.value) == events)
    #expect(try await lists.log.record(at: 0).text.hasPrefix("bplist"))

    let reversed = try storage.log("orders", of: String.self).coder(Reversed())
    try await reversed.append("abc")
    #expect(try await reversed.log.record(at: 3).text == "cba")
    #expect(try await reversed.record(at: 3).value == "abc")
    let error = try await thrown { _ = try TypedLog(reversed.log, of: Int.self, coder: Reversed()).record(at: 3) }
    #expect(error == .undecodableValue(sequence: 3, type: "Int", reason: "it is no text"))
  }

  /// Text, backwards.
  private struct Reversed: ValueCoder {
    struct NoText: Error, CustomStringConvertible {
      var description: String { "it is no text" }
    }

    func encode<Value: Encodable>(_ value: Value) throws -> [UInt8] { Array("\(value)".utf8.reversed()) }

    func decode<Value: Decodable>(_ type: Value.Type, from bytes: RawSpan) throws -> Value {
      let text = bytes.withUnsafeBytes { String(decoding: $0.reversed(), as: UTF8.self) }
      guard let value = text as? Value else { throw NoText() }
      return value
    }
  }

  @Test func aTypeThatChangedReadsWhatItWrote() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let old = try storage.log("orders", of: Evolution.First.self)
    try await old.append(.placed(id: 7))
    try await old.append(.dispatched(id: 7))
    let new = TypedLog(old.log, of: Evolution.Second.self)
    try await new.append(.placed(id: 8, customer: "ada"))
    #expect(
      try new.records(in: 0..<3).map(\.value) == [
        .placed(id: 7, customer: nil), .shipped(id: 7), .placed(id: 8, customer: "ada"),
      ])
    // And the old program, which ignores what it does not know.
    #expect(try await old.record(at: 2).value == .placed(id: 8))
  }

  /// The article's example.
  private enum Evolution {
    enum First: Codable, Hashable {
      case placed(id: Int)
      case dispatched(id: Int)
    }

    enum Second: Codable, Hashable {
      case placed(id: Int, customer: String?)
      case shipped(id: Int)

      private enum CodingKeys: String, CodingKey {
        case placed
        case shipped = "dispatched"
      }
    }
  }

  /// Neither end needs what the other does, and nothing needs to be sent.
  @Test func theTypeNeedsNoMoreThanItIsUsedFor() async throws {
    final class Written: Encodable {
      var id = 7
    }
    final class Found: Decodable {
      var id: Int
    }
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    try await storage.log("orders", of: Written.self).append(Written())
    var stream = try storage.log("orders", of: Found.self).stream()
    #expect(try await stream.next()?.value.id == 7)
  }

  @Test func aValueMayBeLarge() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    let text = String(repeating: "ä", count: 2 << 20)
    try await storage.log("orders", of: [String].self).append([text])
    storage.close()
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let reading = try directory.open(configuration)
    defer { reading.close() }
    #expect(try await reading.log("orders", of: [String].self).record(at: 0).value == [text])
    #expect(try reading.log("orders", of: [String].self, access: .readOnly).count == 1)
  }

  @Test func aStreamWaitsForTheNextValue() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let orders = try storage.log("orders", of: OrderEvent.self)
    let task = Task { [stream = orders.stream(from: .latest)] in
      var stream = stream
      return try await stream.next()?.value
    }
    try await orders.append(.placed(id: 9))
    #expect(try await task.value == .placed(id: 9))
  }

  @Test func aConsumerDeliversValuesFromWhereItWas() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let orders = try storage.log("orders", of: OrderEvent.self)
    try await orders.append(events[0])
    try await orders.log.append("no JSON")
    try await orders.append(contentsOf: events[1...])
    let billing = try orders.consumer("billing")
    let first = try #require(try await billing.next())
    #expect(first.value == events[0])
    try await billing.acknowledge(first)
    billing.consumer.close()

    let again = try orders.consumer("billing")
    guard case .undecodableValue(sequence: 1, _, _, _) = try await thrown({ _ = try await again.next() }) else {
      Issue.record("another error")
      return
    }
    let second = try #require(try again.nextAtOnce())
    #expect(second.value == events[1] && second.sequence == 2 && again.consumer.position == 1)
    try await again.acknowledge(second)
    #expect(again.consumer.position == 3 && again.consumer.lag == 1)
    #expect(try await again.next(timeout: .zero)?.value == events[2])
  }

  // MARK: Steps

  @Test func valuesBecomeValuesOfAnotherLogOnce() async throws {
    let directory = TemporaryDirectory()
    let storage = try Storage(directory: directory.path, namespaces: ["orders", "ids", "sums"])
    defer { storage.close() }
    let orders = try storage.log("orders", of: OrderEvent.self)
    let ids = try storage.log("ids", of: [Int].self)
    let sums = try storage.log("sums", of: Int.self)
    try await storage.transaction(in: ["orders", "sums"]) { step in
      for id in 0..<5 { try await step.append(.placed(id: id), to: orders) }
      try await step.append(10, to: sums)
    }
    #expect(try await sums.log.record(at: 0).text == "10")
    let consumer = try orders.consumer("collector")
    func process() async throws -> Int {
      try await consumer.processAtOnce(into: ids, atMost: 3) { order, transaction in
        if case .placed(let id) = order.value { try await transaction.append([id, order.sequence]) }
      }
    }
    #expect(try await process() == 3)
    #expect(try await process() == 2)
    try await orders.log.append("no JSON")
    guard case .undecodableValue(sequence: 5, _, _, _) = try await thrown({ _ = try await process() }) else {
      Issue.record("another error")
      return
    }
    var found: [[Int]] = []
    for try await id in ids.history() { found.append(id.value) }
    #expect(found == (0..<5).map { [$0, $0] } && consumer.consumer.position == 5)
  }
}
