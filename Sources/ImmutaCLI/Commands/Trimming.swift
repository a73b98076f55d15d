import Immuta

/// The work of `trim`, on a namespace or on a partition.
@MainActor final class Trimming {
  private let kind: LogKind
  private let name: String
  private let directory: String
  private let options: TrimOptions
  private var expected: TrimReport?

  init(kind: LogKind, name: String, directory: String, _ options: TrimOptions) {
    (self.kind, self.name, self.directory, self.options) = (kind, name, directory, options)
  }

  /// Looks which segments would be removed, whether or not somebody writes the log. Returns the name of its codec.
  func look(_ open: () throws -> (log: Log, close: () -> Void)) throws -> String {
    let (log, close) = try open()
    defer { close() }
    log.sayOpeningNote(kind)
    var report = try report(of: log)
    report.leftovers = try LogSurvey.leftoverCount(name, in: directory, isPartition: kind == .partition)
    expected = report
    return report.all.codec
  }

  /// Prints which segments would be removed; removes them if asked to.
  ///
  /// - Parameters:
  ///   - next: the command that was typed, without what is kept.
  ///   - open: opens the log to remove records, which takes no key.
  func remove(
    _ codecName: String, next: String, _ open: (Storage.Configuration) throws -> (storage: Storage, log: Log)
  ) async throws {
    guard let expected else { preconditionFailure("looked at before") }
    let command = "\(next) \(options.choice.words)"
    if !options.apply || (expected.segments.isEmpty && expected.leftovers == 0) { return try print(expected, command) }
    let configuration = Storage.Configuration.withoutKeys(codecName: codecName)
    let (storage, log): (Storage, Log)
    do {
      (storage, log) = try options.lock.waiting { try open(configuration) }
    } catch ImmutaError.locked(let holder) {
      throw ToolError(
        "nothing was removed: \(holder), and while it has the log only that process can remove records. Start it so that "
          + "it does: `immuta \(kind == .partition ? "logstore " : "")append` has --keep-bytes, --keep-age and --keep-records, and a program "
          + "has its storage's retention. Or wait with --wait until it closes the log", .locked)
    }
    defer { storage.close() }
    // Opening has removed what an earlier removal left.
    var done = try report(of: log)
    done.leftovers = expected.leftovers
    done.isApplied = !done.segments.isEmpty || done.leftovers > 0
    var failure: (any Error)?
    if let last = done.segments.last {
      let end = last.records.upperBound
      do { done.firstSequence = try await log.removeRecords(before: end) } catch { failure = error }
      if let failure, log.firstSequence < end { throw failure }
      done.firstSequence = log.firstSequence
    }
    // Whatever could not be removed, the log is closed in good order.
    do { try await storage.shutdown() } catch { if failure == nil { throw error } }
    try print(done, command)
    if let failure {
      throw ToolError(
        "the records are gone, and not all of their files: \(Failure(failure).message ?? "\(failure)"); what is left goes when "
          + "the log is next opened for appending, or trimmed")
    }
  }

  private func report(of log: Log) throws -> TrimReport {
    TrimReport(
      label: kind.label(name), kind: kind, name: name, segments: try options.choice.removable(from: log),
      count: log.count,
      firstSequence: log.firstSequence, all: try log.details)
  }

  private func print(_ report: TrimReport, _ command: String) throws {
    let output = Output()
    if options.json {
      output.bytes += report.json
    } else {
      for line in report.lines(next: report.isApplied ? nil : command) { try output.line(line) }
    }
    try output.flush()
  }
}
