import Immuta
import ImmutaLocking
import ImmutaTestSupport

/// Where a consumer's position may be on file: what a real one is compared with.
///
/// Whoever moves it says so before and after. May be asked from any thread, at any moment.
final class ConsumerModel: Sendable {
  struct Snapshot: Sendable {
    /// It was made, and stays.
    var isMade = false
    var mayExist = false
    /// The places it was moved to since one of them, the first, was on stable storage. The last may be on its way.
    var places: [ClosedRange<Int>] = []

    /// For files that were looked at between two moments.
    static func between(_ first: Snapshot, _ second: Snapshot) -> Snapshot {
      Snapshot(
        isMade: first.isMade && second.isMade, mayExist: first.mayExist || second.mayExist,
        places: first.places + second.places)
    }

    /// Checks where a consumer is.
    ///
    /// - Parameters:
    ///   - position: nil where it is gone.
    ///   - isExact: whether each move that returned must be there: the machine stayed up, or the log is synced.
    func check(_ position: Int?, isExact: Bool) throws {
      guard let position else {
        if isMade { throw Finding("the consumer is gone") }
        return
      }
      guard mayExist, let most = places.map(\.upperBound).max() else { throw Finding("a consumer is there") }
      if position > most { throw Finding("the consumer is at \(position), and was nowhere after \(most)") }
      if isExact, !places.contains(where: { $0.contains(position) }) {
        throw Finding("the consumer is at \(position), and was moved to \(places)")
      }
    }
  }

  private let state: Lock<Snapshot>

  init(_ snapshot: Snapshot = Snapshot()) { state = Lock(snapshot) }

  var snapshot: Snapshot { state.withLock { $0 } }

  /// It is about to be made, or to be moved.
  func begins(_ places: ClosedRange<Int>) {
    state.withLock { state in
      state.mayExist = true
      state.places.append(places)
    }
  }

  /// It was.
  ///
  /// - Parameter isStable: whether the place is on stable storage.
  func ends(at place: Int, isStable: Bool) {
    state.withLock { state in
      state.isMade = true
      if isStable { state.places = [] } else { state.places.removeLast() }
      state.places.append(place...place)
    }
  }

  /// All that was done to it is on stable storage.
  func settles() { state.withLock { $0.places = $0.places.suffix(1) } }
}

/// A consumer that random things are done with, each of which is checked.
struct ConsumerProgram {
  static let name = "billing"

  let model: ConsumerModel
  private let records: LogModel
  private let isSynced: Bool
  /// Whether the log removes nothing that the consumer has not read.
  private let isWaitedFor: Bool
  private var consumer: Consumer?
  private var next = 0
  private(set) var trace: [String] = []

  init(_ model: ConsumerModel, _ records: LogModel, isSynced: Bool, isWaitedFor: Bool) {
    (self.model, self.records, self.isSynced, self.isWaitedFor) = (model, records, isSynced, isWaitedFor)
  }

  /// The log was closed, or is about to be.
  mutating func forget() {
    consumer?.close()
    consumer = nil
  }

  /// Opens it; the machine has stayed up.
  mutating func open(_ log: Log, _ generator: inout SeededGenerator) throws {
    note("open")
    let known = model.snapshot
    if !known.isMade { model.begins(0...max(log.count, records.count)) }
    let start: StreamPosition = generator.oneIn(3) ? .latest : .beginning
    let consumer = try log.consumer(Self.name, startingAt: start)
    self.consumer = consumer
    next = consumer.position
    if known.isMade {
      guard let last = known.places.last, last.contains(next) else {
        throw Finding("the consumer was at \(known.places.last ?? 0...0), and is at \(next)")
      }
    } else {
      model.ends(at: next, isStable: isSynced)
    }
  }

