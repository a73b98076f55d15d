import Foundation
import Immuta
import ImmutaLocking
import ImmutaTestSupport
import Testing

/// Consumers whose machine loses power, whose process dies, and whose log is put back from an older copy: they skip nothing.
@Suite struct ConsumerLossTests {
  @Test(arguments: TestedDurability.allCases)
  func aConsumerSkipsNothingAfterAPowerCut(_ durability: TestedDurability) async throws {
    try await Rounds.run(default: 20, "power loss of a consumer, \(durability)") { seed in
      try await Self.round(seed, durability)
    }
  }

  /// A device that forgets what it was told to keep is an engine that forgets to flush.
  @Test func aPositionThatIsNotFlushedIsFound() async throws {
    try await mustBeFound(within: 60, "a flush of the position that does nothing") { seed in
      try await Self.round(seed, .synced) { !$0.contains(".position") }
    }
  }

  /// What is stable of the log is not, then, and the position says so all the same.
  @Test func aPositionBeyondWhatTheLogKeptIsFound() async throws {
    try await mustBeFound(within: 60, "a position beyond what is stable of its log") { seed in
      try await Self.round(seed, .buffered) { !$0.hasSuffix(".log") && !$0.hasSuffix(".idx") }
    }
  }

  @Test(arguments: TestedDurability.allCases)
  func aLogThatWasPutBackIsNoticed(_ durability: TestedDurability) async throws {
    try await Rounds.run(default: 15, "consumer of a log that was put back, \(durability)") { seed in
      try await Self.putBack(seed, durability)
    }
  }

