import Foundation
import Immuta
import ImmutaTestSupport

/// A sound log whose consumer has a position that somebody made up.
struct HostileConsumer: CustomStringConvertible {
  private(set) var tree: FileTree
  private var what: [String] = []
  let isCut: Bool

  private static let namespace = HostileFiles.namespace
  private static let consumer = "reader"
  private static let count = 12

  var description: String { what.joined(separator: "; ") }

  /// A log with a consumer and a work queue, and another one.
  static func sound() async throws -> FileTree {
    try await FileTree.made(by: [namespace, "other"]) { storage in
      let log = try storage.log(namespace)
      for number in 0..<count {
        if number == 4 { try await log.roll() }
        try await log.append(HostileLog.text(number))
      }
      let reader = try log.consumer(consumer)
      for _ in 0..<5 {
        if let record = try reader.nextAtOnce() { try await reader.acknowledge(record) }
      }
      reader.close()
      let queue = try log.workQueue("work")
      for _ in 0..<3 { try await queue.next(timeout: .zero)?.acknowledge() }
      queue.close()
    }
  }

  init(_ sound: FileTree, using generator: inout SeededGenerator) {
    tree = sound
    isCut = generator.oneIn(20)
    let name = generator.oneIn(6) ? "work" : Self.consumer
    let path = "\(Self.namespace).consumers/\(name).position"
    guard var bytes = tree.files[path] else { return }
    for slot in generator.oneIn(3) ? [0, 1] : [Int.random(in: 0...1, using: &generator)] {
      let part = HostilePart.positionSlot
      guard let said = part.lie(in: &bytes, at: slot * TwoSlots.slotSize, &generator) else { continue }
      what.append("\(name), slot \(slot): \(said)")
    }
    // Who has it, as the file says.
    if generator.oneIn(4), bytes.count >= TwoSlots.size {
      bytes.removeLast(bytes.count - TwoSlots.size)
      bytes += HostileNumber.texts.randomElement(using: &generator) ?? []
    }
    if generator.oneIn(12) {
      bytes.removeLast(Int.random(in: 0...bytes.count, using: &generator))
      what.append("cut at \(bytes.count)")
    } else if generator.oneIn(12) {
      tree.holes[path] = bytes.count + Int.random(in: 0...100_000, using: &generator)
      what.append("with a hole")
    }
    tree.files[path] = bytes
  }

  // MARK: The trial

  func run(in directory: String) async throws {
    try tree.write(to: directory)
    try await looking { try look(try open(directory, .readOnly)) }
    try await looking { try await consume(try open(directory, .readWrite)) }
    try await seek(try open(directory, .readWrite))
    try await looking { try remove(try open(directory, .readWrite)) }
  }

  private func looking(_ body: () async throws -> Void) async throws {
    do { try await body() } catch let error as ImmutaError { _ = "\(error)" }
  }

  private func open(_ directory: String, _ access: Storage.Access) throws -> Storage {
    var configuration = Storage.Configuration()
    configuration.access = access
    // Whatever a consumer's file says, the log is sound.
    do {
      return try Storage(directory: directory, namespaces: [Self.namespace], configuration: configuration)
    } catch {
      throw Finding("the log cannot be opened: \(error)")
    }
  }

  private func look(_ storage: Storage) throws {
    defer { storage.close() }
    let log = try storage.log(Self.namespace)
    for details in try log.consumers {
      _ = "\(details)"
      if let lag = details.lag, !(0...Self.count).contains(lag) { throw Finding("the lag is \(lag)") }
    }
    for name in [Self.consumer, "work", "nobody"] { _ = try log.details(ofConsumer: name) }
    if isCut { _ = try LogCut(of: [log]) }
  }

  private func consume(_ storage: Storage) async throws {
    defer { storage.close() }
    let log = try storage.log(Self.namespace)
    let consumer = try log.consumer(Self.consumer, creating: false)
    let position = consumer.position
    guard (0...Self.count).contains(position) else { throw Finding("the consumer is at \(position)") }
    var next = position
    while next < min(position + 3, Self.count) {
      guard let record = try consumer.nextAtOnce() else { throw Finding("record \(next) is not delivered") }
      guard record.sequence == next, record.text == HostileLog.text(next) else {
        throw Finding("\(record.sequence), \(record.text), is delivered for record \(next)")
      }
      try await consumer.acknowledge(record)
      next += 1
    }
    consumer.close()
    let again = try log.consumer(Self.consumer, creating: false)
    guard again.position == next else { throw Finding("the consumer is at \(again.position), and was at \(next)") }
  }

  /// Wherever it was, it can be moved, and goes on from there.
  private func seek(_ storage: Storage) async throws {
    defer { storage.close() }
    let log = try storage.log(Self.namespace)
    do {
      try log.seekConsumer(Self.consumer, to: .beginning)
    } catch ImmutaError.unsupportedVersion {
      return
    } catch {
      throw Finding("the consumer cannot be moved: \(error)")
    }
    do {
      let consumer = try log.consumer(Self.consumer, creating: false)
      guard try consumer.nextAtOnce()?.text == HostileLog.text(0) else {
        throw Finding("the consumer does not begin with record 0")
      }
      consumer.close()
    } catch ImmutaError.otherKindOfConsumer {
      let queue = try log.workQueue(Self.consumer, creating: false)
      let job = try await queue.next(timeout: .zero)
      guard job?.record.text == HostileLog.text(0) else { throw Finding("the queue does not begin with record 0") }
      queue.close()
    }
  }

  private func remove(_ storage: Storage) throws {
    defer { storage.close() }
    let log = try storage.log(Self.namespace)
    try log.removeConsumer(Self.consumer)
    if try log.details(ofConsumer: Self.consumer) != nil { throw Finding("the consumer was removed, and is there") }
  }
}
