/// What is damaged, and where.
public struct Corruption: Hashable, Sendable {
  /// The damaged file.
  public var path: String
  /// Sequence of the damaged record; nil when the damage is not in one record.
  public var sequence: Int?
  /// Byte offset of the damage in the log; the record's index, if it is in a record.
  public var index: Int?
  /// What does not fit.
  public var reason: Reason
  /// Another format that the file may have: then only the caller can decide. Nil if none fits.
  public var possibleFormat: LogFormat?
  /// Whether the file is something else that has a log's name: nothing in it looks like a log, and no file beside it
  /// says that one existed.
  public var isNoLog = false

  /// Describes damage found in a file.
  ///
  /// The reason says what does not fit, in words that a person reads after the path and the place.
  public init(
    _ code: Reason.Code = .other, path: String, sequence: Int? = nil, index: Int? = nil, reason: String,
    possibleFormat: LogFormat? = nil
  ) {
    self.path = path
    self.sequence = sequence
    self.index = index
    self.reason = Reason(code, reason)
    self.possibleFormat = possibleFormat
  }
}

extension Corruption {
  /// What does not fit: a code for programs, and words for people.
  public struct Reason: Hashable, Sendable, CustomStringConvertible {
    /// What kind of damage it is.
    public var code: Code
    /// What does not fit, and often what to do about it. The words may change from one version to the next.
    public var description: String
    /// What helps.
    package var remedy: Remedy

    /// A reason of a kind, in words.
    public init(_ code: Code, _ description: String) {
      self.init(code, description, code.remedy)
    }

    package init(_ code: Code, _ description: String, _ remedy: Remedy) {
      self.code = code
      self.description = description
      self.remedy = remedy
    }
  }
}

extension Corruption.Reason {
  /// What helps against damage: the command line tool adds how to do it.
  package enum Remedy: Hashable, Sendable {
    /// Repair, or what the repair says.
    case repair
    /// What the words say: no command does it.
    case asStated
    /// The keys and dictionaries that a payload was written with.
    case rightKeys
    /// A higher limit for payloads.
    case higherLimit
  }
}

extension Corruption.Reason.Code {
  /// What helps against damage of the kind, unless another remedy is given.
  fileprivate var remedy: Corruption.Reason.Remedy {
    switch self {
    case .metaFile, .segmentMissing, .segmentMisplaced, .segmentLength, .logMissing, .consumerPosition, .queueState,
      .layout:
      .asStated
    case .undecodable: .rightKeys
    case .checksum, .sizeField, .cutShort, .hole, .order, .companionEntry, .companionOfAnotherLog, .header, .notALog,
      .changedMeanwhile, .keyIndex, .other:
      .repair
    }
  }
}

extension Corruption.Reason {
  /// A kind of damage. Its `rawValue` is what the command line tool prints. Later versions may have more cases.
  @nonexhaustive
  public enum Code: String, Hashable, Sendable {
    /// A record's bytes, or its payload, do not have their checksum.
    case checksum
    /// A record's size field does not fit, or no record begins where one should.
    case sizeField
    /// The file ends inside a record or inside its header.
    case cutShort
    /// A hole in the file reads as more empty records than any log has.
    case hole
    /// A record's place or time contradicts the record before it.
    case order
    /// The companion's entry of a record is damaged or missing.
    case companionEntry
    /// The companion belongs to another log.
    case companionOfAnotherLog
    /// The log's header contradicts what the file holds, or what the companion says.
    case header
    /// The meta file contradicts the companion.
    case metaFile
    /// A segment is missing.
    case segmentMissing
    /// A segment belongs to another log, or was moved or renamed.
    case segmentMisplaced
    /// A segment ends before the next one begins, or after.
    case segmentLength
    /// The log is gone, while other files say that it had records.
    case logMissing
    /// The file is something else than a log.
    case notALog
    /// Another program changed the file while it was open.
    case changedMeanwhile
    /// The bytes are whole, and a codec cannot read them.
    case undecodable
    /// The index of a segment's keys cannot be read, however often it is made.
    case keyIndex
    /// The file that says how far a consumer has come is damaged.
    case consumerPosition
    /// The log that says which jobs of a work queue are done is damaged or missing.
    case queueState
    /// A store's layout is damaged, or contradicts its partitions.
    case layout
    /// None of these: the words say what it is.
    case other
  }
}

extension Corruption: CustomStringConvertible {
  /// The path, the place and the reason, as one sentence.
  public var description: String {
    var text = path
    if let sequence { text += ", record \(sequence)" }
    if let index { text += " at byte \(index)" }
    text += ": \(reason)"
    if let possibleFormat {
      text += "; it may be a log of the format \(possibleFormat): if so, open it with that format"
    }
    return text.printable
  }
}
