import Immuta
import ImmutaTestSupport
import Testing

/// All or nothing.
@Suite(.timeLimit(.minutes(3))) struct TransactionTests {
  enum Ending: CaseIterable { case thrown, dropped, rolledBack }

  /// What a commit needs of many records is not in memory: where one piece of it ends and the next begins, nothing is lost.
  @Test(arguments: [LogFormat.v2, .bilog], [32_768, 32_769, 32_770, 70_000])
  func manyRecordsAreCommittedAtOnceAndTakenBackAtOnce(format: LogFormat, count: Int) async throws {
    for durability in count == 32_769 ? [Durability.buffered, .synced] : [.buffered] {
      let directory = TemporaryDirectory()
      do {
        let storage = try directory.open(durability, format: format)
        defer { storage.close() }
        let log = try storage.log("log")
        for ending in [Ending.rolledBack, nil, .dropped] {
          let before = log.count
          let transaction = try await log.beginTransaction()
          for number in 0..<count {
            let receipt = try await transaction.append("\(before + number)")
            if receipt.sequence != before + number { Issue.record("\(receipt)") }
          }
          #expect(log.count == before)
          if ending == nil { try await transaction.commit() } else { transaction.rollBack() }
          #expect(log.count == before + (ending == nil ? count : 0))
        }
        try await log.append("\(count)")
        #expect(try await log.verify().records == count + 1)
      }
      let storage = try directory.open(access: .readOnly, format: format)
      defer { storage.close() }
      let log = try storage.log("log")
      #expect(try log.details.verifiable == count + 1)
      #expect(try log.records(in: 0..<count + 1).enumerated().allSatisfy { $1.text == "\($0)" })
    }
  }

  @Test(arguments: Ending.allCases, [10, 20_000, 3 << 20, 20 << 20])
  func whatIsNotCommittedIsGone(ending: Ending, size: Int) async throws {
    let directory = TemporaryDirectory()
    let kept = [pattern(100, seed: 1), [], pattern(5_000, seed: 2)]
    try await directory.fill(kept)
    let before = try directory.bytes(of: "log.log")
    do {
      let storage = try directory.open()
      defer { storage.close() }
      let log = try storage.log("log")
      switch ending {
      case .thrown:
        await #expect(throws: SourceFailed()) {
          try await log.transaction { transaction in
            #expect(try await transaction.append(pattern(size)).sequence == 3)
            #expect(try await transaction.append("second").sequence == 4)
            throw SourceFailed()
          }
        }
      case .dropped:
        let transaction = try await log.beginTransaction()
        try await transaction.append(pattern(size))
      case .rolledBack:
        let transaction = try await log.beginTransaction()
        try await transaction.append(pattern(size))
        transaction.rollBack()
      }
      #expect(log.count == 3)
      #expect(try payloads(log) == kept)
      await #expect(throws: ImmutaError.recordNotFound(3)) { try await log.record(at: 3) }
    }
    #expect(try directory.bytes(of: "log.log") == before)
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(try payloads(log) == kept)
    let receipt = try await log.append("next")
    #expect(receipt == Receipt(sequence: 3, index: before.count, size: 4))
    #expect(try await log.record(at: 3).text == "next")
    #expect(try await log.verify().records == 4)
  }

  @Test func theNextAppendTakesThePlaceOfWhatWasRolledBack() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    for round in 0..<50 {
      let transaction = try await log.beginTransaction()
      let ghost = try await transaction.append(pattern(round * 1_000, seed: round))
      transaction.rollBack()
      let receipt = try await log.append("kept \(round)")
      #expect(receipt.index == ghost.index && receipt.sequence == round)
    }
    #expect(try texts(log) == (0..<50).map { "kept \($0)" })
  }

  @Test func aTransactionBecomesVisibleAtOnce() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let isDone = Box(false)
    let observer = Task {
      var stream = log.stream()
      var observations = 0
      while !isDone.withLock({ $0 }) {
        var run = 0
        let count = log.count
        #expect(count % 10 == 0)
        while stream.position < count, let record = try stream.nextAtOnce() {
          #expect(record.text == "\(record.sequence / 10) \(record.sequence % 10)")
          run += 1
        }
        #expect(run % 10 == 0)
        observations += 1
        await Task.yield()
      }
      return observations
    }
    for round in 0..<400 {
      try await log.transaction { transaction in
        for number in 0..<10 {
          try await transaction.append("\(round) \(number)")
          if round % 20 == 0 { await Task.yield() }
        }
      }
      if round % 3 == 0 {
        let ghost = try await log.beginTransaction()
        try await ghost.append("ghost")
        await Task.yield()
        ghost.rollBack()
      }
    }
    isDone.withLock { $0 = true }
    #expect(try await value(of: observer) > 0)
    #expect(log.count == 4_000)
  }

  @Test func receiptsInATransactionAreThoseOfTheCommittedRecords() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    try await log.append("before")
    var receipts: [Receipt] = []
    let sizes = [0, 1, 16_383, 16_384, 70_000, 1 << 20, (1 << 20) + 1, 3 << 20, 9 << 20, 0]
    let result = try await log.transaction { transaction in
      for (number, size) in sizes.enumerated() {
        if number % 2 == 0 {
          receipts.append(try await transaction.append(pattern(size, seed: number)))
        } else {
          let bytes = pattern(size, seed: number)
          let half = bytes.count / 2
          let source = ChunkSource(chunks: [Array(bytes[..<half]), [], Array(bytes[half...])])
          receipts.append(try await transaction.append(source))
        }
      }
      return "result"
    }
    #expect(result == "result")
    #expect(receipts.map(\.sequence) == Array(1...sizes.count))
    #expect(receipts.map(\.size) == sizes)
    for (number, receipt) in receipts.enumerated() {
      let record = try await log.record(at: receipt.sequence)
      #expect(record.index == receipt.index)
      #expect(holds(record.payload, pattern(sizes[number], seed: number)))
    }
  }

  @Test func aSourceThatFailsInATransactionTakesBackItsRecordOnly() async throws {
    let directory = TemporaryDirectory()
    do {
      let storage = try directory.open()
      defer { storage.close() }
      try await storage.transaction(in: "log") { transaction in
        try await transaction.append("first")
        await #expect(throws: SourceFailed()) {
          try await transaction.append(ChunkSource(chunks: [pattern(200_000)], failure: SourceFailed()))
        }
        #expect(try await transaction.append("second").sequence == 1)
      }
    }
    #expect(try directory.bytes(of: "log.log") == logBytes([Array("first".utf8), Array("second".utf8)]))
  }

  @Test func anEmptyTransactionCommitsNothing() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(.synced)
    defer { storage.close() }
    try await storage.transaction(in: "log") { _ in await Task.yield() }
    let log = try storage.log("log")
    let transaction = try await log.beginTransaction()
    try await transaction.commit()
    #expect(log.count == 0)
    #expect(try await log.append("first").sequence == 0)
  }

  @Test(arguments: [Durability.buffered, .synced, .interval(.milliseconds(5))])
  func aTransactionThatIsOpenWhenTheStorageClosesIsGone(durability: Durability) async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(durability)
    let log = try storage.log("log")
    try await log.append("kept")
    let transaction = try await log.beginTransaction()
    try await transaction.append("gone")
    let waiting = await startWaiting { try await log.append("waiting") }
    storage.close()
    await #expect(throws: ImmutaError.storageClosed) { try await value(of: waiting) }
    await #expect(throws: ImmutaError.storageClosed) { try await transaction.append("more") }
    await #expect(throws: ImmutaError.storageClosed) { try await transaction.append(pattern(2 << 20)) }
    await #expect(throws: ImmutaError.storageClosed) {
      try await transaction.append(ChunkSource(chunks: [[1], [2]]))
    }
    do {
      try await transaction.commit()
      Issue.record("a transaction was committed after its storage was closed")
    } catch {
      #expect(error as? ImmutaError == .storageClosed)
    }
    #expect(try directory.bytes(of: "log.log") == logBytes([Array("kept".utf8)]))
    let again = try directory.open()
    defer { again.close() }
    #expect(try texts(again.log("log")) == ["kept"])
  }

  @Test func closingInTheMiddleOfASourceEndsItsAppend() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    let log = try storage.log("log")
    let (source, continuation) = AsyncStream<[UInt8]>.makeStream()
    let append = await startWaiting { try await log.append(source) }
    continuation.yield(pattern(100_000))
    await Task.yield()
    storage.close()
    continuation.yield([1])
    continuation.finish()
    await #expect(throws: ImmutaError.storageClosed) { try await value(of: append) }
    #expect(try directory.bytes(of: "log.log") == logBytes([]))
  }

  @Test func aTransactionThatIsNeverFinishedHoldsUpNeitherReadersNorClosing() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    let log = try storage.log("log")
    try await log.append("kept")
    let transaction = try await log.beginTransaction()
    try await transaction.append("gone")
    var stream = log.stream()
    #expect(try await stream.next()?.text == "kept")
    #expect(try await stream.next(timeout: .milliseconds(1)) == nil)
    #expect(try await log.verify().records == 1)
    try await log.sync()
    storage.close()
    let again = try directory.open()
    #expect(try texts(again.log("log")) == ["kept"])
    again.close()
    transaction.rollBack()
    let third = try directory.open()
    defer { third.close() }
    #expect(try texts(third.log("log")) == ["kept"])
  }

  @Test func oneTransactionMayHoldAHundredThousandRecords() async throws {
    let directory = TemporaryDirectory()
    let count = 100_000
    do {
      let storage = try directory.open()
      defer { storage.close() }
      let log = try storage.log("log")
      try await log.transaction { transaction in
        for number in 0..<count { try await transaction.append(littleEndian(number).prefix(4)) }
      }
      #expect(log.count == count)
      for try await record in log.stream() {
        if integer(Array(record.payload) + [0, 0, 0, 0], at: 0) != record.sequence {
          Issue.record("record \(record.sequence) holds another's bytes")
          break
        }
        if record.sequence == count - 1 { break }
      }
    }
    let storage = try directory.open()
    defer { storage.close() }
    let report = try await storage.verify("log")
    #expect(report.records == count && report.bytes == 16 + 12 * count)
  }

  @Test func recordsOfOneTransactionHaveOneTimestamp() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    try await log.transaction { transaction in
      try await transaction.append("a")
      try await Task.sleep(for: .milliseconds(2))
      try await transaction.append("b")
    }
    let records = Array(try log.records(in: 0..<2))
    #expect(records[0].timestamp == records[1].timestamp)
  }

  @Test func transactionsOfCodeThatIsNotAsyncCommitAndRollBack() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(.synced)
    defer { storage.close() }
    try await onThread {
      let log = try storage.log("log")
      #expect(throws: SourceFailed()) {
        try log.transaction { transaction in
          try transaction.append(pattern(2 << 20))
          throw SourceFailed()
        }
      }
      #expect(log.count == 0)
      let result = try storage.transaction(in: "log") { transaction in
        try transaction.append("a")
        return try transaction.append(pattern(2 << 20))
      }
      #expect(result == Receipt(sequence: 1, index: 25, size: 2 << 20))
      #expect(log.count == 2)
    }
  }
}
