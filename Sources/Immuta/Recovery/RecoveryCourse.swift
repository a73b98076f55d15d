/// How the records of a log are found, by its headers alone.
enum RecoveryCourse: Equatable {
  /// The header can be no log's.
  case refused(String)
  /// The log was closed with so many records: the last one's entry leads to its end.
  case closed(promised: Int)
  /// The log was not closed; so many records are on stable storage: the entries after them are compared with the log.
  case crashed(stable: Int)
  /// Only the log says what it holds: the size fields lead through so many records; nil for all of them.
  case withoutCompanion(count: Int?)

  /// - Parameter companion: the header of the log's companion, of the log's format.
  init(_ companion: CompanionHeader?, _ header: LogHeader?, _ format: LogFormat, fileSize: Int) {
    let wasNotClosed = companion.map { !$0.isClean } ?? false
    // After a crash the header may be newer than the file's size, or older than its records: the companion decides then.
    if !wasNotClosed, let contradiction = header?.contradiction(format: format, fileSize: fileSize) {
      self = .refused(contradiction)
    } else if let companion {
      self = companion.isClean ? .closed(promised: companion.stableCount) : .crashed(stable: companion.stableCount)
    } else {
      self = .withoutCompanion(count: header?.count)
    }
  }
}
