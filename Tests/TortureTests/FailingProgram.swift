import Immuta
import ImmutaTestSupport

/// A fixed program on a log whose calls to the operating system fail, and what must hold of it all the same.
///
/// - A call that throws, throws the injected error. An append that returned has its record, whole and in place.
/// - After a failed write or flush every later append throws. Readers go on, and closing returns.
/// - What comes of a flush that failed is never acknowledged.
/// - Where the log rolls, the failure may be another thread's, and it may go on without the segment that could not be made: of
///   the above only holds what is acknowledged. What was removed does not come back once that was answered.
/// - Opened anew, without faults, the log holds every acknowledged record, in order, and nothing else but appends that
///   threw; of no transaction a part.
struct FailingProgram {
  /// One thing that the program does.
  private enum Step {
    case append(Content)
    case chunks(Content, sizes: [Int])
    case commit([Content])
    case rollBack([Content])
    case sync
    case roll
    /// Removes the first of two halves of the records there are.
    case removeHalf
  }

  struct RolledBack: Error {}

  let model: LogModel
  /// Calls that threw.
  private(set) var failures: [any Error] = []
  private let directory: String
  private let configuration: Storage.Configuration
  private let injector: FaultInjector
  private let error: Int32?
  /// Whether a call that throws for lack of room is made again, with room.
  private let retries: Bool
  private let rolls: Bool
  /// Whether the session's writer must throw from now on.
  private var isStopped = false
  private var injectedBefore = 0

  /// - Parameters:
  ///   - directory: not there yet; no fault is in place while what the program finds is put there.
  ///   - error: what failing calls report; nil when no call may fail.
  init(
    _ setting: FailingCallTests.Setting, in directory: String, _ injector: FaultInjector, error: Int32?,
    retries: Bool = false
  ) async throws {
    self.directory = directory
    var configuration = setting.durability.configuration(setting.format)
    rolls = setting.rolls
    if rolls { configuration.segments.maximumBytes = 21_000 }
    self.configuration = configuration
    self.injector = injector
    self.error = error
    self.retries = retries
    let image = try await setting.start.image(setting.format)
    try image.write(to: directory)
    model = LogModel(image.model)
  }

  private static func content(_ identity: UInt64, _ size: Int) -> Content { Content(identity: identity, size: size) }

  /// Runs the program; a fault may be in place.
  ///
  /// - Throws: `Finding`.
  mutating func run() async throws {
    // Small ones are copied into the window, those from 16 KiB on are written, those beyond 1 MiB in pieces.
    try await session([
      .append(Self.content(1, 100)), .append(Self.content(2, 20_000)), .append(Self.content(3, 1 << 20 + 5000)),
      .chunks(Self.content(4, 40_000), sizes: [17_000, 0, 9_000]),
      .commit([Self.content(5, 50), Self.content(6, 20_000), Self.content(7, 0)]),
      .rollBack([Self.content(8, 60), Self.content(9, 17_000)]),
      .sync, .append(Self.content(10, 10)),
    ])
    let more = [Step.append(Self.content(11, 200)), .commit([Self.content(12, 30), Self.content(13, 17_000)])]
    guard rolls else { return try await session(more) }
    try await session(
      more + [
        .roll, .append(Self.content(14, 10)), .removeHalf, .append(Self.content(15, 20_900)), .roll,
        .append(Self.content(16, 0)), .sync, .removeHalf, .append(Self.content(17, 3)),
      ])
  }

  /// Opens the log without faults, and checks all of it, twice: appending goes on.
  func check() async throws {
    var known = model.snapshot
    for round in 0..<2 {
      let storage: Storage
      do {
        storage = try Storage(directory: directory, namespaces: ["events"], configuration: configuration)
      } catch {
        throw Finding("opening without faults throws \(error)")
      }
      defer { storage.close() }
      let log = try storage.log("events")
      let first = log.firstSequence
      known = try await known.check(count: log.count, first: first, isUp: true) { try await log.record(at: $0) }
      let report = try await log.verify()
      if report.records != log.count - first {
        throw Finding("verify checked \(report.records) of the records \(first) to \(log.count - 1)")
      }
      let next = LogModel(known)
      let content = Self.content(2000 + UInt64(round), 500)
      try next.succeeded(next.begins([content]), first: try await log.append(content.bytes).sequence)
      known = next.snapshot
    }
  }

  // MARK: One session

