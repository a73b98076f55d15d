/// The process that has a log open for writing.
public struct LockHolder: Hashable, Sendable {
  /// What is locked: the namespace; of a LogStore's partition, its number.
  public let namespace: String
  /// The process that holds the lock; nil if it is not known.
  public let processID: Int32?
  /// Since when; nil if it is not known.
  public let since: Timestamp?

  package init(namespace: String, processID: Int32?, since: Timestamp?) {
    self.namespace = namespace
    self.processID = processID
    self.since = since
  }
}

extension LockHolder: CustomStringConvertible {
  /// The namespace, the process that has it, and since when, as far as they are known.
  public var description: String {
    "“\(namespace)” is open for writing\(Self.place(processID, since))".printable
  }

  /// In which process, and since when, as far as that is known.
  static func place(_ processID: Int32?, _ since: Timestamp?) -> String {
    var text = ""
    if let processID { text += processID == ThisProcess.identity ? " in this process" : " in process \(processID)" }
    if let since { text += " since \(since)" }
    return text
  }
}
