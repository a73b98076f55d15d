import Immuta

extension LogPromise {
  static func recordsAreRead(_ place: some LogPlace, _ name: String) async throws {
    let log = try await place.open(name)
    try demand(log.namespace == name, "the log is called \(log.namespace)")
    let (empty, first) = (try await log.count, try await log.firstSequence)
    try demand(empty == 0 && first == 0, "a new log has \(empty) records from \(first)")
    var expected: [[UInt8]] = []
    for number in 0..<100 {
      let receipt =
        if number.isMultiple(of: 2) {
          try await log.append("text \(number), é")
        } else {
          try await log.append([0, UInt8(number), 255] as [UInt8])
        }
      expected.append(number.isMultiple(of: 2) ? Array("text \(number), é".utf8) : [0, UInt8(number), 255])
      try demand(receipt.sequence == number, "record \(number) got number \(receipt.sequence)")
      let count = try await log.count
      try demand(count == number + 1, "the handle appended \(number + 1) records and counts \(count)")
    }
    var last: Timestamp?
    let other = try await place.open(name)
    for (number, record) in try await records(100, of: other).enumerated() {
      try demand(record.payload.elementsEqual(expected[number]), "record \(number) is not what was appended")
      try demand(record.withBytes { $0.byteCount } == expected[number].count, "record \(number) has other bytes")
      if let last {
        try demand(record.timestamp >= last, "the time of record \(number) is before that of the one before")
      }
      last = record.timestamp
    }
    try demand(try await texts(1, of: other) == ["text 0, é"], "the text is not what was appended")
  }

  static func sizes(_ place: some LogPlace, _ name: String) async throws {
    let log = try await place.open(name)
    let largest = min(3 << 20, log.limits.maximumRecordBytes ?? .max)
    let sizes = [0, 1, 0, 4095, 4096, 65_537, largest, 0]
    for (number, size) in sizes.enumerated() {
      try await log.append(Content(identity: UInt64(number + 1), size: size).bytes)
    }
    for (number, record) in try await records(sizes.count, of: log).enumerated() {
      let content = Content(identity: UInt64(number + 1), size: sizes[number])
      try demand(
        content.matches(record.payload), "record \(number) of \(sizes[number]) bytes came otherwise in the stream")
      let found = try await log.record(at: number)
      try demand(content.matches(found.payload), "record \(number) of \(sizes[number]) bytes was found otherwise")
    }
  }

  static func foundAtOnce(_ place: some LogPlace, _ name: String) async throws {
    let log = try await place.open(name)
    for number in 0..<200 {
      let receipt = try await log.append("record \(number)")
      let found = try await log.record(at: receipt.sequence)
      try demand(found.sequence == number && found.text == "record \(number)", "record \(number) is \(found.text)")
    }
  }

  static func notFound(_ place: some LogPlace, _ name: String) async throws {
    let log = try await place.open(name)
    try await log.append("one")
    for missing in [-1, 1, 1000, Int.min, Int.max] {
      try await demandError({ $0 == .recordNotFound(missing) }, "there is no record \(missing)") {
        _ = try await log.record(at: missing)
      }
    }
  }

  static func follows<Place: LogPlace>(_ place: Place, _ name: String) async throws {
    let (writer, reader) = (try await place.open(name), try await place.open(name))
    try await writer.append("record 0")
    let following = Task {
      var texts: [String] = []
      for try await record in reader.stream(from: .beginning) {
        try demand(record.sequence == texts.count, "record \(record.sequence) came after \(texts.count)")
        texts.append(record.text)
        if texts.count == 300 { break }
      }
      return texts
    }
    defer { following.cancel() }
    for number in 1..<200 { try await writer.append("record \(number)") }
    try await writer.append(contentsOf: (200..<300).map { "record \($0)" }, expecting: nil)
    let texts = try await bounded("following") { try await following.value }
    try demand(texts == (0..<300).map { "record \($0)" }, "the stream gave other records than were appended")
  }

