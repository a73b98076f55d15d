import Immuta

extension LogPromise {
  static func consumerGoesOn(_ place: some LogPlace, _ name: String) async throws {
    let log = try await place.open(name)
    for number in 0..<10 { try await log.append("record \(number)") }
    try await demandError({ $0 == .consumerNotFound("billing") }, "there is no such consumer") {
      _ = try await log.consumer("billing", startingAt: .beginning, creating: false)
    }
    let consumer = try await log.consumer("billing", startingAt: .sequence(2), creating: true)
    try demand(consumer.name == "billing" && consumer.position == 2, "it begins at \(consumer.position)")
    for number in 2..<5 {
      let record = try await next(consumer)
      try demand(record.sequence == number, "record \(record.sequence) came, not \(number)")
    }
    let third = try await log.record(at: 3)
    try await consumer.acknowledge(third)
    try demand(try await positionAndLag(of: consumer) == (4, 6), "acknowledged record 3 of 10")
    // An older one changes nothing.
    try await consumer.acknowledge(through: 2)
    try demand(consumer.position == 4, "acknowledging an older record went back to \(consumer.position)")
    try await demandError({ $0 == .positionBeyondEnd(position: 11, count: 10) }, "there is no record 10") {
      try await consumer.acknowledge(through: 10)
    }
    try await consumer.shutdown()
    try await consumer.shutdown()
    try await demandError({ $0 == .consumerClosed("billing") }, "it is closed") { _ = try await consumer.next() }

    let again = try await place.open(name).consumer("billing", startingAt: .beginning, creating: false)
    try demand(again.position == 4, "it went on at \(again.position), not at 4")
    // What was delivered and not acknowledged comes again.
    for number in 4..<10 {
      let record = try await next(again)
      try demand(record.text == "record \(number)", "\(record.text) came, not record \(number)")
      try await again.acknowledge(through: record.sequence)
    }
    try demand(try await positionAndLag(of: again) == (10, 0), "all is acknowledged")
    try demand(try await again.next(timeout: .milliseconds(1)) == nil, "a record came that nobody appended")
    try await log.append("record 10")
    try demand(try await next(again).text == "record 10", "what came later did not come")
    try await again.shutdown()
  }

  static func consumerInUse(_ place: some LogPlace, _ name: String) async throws {
    let log = try await place.open(name)
    try await log.append("record 0")
    let first = try await log.consumer("one", startingAt: .beginning, creating: true)
    let another = try await place.open(name)
    try await demandError({ if case .consumerInUse = $0 { true } else { false } }, "somebody else has it") {
      _ = try await another.consumer("one", startingAt: .beginning, creating: true)
    }
    // Others are others.
    let second = try await another.consumer("two", startingAt: .beginning, creating: true)
    for consumer in [first, second] {
      try demand(try await next(consumer).sequence == 0, "each consumer gets all records")
    }
    try await first.shutdown()
    let later = try await another.consumer("one", startingAt: .latest, creating: true)
    try demand(later.position == 0, "nothing was acknowledged, and it goes on at \(later.position)")
    try await later.shutdown()
    try await second.shutdown()
    try await demandError({ if case .invalidConsumer = $0 { true } else { false } }, "no consumer can be called that") {
      _ = try await log.consumer("../x", startingAt: .beginning, creating: true)
    }
  }

  static func consumerSeeks(_ place: some LogPlace, _ name: String) async throws {
    let log = try await place.open(name)
    for number in 0..<10 { try await log.append("record \(number)") }
    let consumer = try await log.consumer("seeking", startingAt: .beginning, creating: true)
    try await consumer.acknowledge(through: 7)
    try demand(try await next(consumer).sequence == 8, "what is acknowledged is not delivered")
    let places: [(StreamPosition, Int)] = [(.beginning, 0), (.sequence(6), 6), (.last(1), 9), (.sequence(3), 3)]
    for (position, number) in places {
      try await consumer.seek(to: position)
      try demand(consumer.position == number, "it was moved to \(position), and is at \(consumer.position)")
      try demand(try await next(consumer).sequence == number, "moved to \(position), it delivers something else")
    }
    try await demandError(
      { $0 == .positionBeyondEnd(position: 12, count: 10) }, "there is no record 12, nor is it the next"
    ) {
      try await consumer.seek(to: .sequence(12))
    }
    try await consumer.seek(to: .latest)
    try demand(try await positionAndLag(of: consumer) == (10, 0), "it was moved to the end")
    try await consumer.shutdown()
    let again = try await log.consumer("seeking", startingAt: .beginning, creating: true)
    try demand(again.position == 10, "what it was moved to is not kept")
    try await again.shutdown()
  }

  private static func positionAndLag(of consumer: some LogConsumer) async throws -> (position: Int, lag: Int) {
    (consumer.position, try await consumer.lag)
  }
}
