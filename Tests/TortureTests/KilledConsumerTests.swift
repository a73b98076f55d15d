import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Processes that die while they consume: the next one goes on after the last record that was acknowledged.
@Suite struct KilledConsumerTests {
  @Test func aKilledConsumerGoesOnAfterWhatItAcknowledged() async throws {
    try await Rounds.run(default: 3, most: 2000, "killed consumer") { seed in
      try await Self.round(seed)
    }
  }

  /// Four lives, one after the other. Half of all consumers append what they consume, the others follow another process, which
  /// is killed as well.
  private static func round(_ seed: UInt64) async throws {
    var generator = SeededGenerator(seed: seed)
    let directory = TemporaryDirectory()
    let isFollower = seed % 2 == 0
    let durability = ["buffered", "interval", "synced"].randomElement(using: &generator) ?? "buffered"
    /// Where the position may be.
    var places = [0]
    for life in 0..<4 {
      let writer =
        try isFollower
        ? OtherProcess.start(
          "append", directory.path, durability, "\(seed)", "\(life * 100_000)", "\(LogFormat.v2.rawValue)", "3000", "0")
        : nil
      if let writer, writer.readLine(within: .seconds(20)) == nil { throw Finding("the writer ended") }
      let child = try OtherProcess.start(
        "consume", directory.path, "\(seed &+ UInt64(life))", durability, isFollower ? "follow" : "append")
      let lines = try await child.kill(
        afterLines: Int.random(in: 1...120, using: &generator),
        pause: .microseconds(Int.random(in: 0...3000, using: &generator)))
      writer?.kill()
      writer?.wait()
      places = try follow(lines, from: places)
      places = [try await check(directory, places)]
    }
  }

  /// What the process said it did, from where it may have begun; returns where the position may be.
  private static func follow(_ lines: [String], from places: [Int]) throws -> [Int] {
    var places = places
    var next: Int?
    for line in lines {
      let words = line.split(separator: " ").map(String.init)
      guard words.count == 2, let number = Int(words[1]) else { throw Finding("the child printed \(line)") }
      switch words[0] {
      case "open":
        guard places.contains(number) else { throw Finding("it began at \(number), not at \(places)") }
        (places, next) = ([number], number)
      case "took":
        guard number == next else { throw Finding("record \(number) was delivered, not \(next ?? -1)") }
        next = number + 1
      case "moves":
        places.append(number)
      case "moved":
        (places, next) = ([number], max(next ?? 0, number))
      case "sought":
        (places, next) = ([number], number)
      default: throw Finding("the child printed \(line)")
      }
    }
    return places
  }

  /// Returns where the consumer is.
  private static func check(_ directory: TemporaryDirectory, _ places: [Int]) async throws -> Int {
    let storage = try Storage(directory: directory.path, namespaces: ["events"])
    defer { storage.close() }
    let log = try storage.log("events")
    let consumer: Consumer
    do {
      consumer = try log.consumer(ConsumingProcess.name, creating: false)
    } catch ImmutaError.consumerNotFound {
      if places != [0] { throw Finding("the consumer is gone, and was at \(places)") }
      return 0
    }
    let position = consumer.position
    guard places.contains(position) else { throw Finding("the consumer is at \(position), not at \(places)") }
    for number in position..<min(position + 20, log.count) {
      guard try consumer.nextAtOnce()?.sequence == number else { throw Finding("record \(number) is not delivered") }
    }
    return position
  }
}

/// The process that dies.
enum ConsumingProcess {
  static let name = "billing"

  /// Prints each thing before it does it, or once it is done.
  static func run(_ directory: String, _ seed: UInt64, _ durability: Durability, appends: Bool) async throws {
    var generator = SeededGenerator(seed: seed)
    var configuration = Storage.Configuration(durability: durability)
    configuration.segments.maximumBytes = appends ? 2000 : nil
    configuration.access = appends ? .readWrite : .readOnly
    let storage = try Storage(directory: directory, namespaces: ["events"], configuration: configuration)
    let log = try storage.log("events")
    var consumer = try log.consumer(name)
    OtherProcess.say("open \(consumer.position)")
    while true {
      if appends {
        try await log.append(contentsOf: (0..<Int.random(in: 1...6, using: &generator)).map { "\(log.count + $0)" })
      }
      var last: Record?
      for _ in 0..<Int.random(in: 1...5, using: &generator) {
        guard let record = try await consumer.next(timeout: appends ? .zero : .milliseconds(20)) else { break }
        OtherProcess.say("took \(record.sequence)")
        last = record
      }
      if let last, !generator.oneIn(4) {
        OtherProcess.say("moves \(last.sequence + 1)")
        try await consumer.acknowledge(last)
        OtherProcess.say("moved \(last.sequence + 1)")
      }
      if generator.oneIn(40) {
        let place = Int.random(in: 0...consumer.position, using: &generator)
        OtherProcess.say("moves \(place)")
        try await consumer.seek(to: .sequence(place))
        OtherProcess.say("sought \(place)")
      }
      if generator.oneIn(20) {
        consumer.close()
        consumer = try log.consumer(name)
        OtherProcess.say("open \(consumer.position)")
      }
    }
  }
}