  private mutating func session(_ steps: [Step]) async throws {
    isStopped = false
    injectedBefore = injector.injected
    let storage: Storage
    do {
      storage = try Storage(directory: directory, namespaces: ["events"], configuration: configuration)
    } catch {
      return try expect(error, "opening")
    }
    defer { storage.close() }
    let log = try storage.log("events")
    var hasAppended = false
    for step in steps {
      let failures = failures.count
      try await perform(step, log, &hasAppended)
      if self.failures.count > failures { try await read(log) }
    }
    try await read(log)
  }

  private mutating func perform(_ step: Step, _ log: Log, _ hasAppended: inout Bool) async throws {
    let (count, injected) = (log.count, injector.injectedInto.count)
    let isAppend =
      switch step {
      case .sync, .roll, .removeHalf: false
      default: true
      }
    do {
      try await run(step, log)
      if error != nil, !rolls, injector.injectedInto.dropFirst(injected).contains(.flush) {
        throw Finding("\(step) returned, though its flush failed")
      }
      if isStopped, isAppend { throw Finding("\(step) returned after a failed write or flush") }
      hasAppended = hasAppended || isAppend
    } catch let thrown {
      try expect(thrown, "\(step)")
      let kinds = injector.injectedInto.dropFirst(injected)
      // Before the first append nothing is written that would not be written anew.
      if !rolls, kinds.contains(.flush) || kinds.contains(.write) && hasAppended { isStopped = true }
      guard retries else { return }
      if log.count != count { throw Finding("\(step) found no room, and count went from \(count) to \(log.count)") }
      try await read(log)
      injector.end()
      do {
        try await run(step, log)
      } catch {
        throw Finding("\(step) throws \(error), though there is room again")
      }
      hasAppended = true
    }
  }

  private func run(_ step: Step, _ log: Log) async throws {
    switch step {
    case .append(let content):
      let batch = model.begins([content])
      // Without room nothing is done; otherwise nobody knows.
      if retries { model.takenBack(batch) }
      let receipt = try await log.append(content.bytes)
      try acknowledge([content], batch, receipt.sequence)
    case .chunks(let content, let sizes):
      let batch = model.begins([content])
      if retries { model.takenBack(batch) }
      let source = AsyncStream<ArraySlice<UInt8>> { continuation in
        for piece in content.pieces(sizes) { continuation.yield(piece) }
        continuation.finish()
      }
      try acknowledge([content], batch, try await log.append(source).sequence)
    case .commit(let contents):
      let batch = model.begins(contents)
      let first = log.count
      try await log.transaction { transaction in
        do {
          for content in contents { try await transaction.append(content.bytes) }
        } catch {
          model.takenBack(batch)
          throw error
        }
        if retries { model.takenBack(batch) }
      }
      try acknowledge(contents, batch, first)
    case .rollBack(let contents):
      do {
        try await log.transaction { transaction in
          for content in contents { try await transaction.append(content.bytes) }
          throw RolledBack()
        }
      } catch is RolledBack {}
    case .sync: try await log.sync()
    case .roll: try await log.roll()
    case .removeHalf:
      let number = (log.firstSequence + log.count) / 2
      model.removes(before: number)
      try model.begins(with: try await log.removeRecords(before: number))
    }
  }

  /// What the model was told had been taken back, it is told anew.
  private func acknowledge(_ contents: [Content], _ batch: LogModel.Batch, _ first: Int) throws {
    if retries { return try model.succeeded(model.begins(contents), first: first) }
    try model.succeeded(batch, first: first)
  }

  /// Only what was injected may be thrown, and only where it was.
  private mutating func expect(_ thrown: any Error, _ what: String) throws {
    if thrown is Finding { throw thrown }
    guard isInjected(thrown), injector.injected > injectedBefore else {
      throw Finding("\(what) throws \(thrown)")
    }
    failures.append(thrown)
  }

  /// Readers go on, unless it is their own calls that fail.
  private func read(_ log: Log) async throws {
    let injected = injector.injected
    let known = model.snapshot
    let first = log.firstSequence
    var stream = log.stream()
    do {
      _ = try await known.check(count: log.count, first: first, isUp: true) { number in
        guard let record = try stream.nextAtOnce() else { throw Finding("record \(number) does not come") }
        return record
      }
      _ = try await known.check(count: log.count, first: first, isUp: true) { try await log.record(at: $0) }
    } catch let thrown as ImmutaError {
      guard injector.injected > injected, isInjected(thrown) else { throw Finding("reading throws \(thrown)") }
    }
  }

  private func isInjected(_ thrown: any Error) -> Bool {
    if case ImmutaError.io(let number, _, _) = thrown { number == error } else { false }
  }
}
