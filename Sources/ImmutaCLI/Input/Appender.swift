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
  private let target: any AppendTarget
  private let isSynced: Bool
  private let receipts: Output?
  /// The total is nil where nobody knows it.
  private let progress: (bar: Progress, total: Int?)?
  private var bytesOfInputsBefore = 0
  /// Whether records were committed since the last ``report()``.
  private var hasNews = false

  private let skipped: SkippedLines
  /// The line that is appended, from 1 on, and the input's name where there are several.
  private var line = (number: 0, input: String?.none)

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
    line = (0, name)
    if let (bar, total) = progress {
      let before = bytesOfInputsBefore
      input.whenRead = { bar.update(before + $0, of: total) }
    }
    do {
      try await appendAll(of: input)
    } catch let error as RecordTooLong {
      throw ToolError(
        "\(place(line.number + 1, input.unit)) has more than \(ByteCount(error.most).argument) bytes, and nothing of it was appended: "
          + "give a higher --max-record if it may be so long")
    }
  }

  private func appendAll(of input: RecordInput) async throws {
    repeat {
      while let next = try input.next() {
        switch next {
        case .whole(let record): try await appendOne(record)
        case .large(let pieces):
          // Whoever waits for the receipts of those before does not wait for all of this one.
          try await report()
          do {
            note(try await target.append(pieces, number: line.number + 1))
            line.number += 1
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

  /// The error that ended it, and how many records came before: who repeats the whole input appends those again.
  func failure(_ error: any Error) -> any Error {
    let failure = Failure(error)
    guard summary.records > 0, !(error is Interrupted), let message = failure.message else { return error }
    return ToolError("\(message); \(whatCameBefore)", failure.status)
  }

  /// The error of the flush at the end: what was appended, and even reported, may not be on stable storage.
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
    let unsettled = summary.records - settled
    guard isSynced, unsettled > 0 else {
      return isSynced
        ? "\(Quantities.counted(settled, "record")) before it \(settled == 1 ? "is" : "are") on stable storage"
        : said(summary.records, " before it")
    }
    let lost = "\(said(unsettled, settled == 0 ? " before it" : " after them")), and may be lost"
    if settled == 0 { return lost }
    return
      "\(Quantities.counted(settled, "record")) before it \(settled == 1 ? "is" : "are") on stable storage; \(lost)"
  }

  private func appendOne(_ record: ArraySlice<UInt8>) async throws {
    line.number += 1
    do {
      if let receipt = try await target.append(record, number: line.number) { note(receipt) } else { hasNews = true }
    } catch let refusal as LineRefusal {
      return try skip(refusal)
    }
    if let receipts, receipts.bytes.count >= Self.mostReceiptBytes { try await report() }
  }

  private func place(_ number: Int, _ unit: String = "line") -> String {
    "\(unit) \(number)\(line.input.map { " of \($0)" } ?? "")"
  }

  private func skip(_ refusal: LineRefusal) throws {
    try skipped.take("\(place(line.number)) \(refusal.reason)")
  }

  private func note(_ receipt: AppendReceipt) {
    if summary.first == nil { summary.first = receipt.sequence }
    summary.records += 1
    summary.bytes += receipt.size
    if let receipts { receipt.append(to: &receipts.bytes) }
    hasNews = true
  }

  private func report() async throws {
    guard hasNews else { return }
    hasNews = false
    for receipt in try await target.settle() { note(receipt) }
    hasNews = false
    if isSynced { try await target.sync() }
    settled = summary.records
    try receipts?.flush()
  }
}
