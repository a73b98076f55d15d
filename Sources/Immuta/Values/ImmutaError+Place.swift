// Which log an error is about.

extension ImmutaError {
  /// The namespace that an error is about; for a partitioned store, the partition's number.
  ///
  /// All places are equal. So errors compare by what happened, and a caller that knows which log it asked may write
  /// `.storageClosed`, `.recordNotFound(7)`.
  public struct Place: Hashable, Sendable {
    /// Nil where the error is not about a log, or the log is not known.
    public let namespace: String?
    /// The key that the error is about, where it is one of an index's keys and not the whole log: its bytes as text.
    public let key: String?

    /// A namespace, and a key of it; nil for none.
    public init(namespace: String?, key: String? = nil) {
      self.namespace = namespace
      self.key = key
    }

    /// No namespace.
    static let none = Place(namespace: nil)

    /// True.
    public static func == (left: Place, right: Place) -> Bool { true }

    /// Feeds nothing.
    public func hash(into hasher: inout Hasher) {}
  }

  /// The namespace that the error is about; for a partitioned store, the partition's number. Nil where the error is about no
  /// namespace, or about a file, whose path is then in the error.
  public var namespace: String? {
    switch self {
    case .namespaceNotFound(let name), .invalidNamespace(let name), .duplicateNamespace(let name): name
    case .locked(let holder): holder.namespace
    case .consumerInUse(let owner): owner.namespace
    case .outcomeUnknown(let append, _): append.namespace
    default: place?.namespace
    }
  }

  /// The same error, with a namespace, if it names none yet.
  @usableFromInline
  package func of(_ namespace: String) -> ImmutaError {
    guard let place, place.namespace == nil else { return self }
    let new = Place(namespace: namespace, key: place.key)
    return switch self {
    case .storageClosed: .storageClosed(in: new)
    case .readOnly: .readOnly(in: new)
    case .recordNotFound(let number, _): .recordNotFound(number, in: new)
    case .recordRemoved(let number, let first, _): .recordRemoved(sequence: number, first: first, in: new)
    case .recordTooLarge: .recordTooLarge(in: new)
    case .codecMismatch(let written, let opened, _): .codecMismatch(written: written, opened: opened, in: new)
    case .undecodableValue(let sequence, let type, let reason, _):
      .undecodableValue(sequence: sequence, type: type, reason: reason, in: new)
    case .untransformable(let reason, _): .untransformable(reason, in: new)
    case .invalidOffset(let offset, _): .invalidOffset(offset, in: new)
    case .positionBeyondEnd(let position, let count, _): .positionBeyondEnd(position: position, count: count, in: new)
    case .foreignPosition(let expected, let found, _): .foreignPosition(expected: expected, found: found, in: new)
    case .invalidPosition(let number, _): .invalidPosition(number, in: new)
    case .unexpectedCount(let expected, let actual, _): .unexpectedCount(expected: expected, actual: actual, in: new)
    case .consumerNotFound(let name, _): .consumerNotFound(name, in: new)
    case .consumerClosed(let name, _): .consumerClosed(name, in: new)
    case .positionOutdated(let position, let consumer, _):
      .positionOutdated(position: position, consumer: consumer, in: new)
    case .otherKindOfConsumer(let name, let isWorkQueue, _):
      .otherKindOfConsumer(name, isWorkQueue: isWorkQueue, in: new)
    case .leaseLost(let sequence, let queue, _): .leaseLost(sequence: sequence, queue: queue, in: new)
    case .uploadTooLarge(let limit, _): .uploadTooLarge(limit: limit, in: new)
    case .uploadStalled(let time, _): .uploadStalled(time, in: new)
    case .batchTooLarge(let maximum, _): .batchTooLarge(maximum: maximum, in: new)
    case .unavailable(let reason, _): .unavailable(reason, in: new)
    default: self
    }
  }

  private var place: Place? {
    switch self {
    case .storageClosed(let place), .readOnly(let place), .recordTooLarge(let place), .recordNotFound(_, let place),
      .codecMismatch(_, _, let place), .untransformable(_, let place), .invalidOffset(_, let place),
      .positionBeyondEnd(_, _, let place), .foreignPosition(_, _, let place), .invalidPosition(_, let place),
      .unexpectedCount(_, _, let place), .uploadTooLarge(_, let place), .uploadStalled(_, let place),
      .recordRemoved(_, _, let place), .consumerNotFound(_, let place), .consumerClosed(_, let place),
      .positionOutdated(_, _, let place), .undecodableValue(_, _, _, let place),
      .otherKindOfConsumer(_, _, let place), .leaseLost(_, _, let place), .batchTooLarge(_, let place),
      .unavailable(_, let place):
      place
    default: nil
    }
  }

