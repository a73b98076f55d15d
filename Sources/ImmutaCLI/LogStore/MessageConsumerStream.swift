import Immuta
import ImmutaLibC
import ImmutaLogStore

/// The messages of a store's consumer, which acknowledges messages once they were written.
struct MessageConsumerStream: PrintableStream {
  private let consumer: MessageConsumer
  /// Messages that were delivered but not acknowledged, in the order in which they were printed.
  private let unacknowledged = Unacknowledged()

  private final class Unacknowledged {
    var messages: [StoredMessage] = []
  }

  init(_ consumer: MessageConsumer) { self.consumer = consumer }

  func nextAtOnce() throws(ImmutaError) -> StoredMessage? { note(try consumer.nextAtOnce()) }
  func next() async throws -> StoredMessage? { note(try await consumer.next()) }
  func next(timeout: Duration) async throws -> StoredMessage? { note(try await consumer.next(timeout: timeout)) }

  /// The next message of a partition that is just changing hands: while members come and go, each could take it for another's,
  /// and all would end without its messages.
  func nextOnItsWay() async throws -> StoredMessage? {
    let end = ContinuousClock.now + Self.longestChange
    while consumer.isShared, isAnyLeft(), .now < end {
      if let message = try await next(timeout: .milliseconds(50)) { return message }
    }
    return nil
  }

  /// Whether there are messages that no other process has.
  private func isAnyLeft() -> Bool {
    (0..<consumer.store.partitionCount).contains { partition in
      guard let details = try? consumer.store.partition(partition).log.details(ofConsumer: consumer.name),
        let lag = details.lag, lag > 0
      else { return false }
      return details.owner.map { $0.processID == getpid() } ?? true
    }
  }

  /// A member that was killed is missed after five seconds at most.
  private static var longestChange: Duration { .seconds(10) }

  private func note(_ message: StoredMessage?) -> StoredMessage? {
    if let message { unacknowledged.messages.append(message) }
    return message
  }

  /// A message was written, and all messages of other partitions that came before it.
  func acknowledge(_ message: StoredMessage) async throws {
    var last: [Int: StoredMessage] = [:]
    let messages = unacknowledged.messages
    guard
      let place = messages.firstIndex(where: { $0.partition == message.partition && $0.sequence == message.sequence })
    else { return }
    let written = messages[...place]
    for message in written { last[message.partition] = message }
    unacknowledged.messages.removeFirst(written.count)
    for message in last.values { try await consumer.acknowledge(message) }
  }

  func close() { consumer.close() }

  static func place(of message: StoredMessage) -> PrintedPlace { MessageStream.place(of: message) }
  static func print(_ message: StoredMessage, with printer: inout RecordPrinter) throws { try printer.print(message) }
}
