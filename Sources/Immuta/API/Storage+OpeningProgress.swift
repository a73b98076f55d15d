extension Storage {
  /// How far the opening of a log has come.
  public struct OpeningProgress: Hashable, Sendable {
    /// The log's namespace.
    public let namespace: String
    /// The log file.
    public let path: String
    /// What is done of `total`. It never goes down while a log is opened; once that is over, whatever came of it, it is all.
    public let done: Int
    /// What there is to do at most: bytes of the log, once for each time that it is gone through.
    public let total: Int

    /// From one word to the logger to the next.
    static let logInterval = Duration.seconds(5)
  }
}
