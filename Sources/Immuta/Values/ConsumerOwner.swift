/// Who has a consumer: see ``Consumer``.
public struct ConsumerOwner: Hashable, Sendable {
  /// The consumer's name.
  public let consumer: String
  /// The log that it reads.
  public let namespace: String
  /// The process that has it; nil if it is not known.
  public let processID: Int32?
  /// Since when; nil if it is not known.
  public let since: Timestamp?

  package init(consumer: String, namespace: String, processID: Int32?, since: Timestamp?) {
    self.consumer = consumer
    self.namespace = namespace
    self.processID = processID
    self.since = since
  }
}

extension ConsumerOwner: CustomStringConvertible {
  /// The consumer, its log, the process that has it, and since when, as far as they are known.
  public var description: String {
    "“\(consumer)” of “\(namespace)” is in use\(LockHolder.place(processID, since))".printable
  }
}
