import Immuta
import ImmutaTestSupport

/// A log that is a `Log` but for one thing that it does wrong: what checks promises must find it out.
final class LyingLog: AppendOnlyLog {
  enum Lie: String, CaseIterable, Sendable {
    case appendsTwice, ignoresExpectations, losesBatchesInTheMiddle, lagsBehindItself, findsWhatIsNotThere
    case keepsOneByte, beginsAtZero, skipsARecord, forgetsWhatWasAcknowledged, hasNoOwners, staysWhereItIs
    case cannotBeCancelled, staysOpen, hasNoLimits, makesUpOutcomes, reordersItsTasks

    /// The promise that it breaks.
    var broken: LogPromise {
      switch self {
      case .appendsTwice: .recordsAreReadAsTheyWereAppended
      case .ignoresExpectations: .anExpectationThatFailsAppendsNothing
      case .losesBatchesInTheMiddle: .aBatchThatCannotBeIsNotThereAtAll
      case .lagsBehindItself: .whatAHandleAppendedItFindsAtOnce
      case .findsWhatIsNotThere: .aRecordThatIsNotThereIsNotFound
      case .keepsOneByte: .emptyAndLargePayloadsAreWhole
      case .beginsAtZero: .streamsBeginWhereTheySay
      case .skipsARecord: .aStreamFollows
      case .forgetsWhatWasAcknowledged: .aConsumerGoesOnWhereItAcknowledged
      case .hasNoOwners: .oneHasAConsumerAtATime
      case .staysWhereItIs: .aConsumerSeeks
      case .cannotBeCancelled: .cancellingEndsWaitingAtOnce
      case .staysOpen: .closingEndsWhatWaits
      case .hasNoLimits: .limitsAreTold
      case .makesUpOutcomes: .anAppendThatNeverWasHasNoRecords
      case .reordersItsTasks: .recordsAppendedByManyTasksAreThereOnceAndInTheOrderOfEach
      }
    }
  }

  let log: Log
  let lie: Lie

  init(_ log: Log, _ lie: Lie) {
    self.log = log
    self.lie = lie
  }

  var namespace: String { log.namespace }
  var count: Int { log.count }
  var firstSequence: Int { log.firstSequence }

  var limits: LogLimits {
    lie == .hasNoLimits ? LogLimits(maximumRecordBytes: 10, maximumBatchRecords: 10, survives: .process) : log.limits
  }

  func append(_ bytes: some Collection<UInt8>) async throws -> Receipt {
    switch lie {
    case .appendsTwice: try await log.append(bytes)
    case .keepsOneByte: return try await log.append(bytes.prefix(1))
    case .reordersItsTasks:
      let receipt = try await log.append(bytes)
      return Receipt(sequence: -receipt.sequence, index: 0, size: 0)
    default: break
    }
    return try await log.append(bytes)
  }

  func append(_ bytes: some Collection<UInt8>, expecting count: Int) async throws -> Receipt {
    if lie == .ignoresExpectations { return try await log.append(bytes) }
    return try await log.append(bytes, expecting: count)
  }

  func append<Payloads: Sequence>(contentsOf payloads: Payloads, expecting count: Int?) async throws -> Receipts
  where Payloads.Element: Collection<UInt8> {
    if lie == .losesBatchesInTheMiddle, let count {
      for payload in payloads {
        try await log.append(payload)
        try await log.append(payload, expecting: count)
      }
    }
    return try await log.append(contentsOf: payloads, expecting: count)
  }

  func outcome(of append: UnknownAppend) async throws -> AppendOutcome {
    lie == .makesUpOutcomes ? .appended(append.earliest..<append.earliest + append.count) : .notAppended
  }

  func record(at sequence: Int) async throws -> Record {
    if lie == .lagsBehindItself, sequence == log.count - 1 { throw ImmutaError.recordNotFound(sequence) }
    if lie == .findsWhatIsNotThere { return try await log.record(at: 0) }
    return try await log.record(at: sequence)
  }

  func stream(from position: StreamPosition) -> Stream {
    Stream(log.stream(from: lie == .beginsAtZero ? .beginning : position, only: .committed), lie)
  }

  func consumer(_ name: String, startingAt start: StreamPosition, creating: Bool) async throws -> Follower {
    switch lie {
    case .forgetsWhatWasAcknowledged where !creating:
      try log.seekConsumer(name, to: start)
    case .hasNoOwners: return Follower(try log.consumer("any-\(UInt64.random(in: 0 ... .max))", startingAt: start), lie)
    default: break
    }
    return Follower(try log.consumer(name, startingAt: start, creating: creating), lie)
  }

  func shutdown() async throws {
    if lie != .staysOpen { try await log.shutdown() }
  }

  /// As `RecordStream`, but for the lie.
  struct Stream: LogStream {
    var stream: RecordStream
    let lie: Lie

    init(_ stream: RecordStream, _ lie: Lie) {
      self.stream = stream
      self.lie = lie
    }

    func makeAsyncIterator() -> Stream { self }

    mutating func next() async throws -> Record? {
      if lie == .skipsARecord, stream.position == 250 { stream.position = 251 }
      return try await stream.next()
    }

    mutating func next(timeout: Duration) async throws -> Record? {
      // For as long as is asked for, whoever cancels.
      if lie == .cannotBeCancelled, timeout > .seconds(60) {
        try? await Task.detached { try await Task.sleep(for: .seconds(40)) }.value
      }
      return try await stream.next(timeout: timeout)
    }
  }

  /// As `Consumer`, but for the lie.
  final class Follower: LogConsumer {
    let consumer: Consumer
    let lie: Lie

    init(_ consumer: Consumer, _ lie: Lie) {
      self.consumer = consumer
      self.lie = lie
    }

    var name: String { consumer.name }
    var position: Int { consumer.position }
    var lag: Int { consumer.lag }
    func next() async throws -> Record? { try await consumer.next() }
    func next(timeout: Duration) async throws -> Record? { try await consumer.next(timeout: timeout) }
    func acknowledge(_ record: Record) async throws { try await consumer.acknowledge(record) }
    func acknowledge(through sequence: Int) async throws { try await consumer.acknowledge(through: sequence) }
    func seek(to position: StreamPosition) async throws {
      if lie != .staysWhereItIs { try await consumer.seek(to: position) }
    }
    func shutdown() async throws { try await consumer.shutdown() }
  }
}

/// A directory of logs that lie.
struct LyingLogs: LogPlace {
  let directory: AppendOnlyLogTests.Directory
  let lie: LyingLog.Lie

  init(_ lie: LyingLog.Lie) throws {
    directory = try AppendOnlyLogTests.Directory()
    self.lie = lie
  }

  func open(_ namespace: String) async throws -> LyingLog { LyingLog(try await directory.open(namespace), lie) }
}
