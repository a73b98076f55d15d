import Foundation
import Immuta
import ImmutaTestSupport
import Synchronization
import Testing

/// Random programs whose machine loses power.
@Suite struct PowerLossTests {
  @Test(arguments: TestedDurability.allCases, LogFormat.allCases)
  func whatWasPromisedSurvivesAPowerCut(_ durability: TestedDurability, _ format: LogFormat) async throws {
    try await Rounds.run(default: format == .v2 ? 20 : 10, "power loss, \(durability), \(format)") { seed in
      try await Self.round(seed, durability, format)
    }
  }

  /// Everything is then written through the kernel, and nothing mapped.
  @Test(arguments: TestedDurability.allCases, LogFormat.allCases)
  func whatWasPromisedWithoutReservingSurvivesAPowerCut(
    _ durability: TestedDurability, _ format: LogFormat
  ) async throws {
    try await Rounds.run(default: 8, "power loss where nothing can be reserved, \(durability), \(format)") { seed in
      let root = TemporaryDirectory(inMemory: true)
      try await FaultInjector.withoutReserving(in: root) { try await Self.round(seed, durability, format, in: root) }
    }
  }

  /// A device that forgets what it was told to keep is an engine that forgets to flush.
  @Test(arguments: ["log", "companion", "directory"], [LogFormat.v2, .bilog])
  func aMissingFlushIsFound(_ what: String, _ format: LogFormat) async throws {
    let suffixes =
      format == .bilog ? ["log": ".bilog", "companion": ".companion"] : ["log": ".log", "companion": ".idx"]
    try await mustBeFound(within: 200, "a flush of the \(what) that does nothing") { seed in
      try await Self.round(seed, .synced, format) { path in
        suffixes[what].map { !path.hasSuffix($0) } ?? suffixes.values.contains(where: path.hasSuffix)
      }
    }
  }

  // The places where random programs found losses, one by one.

  @Test func aLogThatWasCreatedEarlierIsStillThere() async throws {
    try await images { storage, power in
      storage.close()
      let again = try Storage(
        directory: power.directory, namespaces: ["events"], configuration: .init(durability: .synced))
      defer { again.close() }
      let content = Content(identity: 1, size: 100)
      let batch = power.model.begins([content])
      try power.model.succeeded(batch, first: try await again.append(content.bytes, to: "events").sequence)
      power.model.promise(1)
      power.take()
    }
  }

  @Test func aLogWhoseGrowthWasLostOpens() async throws {
    try await images { storage, power in
      defer { storage.close() }
      for number in 0..<40 {
        let content = Content(identity: UInt64(number), size: 9000)
        let batch = power.model.begins([content])
        try power.model.succeeded(batch, first: try await storage.append(content.bytes, to: "events").sequence)
        if number == 3 {
          try await storage.sync()
          power.model.promise(4)
        }
      }
      power.take()
    }
  }

  /// What the file system notes of a companion's new blocks is not stable by the log's flush alone.
  @Test func aCompanionThatGrewIsFlushedItself() async throws {
    try await images(.synced, overwritesInPlace: true) { storage, power in
      defer { storage.close() }
      let log = try storage.log("events")
      for number in 0..<750 {
        let content = Content(identity: UInt64(number), size: 10)
        let batch = power.model.begins([content])
        try power.model.succeeded(batch, first: try await log.append(content.bytes).sequence)
        power.model.promise(number + 1)
        // Around the place where the companion gets its second piece of blocks.
        if (675..<690).contains(number) { power.take(3) }
      }
      power.take()
    }
  }

  @Test func aLogThatWasBeingClosedHoldsNoTornRecord() async throws {
    try await images { storage, power in
      for number in 0..<3 {
        let content = Content(identity: UInt64(number), size: 9000)
        let batch = power.model.begins([content])
        try power.model.succeeded(batch, first: try await storage.append(content.bytes, to: "events").sequence)
      }
      power.takesAll.store(true, ordering: .relaxed)
      storage.close()
    }
  }

