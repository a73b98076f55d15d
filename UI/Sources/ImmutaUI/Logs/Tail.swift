import Hummingbird
import Immuta
import NIOCore
import ServiceLifecycle
import Synchronization

/// The records of a log as they come, as server-sent events.
///
/// `id` is the record's number, so that a browser whose connection broke says where to go on. Where more records come than a
/// browser can take, those in the middle are left out, and an event says which.
struct Tail: Sendable {
  let log: Log
  let start: Int
  let bytesShown: Int
  var pace = Pace()

  /// How much, and how often, is sent.
  struct Pace: Sendable {
    /// A comment is sent when nothing else was for so long: the network, and we, notice that nobody is there.
    var heartbeat = Duration.seconds(15)
    /// Records that are sent at once.
    var burst = 100
    /// Between two bursts.
    var pause = Duration.milliseconds(50)
    /// Where a reader is further behind than this, it is moved to the newest records.
    var mostBehind = 5_000
    /// How many it gets of them.
    var kept = 500
    /// How long it takes at most to notice that the server ends.
    var look = Duration.milliseconds(500)
  }

  func response(to request: Request) -> Response {
    Response(
      status: .ok, headers: [.contentType: "text/event-stream; charset=utf-8"],
      body: ResponseBody { writer in
        let isEnding = Flag()
        do {
          try await withGracefulShutdownHandler {
            try await request.body.consumeWithCancellationOnInboundClose { _ in
              try await send(to: &writer, until: isEnding)
            }
          } onGracefulShutdown: {
            isEnding.raise()
          }
        } catch is CancellationError {
          // The browser went away.
        }
        try await writer.finish(nil)
      })
  }

  private func send(to writer: inout any ResponseBodyWriter, until isEnding: Flag) async throws {
    try await writer.write(ByteBuffer(string: "retry: 1000\n\n"))
    var stream = log.stream(from: .skipping(start))
    var lastWrite = ContinuousClock.now
    while !isEnding.isRaised {
      do {
        if let record = try await stream.next(timeout: pace.look) {
          try await writer.write(burst(after: record, of: &stream))
          lastWrite = .now
          try await Task.sleep(for: pace.pause)
        }
      } catch ImmutaError.recordRemoved(let number, let first, _) {
        try stream.move(to: first)
        try await writer.write(event("skipped", Skipped(from: number, before: first)))
        lastWrite = .now
      } catch let error as ImmutaError {
        if case .undecodable = error {
          // The record's key is missing. The next record may need another key.
          try await writer.write(event(of: RecordShape(unreadable: stream.position, error)))
          try stream.move(to: stream.position + 1)
          lastWrite = .now
          try await Task.sleep(for: pace.pause / pace.burst)
          continue
        }
        return try await writer.write(event("failure", Message(error: Failure(error).message)))
      }
      if ContinuousClock.now - lastWrite >= pace.heartbeat {
        try await writer.write(ByteBuffer(string: ": still here\n\n"))
        lastWrite = .now
      }
    }
  }

  /// A record, and others that are there already.
  private func burst(after record: Record, of stream: inout RecordStream) throws -> ByteBuffer {
    var buffer = ByteBuffer()
    var next: Record? = record
    var sent = 0
    while let record = next {
      let end = log.count
      if end - record.sequence > pace.mostBehind {
        try stream.move(to: end - pace.kept)
        var skipped = try event("skipped", Skipped(from: record.sequence, before: end - pace.kept))
        buffer.writeBuffer(&skipped)
      } else {
        var shown = try event(of: RecordShape(record, atMost: bytesShown))
        buffer.writeBuffer(&shown)
        sent += 1
      }
      // What is wrong there is found again, once these have been sent.
      next = sent < pace.burst ? try? stream.nextAtOnce() : nil
    }
    return buffer
  }

  private func event(of record: RecordShape) throws -> ByteBuffer {
    var buffer = ByteBuffer(string: "id: \(record.sequence)\ndata: ")
    var bytes = try record.jsonBytes()
    buffer.writeBuffer(&bytes)
    buffer.writeString("\n\n")
    return buffer
  }

  private func event(_ name: String, _ data: some Encodable) throws -> ByteBuffer {
    var buffer = ByteBuffer(string: "event: \(name)\ndata: ")
    var bytes = try data.jsonBytes()
    buffer.writeBuffer(&bytes)
    buffer.writeString("\n\n")
    return buffer
  }

  private struct Skipped: Encodable {
    let from: Int
    let before: Int
  }

  private struct Message: Encodable {
    let error: String
  }

  /// Raised once. Relaxed: nothing else is published with it.
  private final class Flag: Sendable {
    private let value = Atomic(false)
    var isRaised: Bool { value.load(ordering: .relaxed) }
    func raise() { value.store(true, ordering: .relaxed) }
  }
}
