/// A place in a log to go on from later: the sequence of the record that comes next, and the log's identity.
///
/// A program saves it to remember how far it has read, and goes on there with ``StreamPosition/position(_:)``. If the position is
/// another log's, or beyond the end, the stream throws instead of waiting, or delivering something else. It cannot detect one
/// case: a repair cut off the log's end, and the log has grown past the position again since. The log is still the same then.
///
/// ```swift
/// let position = stream.nextPosition          // keep it
/// …
/// let stream = log.stream(from: .position(position))
/// ```
public struct Position: Hashable, Sendable, Codable {
  /// The identity of the log.
  public let identity: LogIdentity
  /// Sequence of the record that comes next; not negative.
  public let sequence: Int

  /// A place in a log; nil if the sequence is negative.
  public init?(identity: LogIdentity, sequence: Int) {
    if sequence < 0 { return nil }
    self.identity = identity
    self.sequence = sequence
  }

  private enum CodingKeys: String, CodingKey { case identity, sequence }

  /// From its two members.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let identity = try container.decode(LogIdentity.self, forKey: .identity)
    guard let position = Position(identity: identity, sequence: try container.decode(Int.self, forKey: .sequence))
    else {
      throw DecodingError.dataCorruptedError(
        forKey: .sequence, in: container, debugDescription: "a record's number is at least 0")
    }
    self = position
  }
}

extension Position: LosslessStringConvertible {
  /// The identity, a colon and the sequence: for a header, a cookie or a file.
  public var description: String { "\(identity):\(sequence)" }

  /// From text as ``description`` gives it; nil for anything else. O(1).
  public init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let identity = LogIdentity(parts[0]),
      parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let sequence = Int(parts[1])
    else { return nil }
    self.init(identity: identity, sequence: sequence)
  }
}
