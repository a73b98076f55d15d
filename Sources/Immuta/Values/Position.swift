/// A place in a log to go on from later: the number of the record that comes next, and whose log it is.
///
/// What a program keeps of how far it has read. Begin there with ``StreamPosition/position(_:)``: a stream that is given a
/// position of another log, or one beyond the end, says so instead of waiting, or delivering something else. It cannot say
/// that the log's end was cut off by a repair and has grown past the position again since: the log is still the same.
///
/// ```swift
/// let position = stream.nextPosition          // keep it
/// …
/// let stream = log.stream(from: .position(position))
/// ```
public struct Position: Hashable, Sendable, Codable {
  /// Whose log it is.
  public let identity: LogIdentity
  /// Number of the record that comes next; not negative.
  public let sequence: Int

  /// A place in a log; nil where the number is negative.
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
  /// The identity, a colon and the number: for a header, a cookie or a file.
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