  static func beginnings<Place: LogPlace>(_ place: Place, _ name: String) async throws {
    let log = try await place.open(name)
    for number in 0..<10 { try await log.append("record \(number)") }
    let all = try await records(10, of: log)
    let time = all[5].timestamp
    let firstAtTime = try demand(all.first { $0.timestamp >= time }?.sequence, "no record has the time of one")
    let expected: [(StreamPosition, Int)] = [
      (.beginning, 0), (.skipping(0), 0), (.skipping(3), 3), (.sequence(9), 9), (.last(4), 6), (.last(100), 0),
      (.time(Timestamp(nanosecondsSince1970: 0)), 0), (.time(time), firstAtTime),
    ]
    for (position, first) in expected {
      var stream = log.stream(from: position)
      let record = try await next(&stream)
      try demand(
        record.sequence == first, "a stream from \(position) begins with record \(record.sequence), not \(first)")
    }
    var stream = log.stream(from: .sequence(12))
    try await demandError(
      { $0 == .positionBeyondEnd(position: 12, count: 10) }, "there is no record 12, nor is it the next"
    ) {
      _ = try await stream.next()
    }
    stream = log.stream(from: .sequence(-1))
    try await demandError({ $0 == .invalidPosition(-1) }, "there is no record -1") { _ = try await stream.next() }
    // Those that wait for records to come.
    for position in [StreamPosition.skipping(12), .sequence(10), .latest, .last(0)] {
      let count = try await log.count
      let waiting = Task {
        var stream = log.stream(from: position)
        let first = try await stream.next()?.sequence
        return (first, try await stream.next()?.sequence)
      }
      defer { waiting.cancel() }
      // What comes before a place is settled does not come in the stream.
      let appending = Task { while !Task.isCancelled { try await log.append("one more") } }
      let (first, second) = try await bounded("waiting from \(position)") { try await waiting.value }
      appending.cancel()
      // It ends by being cancelled.
      _ = await appending.result
      let number = try demand(first, "a stream ended")
      switch position {
      case .skipping(let first), .sequence(let first):
        try demand(number == first, "a stream from \(position) begins with record \(number)")
      default: try demand(number >= count, "a stream from \(position) begins with record \(number) of \(count)")
      }
      try demand(second == number + 1, "after record \(number) came \(String(describing: second))")
    }
  }

  static func cancelling<Place: LogPlace>(_ place: Place, _ name: String) async throws {
    let log = try await place.open(name)
    try await log.append("record 0")
    var stream = log.stream(from: .beginning)
    _ = try await next(&stream)
    let consumer = try await log.consumer("cancelled", startingAt: .sequence(1), creating: true)
    let place = stream
    let waiting = [
      Task {
        var stream = place
        _ = try await stream.next()
      },
      Task {
        var stream = log.stream(from: .latest)
        _ = try await stream.next(timeout: .seconds(3600))
      },
      Task { _ = try await consumer.next() },
    ]
    // Whether they have begun to wait or not, they end.
    try await Task.sleep(for: .milliseconds(20))
    for (number, task) in waiting.enumerated() {
      task.cancel()
      let outcome = try await bounded("cancelling", within: min(.seconds(20), patience)) { await task.result }
      guard case .failure(let error) = outcome, error is CancellationError else {
        throw PromiseBroken("call \(number) was cancelled and came to \(outcome)", line: #line)
      }
    }
    try await log.append("record 1")
    try demand(try await next(&stream).text == "record 1", "a stream lost its place")
    try demand(try await next(consumer).text == "record 1", "a consumer lost its place")
    try await consumer.shutdown()
  }

  static func closing<Place: LogPlace>(_ place: Place, _ name: String) async throws {
    let log = try await place.open(name)
    try await log.append("record 0")
    let first = try await log.record(at: 0)
    let consumer = try await log.consumer("closed", startingAt: .latest, creating: true)
    let waiting = [
      Task {
        for try await _ in log.stream(from: .latest) {}
      },
      Task { _ = try await consumer.next() },
    ]
    // Whether they have begun to wait or not, they end.
    try await Task.sleep(for: .milliseconds(20))
    try await log.shutdown()
    try await log.shutdown()
    for task in waiting {
      try await demandError({ Self.saysClosed($0, consumer.name) }, "the log was closed") {
        try await bounded("closing") { try await task.value }
      }
    }
    let calls: [@Sendable () async throws -> Void] = [
      { try await log.append("never") },
      { try await log.append("never", expecting: 1) },
      { try await log.append(contentsOf: ["never"], expecting: nil) },
      { _ = try await log.record(at: 0) },
      {
        var stream = log.stream(from: .beginning)
        _ = try await stream.next()
      },
      { _ = try await log.consumer("closed", startingAt: .beginning, creating: true) },
      { _ = try await consumer.next() },
    ]
    for (number, call) in calls.enumerated() {
      try await demandError({ Self.saysClosed($0, consumer.name) }, "call \(number), and the log is closed") {
        try await bounded("a call of a closed log", call)
      }
    }
    try demand(first.text == "record 0", "a record that is held is not valid any more")
    let again = try await place.open(name)
    try demand(try await texts(1, of: again) == ["record 0"], "what was appended is not there after closing")
    try await demandCount(1, of: again)
  }

  private static func saysClosed(_ error: ImmutaError, _ consumer: String) -> Bool {
    error == .storageClosed || error == .consumerClosed(consumer)
  }
}
