public import Immuta

/// Runs operations on a namespace, and compares what it does with a model.
///
/// Every answer is checked: receipts, records read, counts. What fails, errors that the log throws included, is a
/// `Finding` that ends with the last operations.
public struct ProgramRunner {
  /// What the log must hold.
  public let model: LogModel
  private let directory: String
  private let configuration: Storage.Configuration
  private var storage: Storage
  private var log: Log
  private var streams: [RecordStream] = []
  private var trace: [String] = []
  /// Streams that were made for the beginning, and have delivered nothing yet.
  private var atBeginning: Set<Int> = []

  /// The namespace of all programs.
  public static var namespace: String { "events" }

  /// What a source of chunks, or a transaction's closure, throws.
  struct Interruption: Error {}

  /// Opens the namespace, whose present records the model must allow.
  public init(directory: String, configuration: Storage.Configuration, model: LogModel) throws {
    self.model = model
    self.directory = directory
    self.configuration = configuration
    // It may remove what it finds at once.
    if !configuration.retention.keepsEverything { model.removes(before: .max) }
    storage = try Storage(directory: directory, namespaces: [Self.namespace], configuration: configuration)
    log = try storage.log(Self.namespace)
    makeStreams()
  }

  /// The operations so far, the last ones at least, a line each.
  public var history: String { trace.joined(separator: "\n") }

  private mutating func makeStreams() {
    atBeginning = [0]
    streams = (0..<RandomProgram.streams).map { number in
      log.stream(from: number == 0 ? .beginning : .skipping(min(number, log.count)))
    }
  }

  private var isSynced: Bool { configuration.durability == .synced }

  /// Does one thing.
  public mutating func run(_ operation: Operation) async throws {
    trace.append("\(operation)")
    if trace.count > 40 { trace.removeFirst() }
    do {
      try await perform(operation)
    } catch {
      throw Finding("\(error)\nin the last of these operations, durability \(configuration.durability):\n\(history)")
    }
  }

  /// Lets a test do things that the model does not know about.
  public func withLog(_ body: (Log) async throws -> Void) async throws {
    try await body(log)
  }

  /// Reads every record and compares; the machine has stayed up.
  public func checkAll() async throws {
    while true {
      let first = log.firstSequence
      do {
        var stream = log.stream(from: .skipping(first))
        _ = try await model.snapshot.check(count: log.count, first: first, isUp: true) { _ in
          guard let record = try stream.nextAtOnce() else { throw Finding("record \(stream.position) does not come") }
          return record
        }
        if try stream.nextAtOnce() != nil { throw Finding("a record came that was not counted") }
        return
      } catch let error as ImmutaError {
        // What its configuration does not keep may go meanwhile.
        guard case .recordRemoved(_, let next, _) = error, next > first else { throw error }
        try model.begins(with: next)
      }
    }
  }

  /// Closes the storage: everything committed is stable then.
  public func close() {
    let count = model.count
    storage.close()
    model.promise(count)
  }

  private mutating func perform(_ operation: Operation) async throws {
    switch operation {
    case .append(let content):
      try await appendOne(content) { log in try await log.append(content.bytes) }
    case .appendBlocking(let content):
      try await appendOne(content) { log in try Self.blockingAppend(content.bytes, to: log) }
    case .appendChunks(let content, let sizes, let failsAt):
      try await appendChunks(content, content.pieces(sizes), failsAt: failsAt)
    case .appendTogether(let contents):
      try await appendTogether(contents)
    case .transaction(let contents, let ending):
      try await transaction(contents, ending)
    case .sync:
      let count = model.count
      try await log.sync()
      model.promise(count)
      if try log.details.stableCount < count { throw Finding("sync returned before \(count) records were stable") }
    case .rest:
      let count = model.count
      if log.letGoOfFiles() { model.promise(count) }
    case .read(let stream, let count):
      for _ in 0..<count where streams[stream].position < model.count {
        let (place, first) = (streams[stream].position, log.firstSequence)
        guard
          let record = try await Self.unlessRemoved(
            log, model, { try await Self.next(&streams[stream], log, atBeginning.contains(stream)) })
        else {
          // Nothing is left.
          if atBeginning.contains(stream), log.firstSequence == model.count { break }
          // It goes on from there.
          atBeginning.remove(stream)
          streams[stream].position = model.snapshot.removed
          if streams[stream].position <= place { throw Finding("stream \(stream) ended at record \(place)") }
          continue
        }
        // A stream from the beginning begins with the first record that is left.
        let isFirst = atBeginning.remove(stream) != nil && (first...log.firstSequence).contains(record.sequence)
        try check(record, isFirst ? record.sequence : place)
      }
    case .move(let stream, let place):
      atBeginning.remove(stream)
      streams[stream].position = number(place)
    case .recordAt(let place):
      guard log.count > log.firstSequence else { return }
      let number = min(number(place), log.count - 1)
      if let record = try await Self.unlessRemoved(log, model, { try await log.record(at: number) }) {
        try check(record, number)
      }
    case .range(let from, let to):
      let range = min(number(from), number(to))..<max(number(from), number(to))
      guard let records = try await Self.unlessRemoved(log, model, { try log.records(in: range) }) else { return }
      for (number, record) in zip(range, records) { try check(record, number) }
    case .roll(let isBlocking):
      if isBlocking { try Self.blockingRoll(log) } else { try await log.roll() }
    case .remove(let place):
      let number = Int(place * Double(log.count))
      model.removes(before: number)
      let first = try await log.removeRecords(before: number)
      try model.begins(with: first)
    case .verify:
      let first = log.firstSequence
      let report = try await log.verify()
      let records = (model.count - log.firstSequence)...(model.count - first)
      if !records.contains(report.records) { throw Finding("verify checked \(report.records) of \(records) records") }
    case .reopen:
      close()
      storage = try Storage(directory: directory, namespaces: [Self.namespace], configuration: configuration)
      log = try storage.log(Self.namespace)
      makeStreams()
      if log.count != model.count { throw Finding("\(log.count) records after reopening, of \(model.count)") }
    }
    if log.count != model.count { throw Finding("count is \(log.count), must be \(model.count)") }
    try model.begins(with: log.firstSequence)
  }

