import Foundation
import Immuta
import ImmutaLibC
import ImmutaLocking
import ImmutaLogStore
import ImmutaTestSupport

/// A process that is a member of a group until it is killed, or asked to leave.
///
/// It prints, with the time of the clock that all processes share: `d`, what it was delivered, and when it asked for that; `a`,
/// what it is about to acknowledge; `k`, what is acknowledged; `c`, that it is about to close.
enum GroupMember {
  static func work(_ directory: String, _ seed: UInt64) async throws {
    var generator = SeededGenerator(seed: seed)
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let store = try LogStore(directory: directory, configuration: configuration)
    let consumer = try store.consumer("billing")
    OtherProcess.say("open")
    let isLeaving = Flag()
    // A thread of its own, as it blocks.
    Thread.detachNewThread {
      while let line = readLine(), line != "leave" {}
      isLeaving.value.withLock { $0 = true }
    }
    var held: [StoredMessage] = []
    while !isLeaving.value.withLock({ $0 }) {
      let asked = now
      guard let message = try await consumer.next(timeout: .milliseconds(20)) else {
        try await acknowledge(&held, consumer)
        continue
      }
      OtherProcess.say("d \(message.partition) \(message.sequence) \(asked) \(now)")
      held.append(message)
      if generator.oneIn(4) { try await acknowledge(&held, consumer) }
      if generator.oneIn(20) { try await Task.sleep(for: .milliseconds(Int.random(in: 0...5, using: &generator))) }
    }
    OtherProcess.say("c 0 0 \(now) 0")
    consumer.close()
    store.close()
  }

  private static func acknowledge(_ held: inout [StoredMessage], _ consumer: MessageConsumer) async throws {
    for message in held {
      OtherProcess.say("a \(message.partition) \(message.sequence) \(now) 0")
      try await consumer.acknowledge(message)
      OtherProcess.say("k \(message.partition) \(message.sequence) \(now) 0")
    }
    held = []
  }

  /// Nanoseconds of the machine's clock that nobody sets.
  static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  private final class Flag: Sendable {
    let value = Lock(false)
  }
}
