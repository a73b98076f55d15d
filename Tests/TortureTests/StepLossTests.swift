import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Steps over several logs, and of a consumer, whose process dies or whose machine loses power: each is whole or not there.
@Suite struct StepLossTests {
  @Test func aKilledProcessLeavesWholeSteps() async throws {
    try await Rounds.run(default: 4, most: 2000, "killed process that makes steps") { seed in
      var generator = SeededGenerator(seed: seed)
      let directory = TemporaryDirectory()
      var said = Steps.Said()
      for life in 0..<4 {
        let child = try OtherProcess.start("steps", directory.path, "\(seed &+ UInt64(life))")
        let count = Int.random(in: 1...300, using: &generator)
        let lines = try await child.kill(
          afterLines: count, pause: .microseconds(Int.random(in: 0...2000, using: &generator)))
        for line in lines { try said.note(line) }
        guard lines.count >= count else { throw Finding("the child ended") }
        try await Steps.check(directory.path, said, exactly: true, &generator)
      }
    }
  }

  /// At each call that a step makes the process may die: the files are copied there, now and then.
  @Test func whateverCallWasTheLastStepsAreWhole() async throws {
    try await Rounds.run(default: 6, "process that dies in a step") { seed in
      var generator = SeededGenerator(seed: seed)
      let root = TemporaryDirectory(inMemory: true)
      let (directory, image) = (try root.subdirectory("log"), root.file("image"))
      let moment = Int.random(in: 0...400, using: &generator)
      // What the image holds is what a process that dies leaves: the system has all that was stored.
      // Whoever makes another call meanwhile waits: what a step stores into memory between two calls may be in the image or not.
      let copying = NSLock()
      let power = PowerLoss(
        directory: directory, seed: generator.next(),
        observer: { _, number in
          copying.withLock {
            if number == moment { try? FileBytes.copy(directory: directory, to: image) }
          }
        })
      try await power.run {
        _ = try await Steps.make(directory, Steps.durability(&generator), most: 25, &generator) { _ in }
      }
      guard FileManager.default.fileExists(atPath: image) else { return }
      try await Steps.check(image, Steps.Said(), exactly: true, &generator)
    }
  }

  @Test func aPowerCutLeavesWholeStepsWhereTheyWereSynced() async throws {
    try await Rounds.run(default: 60, "power loss in steps, synced") { seed in
      try await Self.cutPower(seed, .synced)
    }
  }

  /// There a power cut may take a part of a step, and then the consumer repeats it; it skips none.
  @Test func aPowerCutSkipsNoStep() async throws {
    try await Rounds.run(default: 60, "power loss in steps, buffered") { seed in
      try await Self.cutPower(seed, seed % 2 == 0 ? .buffered : .interval(.milliseconds(5)))
    }
  }

  private static func cutPower(_ seed: UInt64, _ durability: Durability) async throws {
    var generator = SeededGenerator(seed: seed)
    let root = TemporaryDirectory(inMemory: true)
    let (directory, image) = (try root.subdirectory("log"), root.file("image"))
    let overwrites = Bool.random(using: &generator)
    let moment = Int.random(in: 0...1200, using: &generator)
    let taken = Taken(generator: SeededGenerator(seed: generator.next()))
    let power = PowerLoss(
      directory: directory, seed: generator.next(), overwritesInPlace: overwrites, oddsOfWriteBack: 100,
      observer: { power, number in
        if number == moment { taken.take(power, image) }
      })
    try await power.run {
      let said = try await Steps.make(directory, durability, most: 30, &generator) { said in
        if !taken.isDone { taken.said = said }
      }
      if !taken.isDone {
        taken.said = said
        taken.take(power, image)
      }
    }
    // Twice: the first opening must leave what the second needs.
    for _ in 0..<2 {
      try await Steps.check(
        image, durability == .synced ? taken.said : Steps.Said(), exactly: durability == .synced, &generator)
    }
  }

  /// What was promised when the power went, and the image of it.
  private final class Taken: @unchecked Sendable {
    // The program's calls come one after the other, whatever threads make them; flushes of the background may come beside them.
    private let lock = NSLock()
    private var generator: SeededGenerator
    private var done = false
    private var promised = Steps.Said()

    init(generator: SeededGenerator) { self.generator = generator }

    var isDone: Bool { lock.withLock { done } }
    var said: Steps.Said {
      get { lock.withLock { promised } }
      set { lock.withLock { promised = newValue } }
    }

    func take(_ power: PowerLoss, _ image: String) {
      lock.withLock {
        if done { return }
        done = true
        try? power.image(into: image, using: &generator)
      }
    }
  }
}

/// A program that makes steps, and what must hold for its files whatever became of it.
///
/// Records of `in` are `i0`, `i1` and so on. A step of the consumer appends, for each record `iN`, `iN` to one or two of the
/// outputs that N decides; a step of the storage appends `sN` to outputs that N decides.
enum Steps {
  static let outputs = ["a", "b", "c"]

  /// What the program has said that it did.
  struct Said {
    /// Steps of the storage.
    var steps = 0
    /// Records that the consumer is past.
    var position = 0

    mutating func note(_ line: String) throws {
      let words = line.split(separator: " ")
      guard words.count == 2, let number = Int(words[1]) else { throw Finding("the child printed \(line)") }
      if words[0] == "step" { steps = max(steps, number) } else { position = max(position, number) }
    }
  }

  static func durability(_ generator: inout SeededGenerator) -> Durability {
    [.buffered, .synced, .interval(.milliseconds(5))].randomElement(using: &generator) ?? .buffered
  }