  /// A place among the existing records, or some that existed shortly before.
  private func number(_ place: Double) -> Int {
    let first = max(0, log.firstSequence - 2)
    return first + Int(place * Double(log.count - first))
  }

  /// Nil where a record was removed that `body` asks for.
  private static func unlessRemoved<R>(
    _ log: Log, _ model: LogModel, _ body: () async throws -> R?
  ) async throws -> R? {
    let before = log.firstSequence
    do {
      return try await body()
    } catch let error as ImmutaError {
      guard case .recordRemoved(let number, let first, _) = error else { throw error }
      guard number < first, first >= before, first <= log.firstSequence else {
        throw Finding("\(error), and the log begins with record \(log.firstSequence)")
      }
      try model.begins(with: first)
      return nil
    }
  }

  /// The next record; nil where a stream from the beginning finds nothing, since all was removed.
  private static func next(
    _ stream: inout RecordStream, _ log: Log, _ isAtBeginning: Bool
  ) async throws -> Record? {
    for _ in 0..<60 {
      if isAtBeginning, log.firstSequence == log.count { return nil }
      if let record = try await stream.next(timeout: .seconds(1)) { return record }
    }
    throw Finding("record \(stream.position) does not come")
  }

  private static func blockingRoll(_ log: Log) throws {
    try log.roll()
  }

  private func check(_ record: Record, _ number: Int) throws {
    guard record.sequence == number else { throw Finding("record \(record.sequence) came as number \(number)") }
    guard let content = model.content(of: number), content.matches(record.payload) else {
      throw Finding("record \(number) is not what was appended")
    }
  }

  private static func blockingAppend(_ bytes: [UInt8], to log: Log) throws -> Receipt {
    try log.append(bytes)
  }

  private func appendOne(_ content: Content, _ append: (Log) async throws -> Receipt) async throws {
    let batch = model.begins([content])
    try finish(batch, [content], try await append(log))
  }

  private func finish(_ batch: LogModel.Batch, _ contents: [Content], _ receipt: Receipt) throws {
    if receipt.size != contents[0].size { throw Finding("the receipt says \(receipt.size) bytes for \(contents[0])") }
    try model.succeeded(batch, first: receipt.sequence)
    if isSynced { model.promise(receipt.sequence + contents.count) }
  }

  private func appendChunks(_ content: Content, _ pieces: [ArraySlice<UInt8>], failsAt: Int?) async throws {
    let source = AsyncStream<Int> { continuation in
      for number in 0...pieces.count { continuation.yield(number) }
      continuation.finish()
    }.compactMap { (number: Int) async throws -> ArraySlice<UInt8>? in
      if number == failsAt { throw Interruption() }
      return number < pieces.count ? pieces[number] : nil
    }
    let batch = model.begins([content])
    do {
      try finish(batch, [content], try await log.append(source))
      if let failsAt, failsAt <= pieces.count { throw Finding("a source threw, and its append did not") }
    } catch is Interruption {
      model.takenBack(batch)
    }
  }

  private func appendTogether(_ contents: [Content]) async throws {
    let (log, model, isSynced) = (log, model, isSynced)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for content in contents {
        group.addTask {
          let batch = model.begins([content])
          let receipt = try await log.append(content.bytes)
          try model.succeeded(batch, first: receipt.sequence)
          if isSynced { model.promise(receipt.sequence + 1) }
        }
      }
      try await group.waitForAll()
    }
  }

  private func transaction(_ contents: [Content], _ ending: Operation.Ending) async throws {
    let before = log.count
    let batch = model.begins(contents)
    switch ending {
    case .commits:
      try await log.transaction { transaction in
        for (position, content) in contents.enumerated() {
          let receipt = try await transaction.append(content.bytes)
          if receipt.sequence != before + position { throw Finding("a transaction's receipt is \(receipt)") }
        }
        if log.count != before { throw Finding("a transaction can be seen before it commits") }
      }
      try model.succeeded(batch, first: before)
      if isSynced { model.promise(before + contents.count) }
    case .throwing:
      do {
        try await log.transaction { transaction in
          for content in contents { try await transaction.append(content.bytes) }
          throw Interruption()
        }
      } catch is Interruption {
        model.takenBack(batch)
      }
    case .rollsBack, .drops:
      let transaction = try await log.beginTransaction()
      for content in contents { try await transaction.append(content.bytes) }
      if ending == .rollsBack { transaction.rollBack() } else { _ = consume transaction }
      model.takenBack(batch)
    }
  }
}
