import Immuta

/// What every ``AppendOnlyLog`` promises. Each promise can be checked on any place that keeps logs.
public enum LogPromise: String, CaseIterable, Sendable {
  case recordsAreReadAsTheyWereAppended
  case emptyAndLargePayloadsAreWhole
  case recordsAppendedByManyTasksAreThereOnceAndInTheOrderOfEach
  case whatAHandleAppendedItFindsAtOnce
  case aRecordThatIsNotThereIsNotFound
  case aStreamFollows
  case streamsBeginWhereTheySay
  case anExpectationThatFailsAppendsNothing
  case ofTwoThatExpectTheSameCountOneWins
  case aBatchIsWhole
  case aBatchThatCannotBeIsNotThereAtAll
  case limitsAreTold
  case aConsumerGoesOnWhereItAcknowledged
  case oneHasAConsumerAtATime
  case aConsumerSeeks
  case cancellingEndsWaitingAtOnce
  case closingEndsWhatWaits
  case anAppendThatNeverWasHasNoRecords

  /// How long a call may take that is to return: longer than any on a busy machine.
  @TaskLocal static var patience: Duration = .seconds(60)

  /// Checks the promise on a log of its own.
  ///
  /// - Parameter patience: after how long a call is taken for one that hangs.
  /// - Throws: ``PromiseBroken``, or what a call threw that should not have.
  public func check(on place: some LogPlace, patience: Duration = .seconds(60)) async throws {
    try await Self.$patience.withValue(patience) { try await check(place) }
  }

  private func check(_ place: some LogPlace) async throws {
    let name = "\(rawValue.prefix(40))-\(String(UInt64.random(in: .min ... .max), radix: 36))"
    switch self {
    case .recordsAreReadAsTheyWereAppended: try await Self.recordsAreRead(place, name)
    case .emptyAndLargePayloadsAreWhole: try await Self.sizes(place, name)
    case .recordsAppendedByManyTasksAreThereOnceAndInTheOrderOfEach: try await Self.manyTasks(place, name)
    case .whatAHandleAppendedItFindsAtOnce: try await Self.foundAtOnce(place, name)
    case .aRecordThatIsNotThereIsNotFound: try await Self.notFound(place, name)
    case .aStreamFollows: try await Self.follows(place, name)
    case .streamsBeginWhereTheySay: try await Self.beginnings(place, name)
    case .anExpectationThatFailsAppendsNothing: try await Self.failedExpectation(place, name)
    case .ofTwoThatExpectTheSameCountOneWins: try await Self.race(place, name)
    case .aBatchIsWhole: try await Self.wholeBatches(place, name)
    case .aBatchThatCannotBeIsNotThereAtAll: try await Self.refusedBatches(place, name)
    case .limitsAreTold: try await Self.limits(place, name)
    case .aConsumerGoesOnWhereItAcknowledged: try await Self.consumerGoesOn(place, name)
    case .oneHasAConsumerAtATime: try await Self.consumerInUse(place, name)
    case .aConsumerSeeks: try await Self.consumerSeeks(place, name)
    case .cancellingEndsWaitingAtOnce: try await Self.cancelling(place, name)
    case .closingEndsWhatWaits: try await Self.closing(place, name)
    case .anAppendThatNeverWasHasNoRecords: try await Self.unknownAppend(place, name)
    }
  }

  /// The first records of a log, as text.
  static func texts(_ count: Int, of log: some AppendOnlyLog) async throws -> [String] {
    try await records(count, of: log).map(\.text)
  }

  /// The first records of a log, in order and without a gap.
  static func records<Log: AppendOnlyLog>(_ count: Int, of log: Log) async throws -> [Log.Entry] {
    var stream = log.stream(from: .beginning)
    var records: [Log.Entry] = []
    while records.count < count {
      let record = try await next(&stream)
      try demand(record.sequence == records.count, "record \(record.sequence) came after \(records.count)")
      records.append(record)
    }
    return records
  }

  /// The next record, which must come.
  static func next<Stream: LogStream>(_ stream: inout Stream, line: Int = #line) async throws -> Stream.Element {
    try demand(try await stream.next(timeout: patience), "no record came", line: line)
  }

  /// The next record, which must come.
  static func next<Consumer: LogConsumer>(_ consumer: Consumer, line: Int = #line) async throws -> Consumer.Entry {
    try demand(try await consumer.next(timeout: patience), "no record came", line: line)
  }

  /// Demands that a log has so many records and no more: another one is the next.
  static func demandCount(_ count: Int, of log: some AppendOnlyLog, line: Int = #line) async throws {
    let receipt = try await log.append("the last")
    try demand(receipt.sequence == count, "the log had \(receipt.sequence) records, not \(count)", line: line)
  }
}
