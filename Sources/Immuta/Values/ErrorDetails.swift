/// What became of a log that was followed.
public struct LogChange: Hashable, Sendable {
  /// What happened.
  @nonexhaustive
  public enum Kind: Hashable, Sendable {
    /// No readable file has its name any more.
    case removed
    /// Its end was cut off, by a repair, after a crash of the machine, or because an older copy of it was put in its
    /// place; others may have been appended since.
    case cutBack
    /// Another log has its name.
    case replaced
  }

  /// The log's file.
  public let path: String
  /// What happened.
  public let kind: Kind
  /// How many records, from the first on, are known to be the same now. For a log that was removed, how many it had. To
  /// go on after the last of them, begin at this sequence.
  public let sharedCount: Int

  package init(path: String, kind: Kind, sharedCount: Int) {
    self.path = path
    self.kind = kind
    self.sharedCount = sharedCount
  }

  /// The last record that is known to be the same; nil when there is none.
  public var lastShared: Int? { sharedCount > 0 ? sharedCount - 1 : nil }
}

extension LogChange: CustomStringConvertible {
  /// What happened, and what to do, as one sentence.
  public var description: String {
    let last = lastShared.map { "record \($0) is the last that is the same" } ?? "no record is known to be the same"
    return switch kind {
    case .removed:
      "\(path) was removed or renamed while it was read, after \(Quantity.records(sharedCount)); put it back to go on"
    case .cutBack:
      "\(path) was cut back while it was read: \(last); begin at record \(sharedCount) to go on"
    case .replaced:
      "\(path) was replaced by another log while it was read: \(last); begin at record \(sharedCount) to go on"
    }
  }
}

/// A version that this library does not know.
public struct UnsupportedVersion: Hashable, Sendable {
  /// The kind of file or data that has a version.
  @nonexhaustive
  public enum Subject: Hashable, Sendable {
    /// The companion of a log.
    case companion
    /// The layout of a log file, as its companion names it.
    case logFormat
    /// The file that keeps what cannot be derived from a log.
    case meta
    /// The layout of a partitioned store.
    case storeLayout
    /// A sealed payload.
    case sealedPayload
    /// The file with a consumer's position.
    case consumerPosition
    /// The file with what a step over several logs is about to do.
    case intent
    /// The log with a work queue's state.
    case queueState
  }

  /// The file.
  public let path: String
  /// The kind of file or data that has the version.
  public let subject: Subject
  /// The version on file.
  public let found: Int
  /// The highest version that this library knows.
  public let supported: Int

  package init(path: String, subject: Subject, found: Int, supported: Int) {
    self.path = path
    self.subject = subject
    self.found = found
    self.supported = supported
  }
}

extension UnsupportedVersion: CustomStringConvertible {
  /// The path, the kind of file or data, and both versions, as one sentence.
  public var description: String {
    let name =
      switch subject {
      case .companion: "companion"
      case .logFormat: "log format"
      case .meta: "meta file"
      case .storeLayout: "store layout"
      case .sealedPayload: "sealed payload"
      case .consumerPosition: "consumer's position"
      case .intent: "step's intent"
      case .queueState: "work queue's state"
      }
    return "\(path): the \(name) has version \(found), and this library knows versions up to \(supported)".printable
  }
}