  /// Where record or step `number` goes.
  static func targets(_ number: Int) -> [String] {
    [["a"], ["a", "b"], ["b", "c"], ["a", "b", "c"], ["c"]][number * 7 % 5]
  }

  static func configuration(_ durability: Durability, _ generator: inout SeededGenerator) -> Storage.Configuration {
    var configuration = Storage.Configuration(durability: durability)
    if generator.oneIn(2) { configuration.segments.maximumBytes = Int.random(in: 200...2000, using: &generator) }
    return configuration
  }

  /// Makes steps, and reports each.
  @discardableResult
  static func make(
    _ directory: String, _ durability: Durability, most: Int, _ generator: inout SeededGenerator,
    _ tell: (Said) -> Void
  ) async throws -> Said {
    let configuration = configuration(durability, &generator)
    let storage = try Storage(directory: directory, namespaces: outputs + ["in"], configuration: configuration)
    defer { storage.close() }
    let input = try storage.log("in")
    let logs = try outputs.map { try storage.log($0) }
    var consumer = try input.consumer("worker")
    var said = Said(steps: try await stepCount(storage), position: consumer.position)
    for _ in 0..<most {
      switch Int.random(in: 0..<10, using: &generator) {
      case 0...1:
        let first = input.count
        try await input.append(contentsOf: (0..<Int.random(in: 1...5, using: &generator)).map { "i\(first + $0)" })
      case 2...4:
        let number = said.steps
        try await storage.transaction(in: outputs) { step in
          for name in targets(number) { try await step.append("s\(number)", to: name) }
        }
        said.steps += 1
        tell(said)
      case 5...8:
        let processed = try await consumer.processAtOnce(
          into: logs, atMost: Int.random(in: 1...4, using: &generator)
        ) { record, step in
          for name in targets(record.sequence) { try await step.append(record.text, to: name) }
        }
        guard consumer.position == said.position + processed else {
          throw Finding("the position is \(consumer.position) after \(processed) records from \(said.position) on")
        }
        said.position = consumer.position
        tell(said)
      default:
        switch Int.random(in: 0..<4, using: &generator) {
        case 0:
          consumer.close()
          consumer = try input.consumer("worker")
        case 1: try await storage.log(outputs.randomElement(using: &generator) ?? "a").sync()
        case 2: try await storage.log(outputs.randomElement(using: &generator) ?? "a").roll()
        default: try await input.sync()
        }
      }
    }
    return said
  }

  private static func stepCount(_ storage: Storage) async throws -> Int {
    var count = 0
    for name in outputs {
      for try await record in try storage.log(name).history() where record.text.hasPrefix("s") {
        count = max(count, (Int(record.text.dropFirst()) ?? 0) + 1)
      }
    }
    return count
  }

  /// What must hold, whatever was opened first.
  ///
  /// - Parameters:
  ///   - said: what must have lasted.
  ///   - exactly: whether a step is whole or not there; otherwise a log may have lost its part, and a consumer repeats.
  static func check(
    _ directory: String, _ said: Said, exactly: Bool, _ generator: inout SeededGenerator
  ) async throws {
    let names = (outputs + ["in"]).shuffled(using: &generator)
    var configuration = Storage.Configuration()
    configuration.durability = .buffered
    let storage = try Storage(directory: directory, namespaces: [names[0]], configuration: configuration)
    defer { storage.close() }
    for name in names.dropFirst() { _ = try storage.log(name, creating: true) }
    let input = try storage.log("in")
    var found: [String: [String]] = [:]
    for name in outputs {
      for try await record in try storage.log(name).history() { found[name, default: []].append(record.text) }
    }
    let position = try input.consumer("worker", startingAt: .beginning).position
    guard position >= said.position else { throw Finding("the position was \(said.position), and is \(position)") }
    for name in outputs {
      let steps = (found[name] ?? []).filter { $0.hasPrefix("s") }
      guard steps == steps.sorted(by: { number($0) < number($1) }), Set(steps).count == steps.count else {
        throw Finding("\(name) has the steps \(steps)")
      }
    }
    let most = found.values.joined().filter { $0.hasPrefix("s") }.map(number).max() ?? -1
    if exactly {
      for step in 0..<max(most + 1, said.steps) {
        for name in targets(step) where !(found[name] ?? []).contains("s\(step)") {
          throw Finding("step \(step) of \(most + 1), \(said.steps) were said, is not in \(name): \(found)")
        }
      }
    }
    for record in 0..<position {
      for name in targets(record) {
        let count = (found[name] ?? []).filter { $0 == "i\(record)" }.count
        guard count > 0 else { throw Finding("record \(record) before \(position) did not come to \(name): \(found)") }
        if exactly, count > 1 { throw Finding("record \(record) came to \(name) \(count) times") }
      }
    }
    if exactly {
      for name in outputs {
        for text in found[name] ?? [] where text.hasPrefix("i") && number(text) >= position {
          throw Finding("\(text) came to \(name), and the position is \(position)")
        }
      }
    }
  }

  private static func number(_ text: String) -> Int { Int(text.dropFirst()) ?? -1 }

  /// The process that dies.
  static func run(_ directory: String, _ seed: UInt64) async throws {
    var generator = SeededGenerator(seed: seed)
    while true {
      try await make(directory, durability(&generator), most: 200, &generator) { said in
        OtherProcess.say("step \(said.steps)")
        OtherProcess.say("position \(said.position)")
      }
    }
  }
}
