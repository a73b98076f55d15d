import Foundation
import Immuta
import ImmutaCodable
import ImmutaTestSupport
import Testing

/// Values in any log: all that is called here is of `AppendOnlyLog`.
@Suite(.timeLimit(.minutes(3))) struct ValueLogTests {
  private let events: [OrderEvent] = [
    .placed(id: 7), .shipped(id: 7, at: Date(timeIntervalSinceReferenceDate: 820_000_000.125)), .cancelled,
  ]

  private func withLog(_ body: (Log) async throws -> Void) async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { withExtendedLifetime(directory) { storage.close() } }
    try await body(try storage.log("orders"))
  }

  private func appendAndRead(_ log: some AppendOnlyLog, coder: some ValueCoder) async throws {
    let orders = log.values(of: OrderEvent.self, coder: coder)
    #expect(try await orders.append(events[0]).sequence == 0)
    #expect(try await orders.append(events[1], expecting: 1).sequence == 1)
    #expect(try await orders.append(contentsOf: events, expecting: 2).sequences == 2..<5)
    #expect(try await orders.append(contentsOf: events).sequences == 5..<8)
    let expected = events[0...1] + events + events
    await #expect(throws: ImmutaError.unexpectedCount(expected: 2, actual: 8)) {
      try await orders.append(.cancelled, expecting: 2)
    }
    await #expect(throws: ImmutaError.unexpectedCount(expected: 2, actual: 8)) {
      try await orders.append(contentsOf: events, expecting: 2)
    }
    var streamed: [OrderEvent] = []
    for try await order in orders.stream() {
      #expect(order.sequence == streamed.count && order.record.sequence == streamed.count)
      #expect(order.timestamp == order.record.timestamp)
      streamed.append(order.value)
      if streamed.count == 8 { break }
    }
    #expect(streamed == Array(expected))
    #expect(try await orders.record(at: 1).value == events[1])
    var stream = orders.stream(from: .last(1))
    #expect(try await stream.next()?.value == .cancelled)
    #expect(try await stream.next(timeout: .milliseconds(1)) == nil)
  }

  @Test func whatWasAppendedToAnyLogIsRead() async throws {
    try await withLog { try await appendAndRead($0, coder: .json) }
  }

  @Test func anotherCoderIsTaken() async throws {
    try await withLog { log in
      try await appendAndRead(log, coder: .propertyList)
      #expect(try await log.record(at: 0).payload.starts(with: Array("bplist".utf8)))
    }
  }

  private func passOver(_ log: some AppendOnlyLog) async throws {
    let orders = log.values(of: OrderEvent.self)
    try await orders.append(.placed(id: 1))
    try await log.append("none")
    try await orders.append(.placed(id: 2))
    var stream = orders.stream()
    let consumer = try await orders.consumer("billing")
    for number in [0, 2] {
      let order = try #require(try await stream.next(timeout: .seconds(60)))
      let delivered = try #require(try await consumer.next())
      #expect(order.sequence == number && delivered.sequence == number && order.value == delivered.value)
      if number == 2 {
        try await consumer.acknowledge(delivered)
        break
      }
      let errors = [
        try await thrown { _ = try await stream.next() }, try await thrown { _ = try await consumer.next() },
        try await thrown { _ = try await orders.record(at: 1) },
      ]
      for error in errors {
        guard case .undecodableValue(sequence: 1, type: "OrderEvent", reason: _, in: _) = error else {
          Issue.record("\(error)")
          continue
        }
        #expect(error.namespace == "orders")
      }
    }
    #expect(consumer.consumer.position == 3)
    #expect(try await consumer.next(timeout: .milliseconds(1)) == nil)
  }

  @Test func aRecordOfAnyLogThatDoesNotDecodeIsNamedAndPassed() async throws {
    try await withLog { try await passOver($0) }
  }
}