  @Test func theNameOfTheNextSegmentIsStableWithItsFirstRecord() async throws {
    try await images(.synced) { storage, power in
      defer { storage.close() }
      let log = try storage.log("events")
      try await power.append(0, to: log)
      power.model.promise(1)
      // The segment before it is not sealed meanwhile.
      let held = HeldCall(.truncate, of: "\(power.directory)/events.log")
      try await SystemCalls.withHook(held) {
        defer { held.letGo() }
        try await log.roll()
        try await power.append(1, to: log)
        power.model.promise(2)
        power.take()
      }
    }
  }

  @Test func aSegmentThatLostItsLastRecordsIsFollowedByNone() async throws {
    try await images(body: Self.losingTheLastRecordsOfASegment)
  }

  @Test func whatIsCopiedGoesOnceTheNameOfItsCopyIsStable() async throws {
    /// Sees that no log is removed from a directory between a copy in it and the flush of the copy's name.
    final class Order: SystemCallHook {
      let state = Mutex((copies: 0, unflushed: Set<String>(), removedEarly: [String]()))
      func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
        guard call == .unlink, path.hasSuffix(".log") else { return .proceed }
        state.withLock { if $0.unflushed.contains(Self.directory(of: path)) { $0.removedEarly.append(path) } }
        return .proceed
      }
      func didCall(_ call: SystemCall, path: String) {
        state.withLock { state in
          if call == .rename, path.contains(".saved-") {
            state.copies += 1
            state.unflushed.insert(Self.directory(of: path))
          }
          if call == .flush { state.unflushed.remove(path) }
        }
      }
      private static func directory(of path: String) -> String { (path as NSString).deletingLastPathComponent }
    }
    let order = Order()
    try await images(body: Self.losingTheLastRecordsOfASegment) { image in
      try SystemCalls.withHook(order) {
        try Storage(directory: image.path, namespaces: ["events"]).close()
      }
    }
    let (copies, _, removedEarly) = order.state.withLock { $0 }
    #expect(copies > 0 && removedEarly == [])
  }

  @Sendable private static func losingTheLastRecordsOfASegment(_ storage: Storage, _ power: Camera) async throws {
    defer { storage.close() }
    let log = try storage.log("events")
    try await power.append(0, to: log)
    try await log.sync()
    power.model.promise(1)
    for number in 1..<4 { try await power.append(number, to: log) }
    let held = HeldCall(.flush, of: "\(power.directory)/events.log")
    try await SystemCalls.withHook(held) {
      defer { held.letGo() }
      try await log.roll()
      for number in 4..<7 { try await power.append(number, to: log) }
      power.take(100)
    }
  }

  @Test func theNameOfTheNewestSegmentIsStableOnceTheLogIsClosed() async throws {
    try await images { storage, power in
      let log = try storage.log("events")
      for number in 0..<3 {
        try await power.append(number, to: log)
        try await log.roll()
      }
      try await power.append(3, to: log)
      storage.close()
      power.model.promise(4)
      power.take()
    }
  }

  /// A header is in two slots, and a power cut may tear what was not flushed: only one of them may be that at a time.
  @Test(arguments: [false, true]) func noMomentLosesBothHeadersOfACompanion(_ overwritesInPlace: Bool) async throws {
    var headers = 0
    try await images(overwritesInPlace: overwritesInPlace) { storage, power in
      let log = try storage.log("events")
      try await power.append(0, to: log)
      power.takesAll.store(true, ordering: .relaxed)
      for number in 1..<3 {
        try await log.roll()
        try await power.append(number, to: log)
        if number % 2 == 0 {
          try await log.sync()
          power.model.promise(number + 1)
        }
        try await log.removeRecords(before: number)
      }
      storage.close()
    } check: { image in
      let folder = "\(image.path)/events.segments"
      for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where name.hasSuffix(".idx") {
        // It has that name once it is whole.
        if name.allSatisfy({ !$0.isNumber }) { continue }
        let bytes = try FileBytes.read("\(folder)/\(name)") ?? []
        headers += 1
        let header = bytes.withUnsafeBytes { $0.count < CompanionHeader.size ? nil : CompanionHeader.current(in: $0) }
        #expect(header != nil, "\(name) has no header after a power cut at moment \(image.moment)")
      }
    }
    #expect(headers > 300)
  }

  /// Takes images of one short program, and checks that each is possible.
  private func images(
    _ durability: TestedDurability = .buffered, overwritesInPlace: Bool = false,
    body: (_ storage: Storage, _ power: Camera) async throws -> Void,
    check: ((Image) throws -> Void)? = nil
  ) async throws {
    let root = TemporaryDirectory(inMemory: true)
    let camera = Camera(root: root, directory: try root.subdirectory("log"))
    let power = PowerLoss(
      directory: camera.directory, seed: 1, overwritesInPlace: overwritesInPlace, obeysFlush: { _ in true }
    ) { power, _ in
      if camera.takesAll.load(ordering: .relaxed) { camera.take(power) }
    }
    camera.power.withLock { $0 = power }
    try await power.run {
      let storage = try Storage(
        directory: camera.directory, namespaces: ["events"], configuration: durability.configuration)
      try await body(storage, camera)
    }
    for image in camera.images.withLock({ $0 }) {
      if let check { try check(image) } else { _ = try await Self.open(image.path, image.expected, .init()) }
    }
  }

  /// Takes images of a moment, forty unless told.
  private final class Camera: Sendable {
    let root: TemporaryDirectory
    let directory: String
    let model = LogModel()
    let takesAll = Atomic(false)
    let images = Mutex<[Image]>([])
    let power = Mutex<PowerLoss?>(nil)
    private let generator = Mutex(SeededGenerator(seed: 1))

    init(root: TemporaryDirectory, directory: String) {
      self.root = root
      self.directory = directory
    }

    /// Appends a record that the model is told of.
    func append(_ number: Int, to log: Log) async throws {
      let content = Content(identity: UInt64(number), size: 3000)
      let batch = model.begins([content])
      try model.succeeded(batch, first: try await log.append(content.bytes).sequence)
    }

    func take(_ count: Int = 40) {
      if let power = power.withLock({ $0 }) { take(power, count) }
    }

    func take(_ power: PowerLoss, _ count: Int = 40) {
      for _ in 0..<count {
        images.withLock { images in
          let path = root.file("image-\(images.count)")
          var generator = generator.withLock { $0.split() }
          do {
            try power.image(into: path, using: &generator)
            images.append(Image(path: path, moment: images.count, expected: model.snapshot))
          } catch {
            Issue.record(error)
          }
        }
      }
    }
  }

  /// What a power cut left, and what the log it left must hold.
  private struct Image: Sendable {
    var path: String
    var moment: Int
    var expected: LogModel.Snapshot
  }

  /// Programs in a row, each on what a power cut left of the one before.
  static func round(
    _ seed: UInt64, _ durability: TestedDurability, _ format: LogFormat, in root: TemporaryDirectory? = nil,
    obeysFlush: @escaping @Sendable (String) -> Bool = { _ in true }
  ) async throws {
    var generator = SeededGenerator(seed: seed)
    let root = root ?? TemporaryDirectory(inMemory: true)
    var directory = try root.subdirectory("start")
    var known = LogModel().snapshot
    let (configuration, rolls) = (durability.configuration(format).rolling(seed), Storage.Configuration.rolls(seed))
    for generation in 0..<3 {
      let model = LogModel(known)
      let images = try await images(
        of: directory, in: root.file("images-\(generation)"), model, configuration, rolls, &generator, obeysFlush)
      for image in images {
        do {
          let copy = root.file("copy")
          try FileBytes.copy(directory: image.path, to: copy)
          known = try await check(copy, image.expected, configuration, rolls, &generator)
          directory = image.path
        } catch {
          throw Finding("\(error)\nafter a power cut in generation \(generation), moment \(image.moment)")
        }
      }
    }
  }

  /// Runs a program, and takes images at random moments of it, the last one when it is done.
  private static func images(
    of directory: String, in target: String, _ model: LogModel, _ configuration: Storage.Configuration, _ rolls: Bool,
    _ generator: inout SeededGenerator, _ obeysFlush: @escaping @Sendable (String) -> Bool
  ) async throws -> [Image] {
    let longest = [10, 60, 400].randomElement(using: &generator) ?? 60
    let moments = Set((0..<3).map { _ in Int.random(in: 0..<longest, using: &generator) })
    let images = Mutex<[Image]>([])
    let source = Mutex(generator.split())
    let findings = Mutex<[any Error]>([])
    @Sendable func take(_ power: PowerLoss, _ moment: Int) {
      let path = "\(target)-\(moment)"
      // What is promised is asked for before, what may be there after: others go on in between.
      let before = model.snapshot
      do {
        var generator = source.withLock { $0.split() }
        try power.image(into: path, using: &generator)
      } catch {
        findings.withLock { $0.append(error) }
      }
      let expected = LogModel.Snapshot.between(before, model.snapshot)
      images.withLock { $0.append(Image(path: path, moment: moment, expected: expected)) }
    }
    let power = PowerLoss(
      directory: directory, seed: generator.next(), overwritesInPlace: generator.oneIn(2), obeysFlush: obeysFlush
    ) { power, moment in
      if moments.contains(moment) { take(power, moment) }
    }
    let program = RandomProgram(
      seed: generator.next(), largest: generator.oneIn(20) ? 2 << 20 : 70_000, rolls: rolls)
    let length = Int.random(in: 0...40, using: &generator)
    let closes = generator.oneIn(2)
    try await power.run {
      var runner = try ProgramRunner(directory: directory, configuration: configuration, model: model)
      defer { runner.close() }
      // What a log showed after it was recovered is stable.
      model.promise(model.count)
      for operation in program.prefix(length) { try await runner.run(operation) }
      if closes { runner.close() }
      take(power, 1_000_000)
    }
    if let error = findings.withLock({ $0.first }) { throw error }
    return images.withLock { $0 }
  }

  /// Opens an image, compares, appends, and opens it again.
  private static func check(
    _ path: String, _ expected: LogModel.Snapshot, _ configuration: Storage.Configuration, _ rolls: Bool,
    _ generator: inout SeededGenerator
  ) async throws -> LogModel.Snapshot {
    let found = try await open(path, expected, configuration.keepingEverything)
    let known = try await open(path, found, configuration.keepingEverything)
    guard known.count == found.count else { throw Finding("\(known.count) records are left of \(found.count)") }
    let model = LogModel(known)
    var runner = try ProgramRunner(directory: path, configuration: configuration, model: model)
    defer { runner.close() }
    let program = RandomProgram(seed: generator.next(), largest: 5000, rolls: rolls)
    for operation in program.prefix(6) { try await runner.run(operation) }
    try await runner.run(.reopen)
    try await runner.run(.verify)
    try await runner.checkAll()
    return known
  }

  private static func open(
    _ path: String, _ expected: LogModel.Snapshot, _ configuration: Storage.Configuration
  ) async throws -> LogModel.Snapshot {
    let storage = try Storage(directory: path, namespaces: ["events"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("events")
    var stream = log.stream()
    return try await expected.check(count: log.count, first: log.firstSequence) { number in
      guard let record = try stream.nextAtOnce() else { throw Finding("record \(number) does not come") }
      return record
    }
  }
}

/// Holds the calls of a kind on a file until it lets go.
private final class HeldCall: SystemCallHook {
  private let call: SystemCall
  private let path: String
  private let isOver = Atomic(false)

  init(_ call: SystemCall, of path: String) {
    self.call = call
    self.path = path
  }

  func letGo() { isOver.store(true, ordering: .releasing) }

  func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
    if call == self.call, path == self.path {
      while !isOver.load(ordering: .acquiring) { usleep(200) }
    }
    return .proceed
  }

  func didCall(_ call: SystemCall, path: String) {}
}
