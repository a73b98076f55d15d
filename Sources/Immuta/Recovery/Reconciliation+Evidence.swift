// Whether a file is a log at all.
extension Reconciliation {
  /// The evidence that a file that opening refused is a log.
  enum Evidence {
    /// Nothing: no number of its header fits, and no record can be found.
    case none
    /// Bytes that can be read as records. So can a few bytes of many a file.
    case records
    /// Its companion, a number of its header that fits its records, or records that fill it to its end.
    case agreement
  }

  mutating func evidence() throws(ImmutaError) -> Evidence {
    if disk.companion != nil { return .agreement }
    if header == nil {
      if let size = try log.size(at: 0), try log.bearsItsChecksum(at: 0, size: size) { return .agreement }
      let isAbsurd = try log.isBeyondBelief(at: 0)
      if !isAbsurd, try log.mayBeCutOff(at: 0) { return .agreement }
      return try log.hasWholeRecord(after: 0) ? .agreement : .none
    }
    if header?.contradiction(format: format, fileSize: fileSize) == nil { return .agreement }
    let walk = try walked()
    if walk.claimed > 0 { return .agreement }
    // A file that is no log of v2 may be one of v1: there, a header and one record are enough.
    if walk.countWithBytes == 0 { return try mayBeOfAnotherFormat() ? .agreement : .none }
    return try log.isBlank(from: walk.end) ? .agreement : .records
  }

  /// The damage of a file without any such evidence.
  func noLog() throws(ImmutaError) -> Corruption {
    try .noLog(disk.log, "nothing in it is a log's")
  }

  /// Whether nothing but the file's bytes said that this is v2, and it may be v1.
  func mayBeOfAnotherFormat() throws(ImmutaError) -> Bool {
    guard format == .v2, companionHeader == nil else { return false }
    return try LogFormat.mayBeFirst(disk.log)
  }
}