  /// Whether files of the log lost their names.
  var isLogMoved: Bool { if case .logMoved = self { true } else { false } }
}

// The same errors without a place: to throw where no place is known yet, and to compare with.
extension ImmutaError {
  /// The storage, or a namespace of it, was closed.
  public static var storageClosed: ImmutaError { .storageClosed(in: .none) }
  /// The storage, or a namespace of it, was opened for reading only.
  public static var readOnly: ImmutaError { .readOnly(in: .none) }
  /// The record has more bytes than the log takes.
  public static var recordTooLarge: ImmutaError { .recordTooLarge(in: .none) }

  /// There is no committed record of this number.
  public static func recordNotFound(_ sequence: Int) -> ImmutaError { .recordNotFound(sequence, in: .none) }

  /// The record was removed, with all before `first`.
  public static func recordRemoved(sequence: Int, first: Int) -> ImmutaError {
    .recordRemoved(sequence: sequence, first: first, in: .none)
  }

  /// The log was written with the first codec chain, and opened with the second.
  public static func codecMismatch(written: String, opened: String) -> ImmutaError {
    .codecMismatch(written: written, opened: opened, in: .none)
  }

  /// The record is no value of this type.
  public static func undecodableValue(sequence: Int, type: String, reason: String) -> ImmutaError {
    .undecodableValue(sequence: sequence, type: type, reason: reason, in: .none)
  }

  /// The codec failed to transform a payload.
  public static func untransformable(_ reason: String) -> ImmutaError { .untransformable(reason, in: .none) }

  /// No message of the partition begins at this byte offset.
  public static func invalidOffset(_ offset: Int) -> ImmutaError { .invalidOffset(offset, in: .none) }

  /// The log has fewer records than the position says.
  public static func positionBeyondEnd(position: Int, count: Int) -> ImmutaError {
    .positionBeyondEnd(position: position, count: count, in: .none)
  }

  /// The position is another log's.
  public static func foreignPosition(expected: LogIdentity, found: LogIdentity?) -> ImmutaError {
    .foreignPosition(expected: expected, found: found, in: .none)
  }

  /// A record's number is at least 0.
  public static func invalidPosition(_ sequence: Int) -> ImmutaError { .invalidPosition(sequence, in: .none) }

  /// The log does not have the number of records that the caller expected.
  public static func unexpectedCount(expected: Int, actual: Int) -> ImmutaError {
    .unexpectedCount(expected: expected, actual: actual, in: .none)
  }

  /// The log has no consumer of this name.
  public static func consumerNotFound(_ name: String) -> ImmutaError { .consumerNotFound(name, in: .none) }

  /// The consumer was closed.
  public static func consumerClosed(_ name: String) -> ImmutaError { .consumerClosed(name, in: .none) }

  /// The log is not what it was when the consumer acknowledged.
  public static func positionOutdated(position: Int, consumer: String) -> ImmutaError {
    .positionOutdated(position: position, consumer: consumer, in: .none)
  }

  /// A payload that comes in chunks has more bytes than are allowed.
  public static func uploadTooLarge(limit: Int) -> ImmutaError { .uploadTooLarge(limit: limit, in: .none) }

  /// The source of a payload gave no chunk for as long as is allowed.
  public static func uploadStalled(_ time: Duration) -> ImmutaError { .uploadStalled(time, in: .none) }

  /// The name is a work queue's and was asked for as a consumer's, or the other way round.
  public static func otherKindOfConsumer(_ name: String, isWorkQueue: Bool) -> ImmutaError {
    .otherKindOfConsumer(name, isWorkQueue: isWorkQueue, in: .none)
  }

  /// More records were to be appended together than the log takes at once.
  public static func batchTooLarge(maximum: Int) -> ImmutaError { .batchTooLarge(maximum: maximum, in: .none) }

  /// The server that keeps the log did not answer, or cannot do now what was asked.
  public static func unavailable(_ reason: String) -> ImmutaError { .unavailable(reason, in: .none) }

  /// The worker does not have the job any more.
  public static func leaseLost(sequence: Int, queue: String) -> ImmutaError {
    .leaseLost(sequence: sequence, queue: queue, in: .none)
  }
}
