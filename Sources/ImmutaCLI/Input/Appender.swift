import Immuta

/// Appends the records of an input, and reports each.
///
/// All the records of one read are committed, then flushed together if they are to be on stable storage, and then reported:
/// a line that comes alone is reported alone, and many lines share a flush.
final class Appender {
  /// What was appended.
  struct Summary: Equatable {
    var records = 0
    var bytes = 0
    /// Number of the first record.
    var first: Int?

    /// How many records and bytes there were, for programs.
    func add(to object: inout JSONObject) {
      object.add("records", records)
      object.add("bytes", bytes)
    }
  }

  private static let mostReceiptBytes = 1 << 20

  private(set) var summary = Summary()
  /// Records that are reported, and with `isSynced` on stable storage.
  private var settled = 0
  /// Where the last record of the input is that was appended, and the last that is settled.
  private var last: (appended: Appended?, settled: Appended?)
  /// The lines that were taken and are appended later, in their order.
  private var taken: [Line] = []
  private let target: any AppendTarget
  private let isSynced: Bool
  private let receipts: Output?
  /// The total is nil where nobody knows it.
  private let progress: (bar: Progress, total: Int?)?
  private var bytesOfInputsBefore = 0
  /// Whether records were committed since the last ``report()``.
  private var hasNews = false

  private let skipped: SkippedLines
  /// The line that is appended.
  private var line = Line()

  /// A line of the input: from 1 on, what it is called, and the input's name where there are several.
  private struct Line {
    var number = 0
    var unit = "line"
    var input: String?
  }

  /// A record of the log, and the line that it was.
  private struct Appended {
    let line: Line
    let receipt: AppendReceipt

    var description: String {
      "\(line.unit) \(line.number) of \(line.input ?? "the input"), is record \(receipt.sequence)"
        + (receipt.partition.map { " of partition \($0)" } ?? "")
    }
  }

  init(
    to target: any AppendTarget, isSynced: Bool, receipts: Output?,
    skipped: SkippedLines = SkippedLines(isAllowed: false), progress: (Progress, Int?)? = nil
  ) {
    self.skipped = skipped
    self.target = target
    self.isSynced = isSynced
    self.receipts = receipts
    self.progress = progress
  }

  /// Appends all records of an input.
  ///
  /// - Parameter name: what it is called in errors, where there are several.
  func append(_ input: RecordInput, name: String? = nil) async throws {
    line = Line(unit: input.unit, input: name)
    if let (bar, total) = progress {
      let before = bytesOfInputsBefore
      input.whenRead = { bar.update(before + $0, of: total) }
    }
    do {
      try await appendAll(of: input)
    } catch let error as RecordTooLong {
      throw ToolError(
        "\(place(line.number + 1)) has more than \(ByteCount(error.most).argument) bytes, and nothing of it was appended: "
          + "give a higher --max-record if it may be so long")
    }
  }

  private func appendAll(of input: RecordInput) async throws {
    repeat {
      while let next = try input.next() {
        switch next {
        case .whole(let record): try await appendOne(record)
        case .large(let pieces):
          // A program that waits for the receipts of earlier records must not wait for all of this one.
          try await report()
          do {
            let receipt = try await target.append(pieces, number: line.number + 1)
            line.number += 1
            note(receipt, line)
          } catch let refusal as LineRefusal {
            line.number += 1
            try skip(refusal)
            // What is left of it is not the next line.
            for try await _ in pieces {}
          }
        }
      }
      try await report()
    } while try input.fill()
    if let last = try input.takeLast() { try await appendOne(last) }
    try await report()
    bytesOfInputsBefore += input.bytesRead
  }

  /// Ends what failed: reports the records that were committed before, and takes the progress bar away.
  func giveUp() async {
    try? await report()
    finish()
  }

  /// Takes the progress bar away.
  func finish() {
    progress?.bar.finish()
  }

  /// The error that ended it, and how many records came before: repeating the whole input would append those again.
  func failure(_ error: any Error) -> any Error {
    let failure = Failure(error)
    guard summary.records > 0, !(error is Interrupted), let message = failure.message else { return error }
    return ToolError("\(message); \(whatCameBefore)", failure.status)
  }

  /// The error of the flush at the end: appended records, even reported ones, may not be on stable storage.
  func failure(ofFlush error: any Error) -> any Error {
    let failure = Failure(error)
    guard !isSynced, summary.records > 0, let message = failure.message else { return self.failure(error) }
    let lost =
      summary.records == 1
      ? "the record that was appended may be lost"
      : "up to \(Quantities.counted(summary.records, "record")) that were appended may be lost"
    return ToolError("\(message); \(lost)", failure.status)
  }

  private var whatCameBefore: String {
    func said(_ count: Int, _ place: String) -> String {
      "\(Quantities.counted(count, "record"))\(place) \(count == 1 ? "was" : "were") appended"
    }
    let unsettled = isSynced ? summary.records - settled : 0
    let stable = "\(Quantities.counted(settled, "record")) before it \(settled == 1 ? "is" : "are") on stable storage"
    if unsettled == 0 {
      let goOn = last.appended.map { ": the last one, \($0.description); go on after that \(line.unit)" } ?? ""
      return (isSynced ? stable : said(summary.records, " before it")) + goOn
    }
    let lost =
      "\(said(unsettled, settled == 0 ? " before it" : " after them")), and may be lost: see how many the log has before you "
      + "go on"
    guard settled > 0 else { return lost }
    return "\(stable)\(last.settled.map { ": the last one, \($0.description)" } ?? ""); \(lost)"
  }

  private func appendOne(_ record: ArraySlice<UInt8>) async throws {
    line.number += 1
    do {
      if let receipt = try await target.append(record, number: line.number) {
        note(receipt, line)
      } else {
        taken.append(line)
        hasNews = true
      }
    } catch let refusal as LineRefusal {
      return try skip(refusal)
    }
    if let receipts, receipts.bytes.count >= Self.mostReceiptBytes { try await report() }
  }

  private func place(_ number: Int) -> String {
    "\(line.unit) \(number)\(line.input.map { " of \($0)" } ?? "")"
  }

  private func skip(_ refusal: LineRefusal) throws {
    try skipped.take("\(place(line.number)) \(refusal.reason)")
  }

  private func note(_ receipt: AppendReceipt, _ line: Line) {
    last.appended = Appended(line: line, receipt: receipt)
    if summary.first == nil { summary.first = receipt.sequence }
    summary.records += 1
    summary.bytes += receipt.size
    if let receipts { receipt.append(to: &receipts.bytes) }
    hasNews = true
  }

  private func report() async throws {
    guard hasNews else { return }
    for (position, receipt) in try await target.settle().enumerated() { note(receipt, taken[position]) }
    taken.removeAll(keepingCapacity: true)
    hasNews = false
    if isSynced { try await target.sync() }
    (settled, last.settled) = (summary.records, last.appended)
    try receipts?.flush()
  }
}