  mutating func step(_ log: Log, _ generator: inout SeededGenerator) async throws {
    if consumer == nil { try open(log, &generator) }
    do {
      switch Int.random(in: 0..<16, using: &generator) {
      case 0..<8: try await take(&generator)
      case 8..<10: try await takeBatch()
      case 10: try await acknowledge(log, &generator)
      // What retention lets go meanwhile cannot be gone back to.
      case 11 where !isWaitedFor:
        let place = Int.random(in: log.firstSequence...max(log.firstSequence, log.count), using: &generator)
        let places: [StreamPosition] = [.beginning, .latest, .sequence(place), .sequence(place)]
        try await seek(log, places.randomElement(using: &generator) ?? .beginning)
      case 12:
        forget()
        try open(log, &generator)
      case 13 where !isWaitedFor:
        forget()
        let place = Int.random(in: log.firstSequence...max(log.firstSequence, log.count), using: &generator)
        try moveClosed(log, to: generator.oneIn(2) ? .beginning : .sequence(place))
        try open(log, &generator)
      default: try check(log)
      }
    } catch let error as ImmutaError {
      guard case .recordRemoved(let number, let first, _) = error, first > number, !isWaitedFor else { throw error }
      // Who follows the log may be told later than others.
      if first > records.snapshot.removed { try records.begins(with: first) }
      if consumer == nil { try open(log, &generator) }
      try await seek(log, .beginning)
    }
  }

  private mutating func note(_ text: String) {
    trace.append("consumer: \(text)")
    if trace.count > 30 { trace.removeFirst() }
  }

  /// Takes some, and acknowledges the last, or another, or none.
  private mutating func take(_ generator: inout SeededGenerator) async throws {
    guard let consumer else { return }
    var taken: [Record] = []
    for _ in 0..<Int.random(in: 1...8, using: &generator) {
      guard let record = try consumer.nextAtOnce() else { break }
      try check(record)
      taken.append(record)
    }
    note("took \(taken.count), next is \(next)")
    guard let last = generator.oneIn(3) ? taken.randomElement(using: &generator) : taken.last, !generator.oneIn(5)
    else { return }
    try await moves(max(consumer.position, last.sequence + 1), "acknowledge \(last.sequence)") {
      try await consumer.acknowledge(last)
    }
  }

  private mutating func takeBatch() async throws {
    guard let consumer, let batch = try consumer.nextBatchAtOnce() else { return }
    for record in batch { try check(record) }
    note("took a batch, next is \(next)")
    try await moves(max(consumer.position, next), "acknowledge to \(next)") { try await consumer.acknowledge(batch) }
  }

  /// Also what was not delivered.
  private mutating func acknowledge(_ log: Log, _ generator: inout SeededGenerator) async throws {
    guard let consumer, log.count > 0 else { return }
    let number = Int.random(in: 0..<log.count, using: &generator)
    try await moves(max(consumer.position, number + 1), "acknowledge through \(number)") {
      try await consumer.acknowledge(through: number)
    }
    next = max(next, number + 1)
  }

  private mutating func seek(_ log: Log, _ position: StreamPosition) async throws {
    guard let consumer else { return }
    try await moves(nil, "seek \(position)") { try await consumer.seek(to: position) }
    next = consumer.position
  }

  /// Nobody has it open.
  private mutating func moveClosed(_ log: Log, to position: StreamPosition) throws {
    note("move to \(position) while it is closed")
    model.begins(0...max(records.count, log.count))
    try log.seekConsumer(Self.name, to: position)
    guard let found = try log.consumers.first(where: { $0.name == Self.name })?.position else {
      throw Finding("the consumer that was moved is not among the log's")
    }
    model.ends(at: found, isStable: isSynced)
  }

  /// - Parameter place: nil for any that exists.
  private mutating func moves(_ place: Int?, _ text: String, _ body: () async throws -> Void) async throws {
    note(text)
    guard let consumer else { return }
    model.begins(place.map { $0...$0 } ?? 0...max(records.count, consumer.log.count))
    try await body()
    if let place, consumer.position != place {
      throw Finding("\(text): the consumer is at \(consumer.position), not at \(place)")
    }
    model.ends(at: consumer.position, isStable: isSynced)
  }

  private mutating func check(_ record: Record) throws {
    guard record.sequence == next else { throw Finding("record \(record.sequence) was delivered, not \(next)") }
    guard let content = records.content(of: next), content.matches(record.payload) else {
      throw Finding("record \(next) is not what was appended")
    }
    next += 1
  }

  /// What others are told of it.
  private func check(_ log: Log) throws {
    guard let consumer, let details = try log.consumers.first(where: { $0.name == Self.name }) else {
      throw Finding("the consumer is not among the log's")
    }
    guard details.position == consumer.position, details.fault == nil, details.owner != nil else {
      throw Finding("the consumer is at \(consumer.position), and the list says \(details)")
    }
  }
}
