/// Who has a log open for writing.
public struct LockHolder: Hashable, Sendable {
  /// What is locked: the namespace; of a LogStore's partition, its number.
  public let namespace: String
  /// The process that has it; nil where that cannot be told.
  public let processID: Int32?
  /// Since when; nil where that cannot be told.
  public let since: Timestamp?

  package init(namespace: String, processID: Int32?, since: Timestamp?) {
    self.namespace = namespace
    self.processID = processID
    self.since = since
  }
}

extension LockHolder: CustomStringConvertible {
  /// The namespace, and who has it since when, as far as that is known.
  public var description: String {
    var text = "“\(namespace)” is open for writing"
    if let processID { text += processID == ThisProcess.identity ? " in this process" : " in process \(processID)" }
    if let since { text += " since \(since)" }
    return text.printable
  }
}
