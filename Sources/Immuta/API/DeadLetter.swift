/// A job that a work queue gave up: one record in the log that gets the queue's dead letters.
///
/// ```swift
/// for try await record in dead.history() {
///   guard let letter = DeadLetter(record) else { continue }
///   print(letter.queue, letter.sequence, letter.deliveries, letter.reason)
///   try await events.append(letter.payload)       // once more
/// }
/// ```
///
/// The record is text that people can read, an empty line, and then the payload, byte for byte as it was appended:
///
/// ```
/// Immuta-Dead-Letter: 1
/// Queue: resize
/// Log: events 0f2c7ad9c1e04be78d0b4a0f5dd7c311
/// Record: 1042
/// Appended: 2026-11-26T10:30:00.000000000Z
/// Deliveries: 5
/// Reason: no such image
///
/// …
/// ```
///
/// A crash may leave a job in that log twice, both times with the same log and record.
public struct DeadLetter: Sendable {
  /// The work queue that gave the job up.
  public let queue: String
  /// The log of the job's record.
  public let namespace: String
  /// Its identity; nil where nothing on file said it.
  public let identity: LogIdentity?
  /// The number of the job's record in its log.
  public let sequence: Int
  /// When that record was appended, as ``Timestamp/description`` writes it.
  public let appended: String
  /// How often the job was given to a worker.
  public let deliveries: Int
  /// Why it was given up, in one line.
  public let reason: String
  /// The job's payload.
  public let payload: Payload

  private static let firstLine = "Immuta-Dead-Letter: 1"
  /// The lines before a payload are shorter than this.
  private static let longestHead = 8192
  private static let longestReason = 2000

  /// Reads a record of a log that gets dead letters; nil for one that is no dead letter.
  ///
  /// O(bytes of the lines before the payload). A payload of more than 1 MiB is read or decoded if need be; nil also where that
  /// fails.
  public init?(_ record: Record) {
    guard let bytes = try? record.payload.inMemory() else { return nil }
    let start = bytes.prefix(Self.longestHead)
    guard let end = start.indices.first(where: { $0 > 0 && start[$0] == 10 && start[$0 - 1] == 10 }),
      let head = String(validating: start[..<end], as: UTF8.self)
    else { return nil }
    var lines = head.split(separator: "\n")[...]
    guard lines.popFirst().map(String.init) == Self.firstLine else { return nil }
    var fields: [Substring: String] = [:]
    for line in lines {
      guard let colon = line.firstIndex(of: ":") else { return nil }
      fields[line[..<colon]] = String(line[line.index(after: colon)...].drop { $0 == " " })
    }
    guard let queue = fields["Queue"], let log = fields["Log"]?.split(separator: " "), let name = log.first,
      let sequence = fields["Record"].flatMap({ Int($0) }), let deliveries = fields["Deliveries"].flatMap({ Int($0) })
    else { return nil }
    (self.queue, self.sequence, self.deliveries) = (queue, sequence, deliveries)
    namespace = String(name)
    identity = log.count > 1 ? LogIdentity(log[1]) : nil
    appended = fields["Appended"] ?? ""
    reason = fields["Reason"] ?? ""
    payload = bytes.dropping(first: end + 1)
  }

  /// Appends a job. It is on stable storage when this returns, whatever the durability is: after that the queue forgets the job.
  static func append(
    _ record: Record, deliveries: Int, reason: String, queue: String, of log: Log, to deadLetters: Log
  ) async throws {
    let origin = [log.namespace, log.identity.map(\.description)].compactMap(\.self).joined(separator: " ")
    // Made one line, whatever it holds.
    let reason = String(decoding: reason.printable.utf8.prefix(longestReason), as: UTF8.self)
    let head = """
      \(firstLine)
      Queue: \(queue)
      Log: \(origin)
      Record: \(record.sequence)
      Appended: \(record.timestamp)
      Deliveries: \(deliveries)
      Reason: \(reason)


      """
    try await deadLetters.append(Pieces(head: Array(head.utf8), payload: try record.payload.inMemory()))
    try await deadLetters.sync()
  }

  /// The record's bytes in pieces: a large payload is not copied as a whole.
  private struct Pieces: AsyncSequence {
    let head: [UInt8]
    let payload: Payload

    struct AsyncIterator: AsyncIteratorProtocol {
      let pieces: Pieces
      var place: Int?

      mutating func next() async -> [UInt8]? {
        guard let start = place else {
          place = 0
          return pieces.head
        }
        let end = Swift.min(pieces.payload.count, start + 262_144)
        if start == end { return nil }
        place = end
        return Array(pieces.payload[start..<end])
      }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(pieces: self, place: nil) }
  }
}

extension Payload {
  /// The bytes from an offset on, a view of the same memory. It is in memory.
  fileprivate func dropping(first count: Int) -> Payload {
    unsafe withUnsafeBytes { bytes in
      unsafe Payload(UnsafeRawBufferPointer(rebasing: bytes[count...]), owner: owner)
    }
  }
}
