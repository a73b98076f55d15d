extension Log {
  /// What is known of a log without reading it.
  public struct Details: Hashable, Sendable {
    /// The namespace's name.
    public let namespace: String
    /// The log file.
    public let path: String
    /// The log file's layout.
    public let format: LogFormat
    /// Committed records.
    public let count: Int
    /// Bytes of the log, header and committed records: its file's size once it is closed.
    public let byteCount: Int
    /// Records known to be on stable storage.
    public let stableCount: Int
    /// When the first record was committed; nil when there is none.
    public let firstTimestamp: Timestamp?
    /// When the last record was committed; nil when there is none.
    public let lastTimestamp: Timestamp?
    /// What opening found that people should know, such as a log that was not closed and what became of it; nil when there
    /// was nothing.
    public let openingNote: String?
  }
}

extension Log.Details {
  init(_ log: Log, openingNote: String?) throws(ImmutaError) {
    let count = log.reader.count
    namespace = log.namespace
    path = log.files.log
    format = log.reader.format
    self.count = count
    byteCount = log.reader.end
    stableCount = log.stableCount
    firstTimestamp = count == 0 ? nil : try log.reader.timestamp(of: 0)
    lastTimestamp = count == 0 ? nil : try log.reader.timestamp(of: count - 1)
    self.openingNote = openingNote
  }
}

extension Log.Details: CustomStringConvertible {
  /// One line for people.
  public var description: String {
    var text = "\(namespace): \(count) records in \(byteCount) bytes (\(format))"
    if let firstTimestamp, let lastTimestamp { text += ", \(firstTimestamp) to \(lastTimestamp)" }
    if let openingNote { text += "; \(openingNote)" }
    return text
  }
}
