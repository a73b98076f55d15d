import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Every call to the operating system that a consumer makes fails in turn: it is where it was acknowledged, or where that failed.
@Suite(.timeLimit(.minutes(5))) struct FailingConsumerTests {
  @Test(arguments: [TestedDurability.buffered, .synced], [false, true])
  func aFailedCallLosesNoPosition(_ durability: TestedDurability, isLasting: Bool) async throws {
    var failures = 0
    for errorNumber in [EIO, ENOSPC, EMFILE] {
      var number = 1
      while true {
        let directory = TemporaryDirectory(inMemory: true)
        let injector = FaultInjector(
          directory: directory.path, .error(errorNumber), at: number, lasting: isLasting)
        var program = Program(directory, durability)
        do {
          await injector.run { await program.run() }
          if injector.injected == 0 { break }
          failures += program.failures.count
          try await program.check()
        } catch {
          throw Finding(
            "\(error)\nwhere call \(number), a \(injector.injectedInto.first.map { "\($0)" } ?? "?"), failed with "
              + "error \(errorNumber)\n\(program.failures)")
        }
        number += 1
      }
    }
    #expect(failures > 50, "calls failed, and only \(failures) steps")
  }
}

/// What is done with a consumer, whatever fails.
private struct Program {
  private let directory: TemporaryDirectory
  private let durability: TestedDurability
  private let model = ConsumerModel()
  private(set) var failures: [String] = []

  init(_ directory: TemporaryDirectory, _ durability: TestedDurability) {
    (self.directory, self.durability) = (directory, durability)
  }

  private static let name = "billing"

  mutating func run() async {
    for life in 0..<2 {
      let storage: Storage
      do {
        storage = try Storage(
          directory: directory.path, namespaces: ["events"], configuration: durability.configuration)
      } catch {
        failures.append("open: \(error)")
        continue
      }
      defer { storage.close() }
      guard let log = try? storage.log("events") else { continue }
      for number in 0..<6 { await attempt("append") { try await log.append("\(life) \(number)") } }
      await attempt("roll") { try await log.roll() }
      for number in 0..<3 { await attempt("append") { try await log.append("\(life) \(number)") } }
      guard let consumer = open(log) else { continue }
      for place in [2, 3, 3, 7, 8] where place <= log.count {
        await move(consumer, to: max(place, consumer.position)) { try await consumer.acknowledge(through: place - 1) }
      }
      await attempt("take") { _ = try consumer.nextAtOnce() }
      await move(consumer, to: 1) { try await consumer.seek(to: .sequence(1)) }
      if let record = try? consumer.nextAtOnce() {
        await move(consumer, to: record.sequence + 1) { try await consumer.acknowledge(record) }
      }
      consumer.close()
      if let again = open(log) {
        await move(again, to: max(4, again.position)) { try await again.acknowledge(through: 3) }
        again.close()
      }
      model.begins(5...5)
      let model = model
      await attempt("move") {
        try log.seekConsumer(Self.name, to: .sequence(5))
        model.ends(at: 5, isStable: true)
      }
    }
  }

  private mutating func attempt(_ what: String, _ body: () async throws -> Void) async {
    do { try await body() } catch { failures.append("\(what): \(error)") }
  }

  private mutating func open(_ log: Log) -> Consumer? {
    if !model.snapshot.isMade { model.begins(0...0) }
    do {
      let consumer = try log.consumer(Self.name)
      let known = model.snapshot
      do { try known.check(consumer.position, isExact: true) } catch { failures.append("WRONG: \(error)") }
      model.ends(at: consumer.position, isStable: true)
      return consumer
    } catch {
      failures.append("consumer: \(error)")
      return nil
    }
  }

  private mutating func move(_ consumer: Consumer, to place: Int, _ body: () async throws -> Void) async {
    model.begins(place...place)
    do {
      try await body()
      if consumer.position != place { failures.append("WRONG: it is at \(consumer.position), not \(place)") }
      model.ends(at: place, isStable: true)
    } catch {
      failures.append("move: \(error)")
    }
  }

  func check() async throws {
    if let wrong = failures.first(where: { $0.hasPrefix("WRONG") }) { throw Finding(wrong) }
    for isRestarted in [false, true] {
      if isRestarted { try Reboot.mark(directory: directory.path) }
      let storage = try Storage(directory: directory.path, namespaces: ["events"])
      defer { storage.close() }
      let log = try storage.log("events")
      do {
        let consumer = try log.consumer(Self.name, creating: false)
        try model.snapshot.check(consumer.position, isExact: !isRestarted || durability == .synced)
        guard consumer.position <= log.count else { throw Finding("the log has \(log.count) records") }
        for number in consumer.position..<log.count {
          guard try consumer.nextAtOnce()?.sequence == number else { throw Finding("\(number) is not delivered") }
        }
      } catch ImmutaError.consumerNotFound {
        try model.snapshot.check(nil, isExact: true)
      }
    }
  }
}