  /// It has as many records, of the same sizes.
  @Test func aPositionInAnotherLogIsNoticed() async throws {
    try await Rounds.run(default: 3, most: 50, "consumer of another log") { seed in
      let root = TemporaryDirectory(inMemory: true)
      let directory = try root.subdirectory("log")
      for number in 0..<2 {
        let storage = try Storage(directory: directory, namespaces: ["events"])
        defer { storage.close() }
        let log = try storage.log("events")
        for record in 0..<10 { try await log.append("\(number) \(record)") }
        if number == 0 {
          try await log.sync()
          try await log.consumer(ConsumerProgram.name).acknowledge(through: Int(seed % 10))
          storage.close()
          if seed % 2 == 0 { try Reboot.mark(directory: directory) }
          for name in ["events.log", "events.idx"] {
            try FileManager.default.removeItem(atPath: "\(directory)/\(name)")
          }
        } else {
          #expect {
            try log.consumer(ConsumerProgram.name, creating: false)
          } throws: { error in
            guard case .foreignPosition? = error as? ImmutaError else { return false }
            return true
          }
        }
      }
    }
  }

  /// How one round is set up.
  private struct Setup: CustomStringConvertible {
    var configuration: Storage.Configuration
    var rolls: Bool
    /// Whether the consumer reads through a storage of its own, which cannot write the log.
    var isFollower: Bool
    var isWaitedFor: Bool

    init(_ seed: UInt64, _ durability: TestedDurability, _ generator: inout SeededGenerator) {
      configuration = durability.configuration.rolling(seed)
      rolls = Storage.Configuration.rolls(seed)
      isFollower = generator.oneIn(3)
      isWaitedFor = !configuration.retention.keepsEverything && generator.oneIn(2)
      if isWaitedFor { configuration.retention.waitingFor = [ConsumerProgram.name] }
    }

    var description: String {
      "\(configuration.durability)\(isFollower ? ", following" : "")\(isWaitedFor ? ", waited for" : ""), "
        + "\(configuration.segments), \(configuration.retention)"
    }

    var readOnly: Storage.Configuration {
      var configuration = configuration.keepingEverything
      configuration.access = .readOnly
      return configuration
    }

    /// Retention waits, and whoever removes records by hand does not.
    func allows(_ operation: ImmutaTestSupport.Operation) -> Bool {
      if case .remove = operation { return !isWaitedFor }
      return true
    }
  }

  private struct Image: Sendable {
    var path: String
    var moment: Int
    var records: LogModel.Snapshot
    var consumer: ConsumerModel.Snapshot
    /// What was done, also after it was made.
    var history = ""
  }

  /// Programs in a row, each on what a power cut left of the one before.
  private static func round(
    _ seed: UInt64, _ durability: TestedDurability, obeysFlush: @escaping @Sendable (String) -> Bool = { _ in true }
  ) async throws {
    var generator = SeededGenerator(seed: seed)
    let root = TemporaryDirectory(inMemory: true)
    var directory = try root.subdirectory("start")
    var records = LogModel().snapshot
    var consumer = ConsumerModel.Snapshot()
    let setup = Setup(seed, durability, &generator)
    for life in 0..<3 {
      let images = try await images(
        of: directory, in: root.file("images-\(life)"), LogModel(records), ConsumerModel(consumer), setup, &generator,
        obeysFlush)
      for image in images {
        do {
          let copy = root.file("copy")
          try FileBytes.copy(directory: image.path, to: copy)
          (records, consumer) = try await check(copy, image, setup, &generator)
          directory = image.path
        } catch {
          throw Finding(
            "\(error)\nafter a power cut in life \(life), moment \(image.moment), of \(setup)\n\(image.history)")
        }
      }
    }
  }

  /// Runs a program, and takes images at random moments of it, the last one when it is done.
  private static func images(
    of directory: String, in target: String, _ records: LogModel, _ consumer: ConsumerModel, _ setup: Setup,
    _ generator: inout SeededGenerator, _ obeysFlush: @escaping @Sendable (String) -> Bool
  ) async throws -> [Image] {
    let longest = [20, 100, 500].randomElement(using: &generator) ?? 100
    let moments = Set((0..<3).map { _ in Int.random(in: 0..<longest, using: &generator) })
    let images = Lock<[Image]>([])
    let source = Lock(generator.split())
    let failure = Lock<(any Error)?>(nil)
    @Sendable func take(_ power: PowerLoss, _ moment: Int) {
      let path = "\(target)-\(moment)"
      let before = (records.snapshot, consumer.snapshot)
      do {
        var generator = source.withLock { $0.split() }
        try power.image(into: path, using: &generator)
      } catch {
        failure.withLock { $0 = error }
      }
      let image = Image(
        path: path, moment: moment, records: .between(before.0, records.snapshot),
        consumer: .between(before.1, consumer.snapshot))
      images.withLock { $0.append(image) }
    }
    let power = PowerLoss(
      directory: directory, seed: generator.next(), overwritesInPlace: generator.oneIn(2), obeysFlush: obeysFlush
    ) { power, moment in
      if moments.contains(moment) { take(power, moment) }
    }
    let length = Int.random(in: 0...60, using: &generator)
    let closes = generator.oneIn(2)
    let history = try await power.run {
      let history = try await run(length, directory, records, consumer, setup, closes: closes, &generator)
      take(power, 1_000_000)
      return history
    }
    if let error = failure.withLock({ $0 }) { throw error }
    return images.withLock { images in
      images.map { image in
        var image = image
        image.history = history
        return image
      }
    }
  }

  /// Runs a program of so many steps; returns what it did.
  @discardableResult
  private static func run(
    _ length: Int, _ directory: String, _ records: LogModel, _ model: ConsumerModel, _ setup: Setup, closes: Bool,
    _ generator: inout SeededGenerator
  ) async throws -> String {
    var runner = try ProgramRunner(directory: directory, configuration: setup.configuration, model: records)
    defer { runner.close() }
    // What a log showed after it was recovered is stable.
    records.promise(records.count)
    let other =
      setup.isFollower
      ? try Storage(directory: directory, namespaces: ["events"], configuration: setup.readOnly) : nil
    defer { other?.close() }
    var program = RandomProgram(seed: generator.next(), largest: 3000, rolls: setup.rolls)
    var billing = ConsumerProgram(
      model, records, isSynced: setup.configuration.durability == .synced, isWaitedFor: setup.isWaitedFor)
    var history: String { "\(billing.trace.joined(separator: "\n"))\nof\n\(runner.history)" }
    do {
      for _ in 0..<length {
        if generator.oneIn(2) {
          guard let operation = program.next(), setup.allows(operation) else { continue }
          if case .reopen = operation, other == nil {
            try await runner.run(operation)
            // It was closed with its log, after that.
            model.settles()
            billing.forget()
          } else {
            try await runner.run(operation)
          }
        } else if let other {
          try await billing.step(try other.log("events"), &generator)
        } else {
          try await runner.withLog { log in try await billing.step(log, &generator) }
        }
      }
    } catch {
      throw Finding("\(error)\nafter \(history)")
    }
    if closes {
      runner.close()
      if other == nil { model.settles() }
    }
    return history
  }

  /// Opens what a power cut left, and compares.
  private static func check(
    _ path: String, _ image: Image, _ setup: Setup, _ generator: inout SeededGenerator
  ) async throws -> (LogModel.Snapshot, ConsumerModel.Snapshot) {
    let storage = try Storage(
      directory: path, namespaces: ["events"], configuration: setup.configuration.keepingEverything)
    defer { storage.close() }
    let log = try storage.log("events")
    let known = try await image.records.check(count: log.count, first: log.firstSequence) { number in
      try await log.record(at: number)
    }
    let records = LogModel(known)
    // Others may append before it is opened.
    if generator.oneIn(2) {
      for number in 0..<Int.random(in: 1...30, using: &generator) {
        try await log.append([UInt8](repeating: UInt8(number), count: Int.random(in: 0...200, using: &generator)))
      }
    }
    let consumer: Consumer
    do {
      consumer = try log.consumer(ConsumerProgram.name, creating: false)
    } catch ImmutaError.consumerNotFound {
      try image.consumer.check(nil, isExact: false)
      return (known, ConsumerModel.Snapshot())
    }
    let position = consumer.position
    try image.consumer.check(position, isExact: setup.configuration.durability == .synced)
    if position > known.count {
      throw Finding("the consumer is at \(position), and the log kept \(known.count) records")
    }
    if setup.isWaitedFor, position < log.firstSequence {
      throw Finding("the log begins with record \(log.firstSequence), and the consumer was at \(position)")
    }
    let first = max(position, log.firstSequence)
    if first > position { try await consumer.seek(to: .sequence(first)) }
    for number in first..<max(first, known.count) {
      guard let record = try await consumer.next(timeout: .seconds(20)), record.sequence == number,
        records.content(of: number)?.matches(record.payload) == true
      else { throw Finding("the consumer does not deliver record \(number)") }
    }
    return (known, ConsumerModel.Snapshot(isMade: true, mayExist: true, places: [position...position]))
  }

  /// The machine stays up, and the log's files are put back from an older copy: the position is not.
  private static func putBack(_ seed: UInt64, _ durability: TestedDurability) async throws {
    var generator = SeededGenerator(seed: seed)
    let root = TemporaryDirectory(inMemory: true)
    let directory = try root.subdirectory("log")
    let (records, model) = (LogModel(), ConsumerModel())
    var setup = Setup(seed, durability, &generator)
    setup.configuration = setup.configuration.keepingEverything
    func run(_ longest: Int) async throws -> String {
      let length = Int.random(in: 1...longest, using: &generator)
      return try await self.run(length, directory, records, model, setup, closes: true, &generator)
    }
    _ = try await run(30)
    let (older, known) = (root.file("older"), records.snapshot)
    try FileBytes.copy(directory: directory, to: older)
    let history = try await run(40)
    let consumers = "events.consumers"
    try? FileManager.default.removeItem(atPath: "\(older)/\(consumers)")
    guard FileBytes.isFolder("\(directory)/\(consumers)") else { return }
    try FileBytes.copy(directory: "\(directory)/\(consumers)", to: "\(older)/\(consumers)")
    // Where all before it was removed, there is no record that tells.
    guard let file = try FileBytes.read("\(older)/\(consumers)/\(ConsumerProgram.name).position"),
      let mark = file.withUnsafeBytes({ ConsumerMark.slots(in: $0).current })?.mark, mark.last.index > 0
    else { return }
    let storage = try Storage(directory: older, namespaces: ["events"], configuration: setup.configuration)
    defer { storage.close() }
    let log = try storage.log("events")
    for number in 0..<Int.random(in: 0...60, using: &generator) {
      try await log.append([UInt8](repeating: UInt8(number), count: Int.random(in: 0...200, using: &generator)))
    }
    do {
      let position = try log.consumer(ConsumerProgram.name, creating: false).position
      if position > known.count {
        throw Finding(
          "the consumer is at \(position), and the log was put back with \(known.count) records, of \(setup)\n\(history)"
        )
      }
    } catch let error as ImmutaError {
      switch error {
      case .positionBeyondEnd, .positionOutdated, .consumerNotFound: break
      default: throw error
      }
    }
  }
}
