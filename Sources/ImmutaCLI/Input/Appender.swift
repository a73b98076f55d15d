import Immuta

/// Appends the records of an input to a log, and tells of each.
///
/// All the records of one read are committed, then flushed together if they are to be on stable storage, and then told:
/// a line that comes alone is told alone, and many lines share a flush.
final class Appender {
  /// What was appended.
  struct Summary: Equatable {
    var records = 0
    var bytes = 0
    /// Number of the first record.
    var first: Int?

    /// One line for people.
    func text(namespace: String, count: Int, time: Duration) -> String {
      var text = "appended \(Quantities.counted(records, "record")), \(Quantities.counted(bytes, "byte"))"
      text += ", to \(namespace) in \(Quantities.time(time))"
      text += Quantities.rateSuffix(bytes, in: time)
      return text + "; it has \(Quantities.grouped(count))"
    }
  }

  private static let mostReceiptBytes = 1 << 20

  private(set) var summary = Summary()
  private let log: Log
  private let isSynced: Bool
  private let receipts: Output?
  private let progress: (bar: Progress, total: Int)?
  private var bytesOfInputsBefore = 0
  /// Whether records were committed since the last ``tell()``.
  private var hasNews = false

  init(to log: Log, isSynced: Bool, receipts: Output?, progress: (Progress, Int)? = nil) {
    self.log = log
    self.isSynced = isSynced
    self.receipts = receipts
    self.progress = progress
  }

  /// Appends all records of an input.
  func append(_ input: RecordInput) async throws {
    repeat {
      while let next = input.next() {
        switch next {
        case .whole(let record): try await appendOne(record)
        case .large(let pieces):
          // Whoever waits for the receipts of those before does not wait for all of this one.
          try await tell()
          note(try await log.append(pieces))
        }
      }
      try await tell()
      progress?.bar.update(bytesOfInputsBefore + input.bytesRead, of: progress?.total ?? 0)
    } while try input.fill()
    if let last = input.takeLast() { try await appendOne(last) }
    try await tell()
    bytesOfInputsBefore += input.bytesRead
  }

  /// Ends what failed: tells of the records that were committed before, and takes the progress bar away.
  func giveUp() async {
    try? await tell()
    finish()
  }

  /// Takes the progress bar away.
  func finish() {
    progress?.bar.finish()
  }

  private func appendOne(_ record: ArraySlice<UInt8>) async throws {
    note(try await log.append(record))
    if let receipts, receipts.bytes.count >= Self.mostReceiptBytes { try await tell() }
  }

  private func note(_ receipt: Receipt) {
    if summary.first == nil { summary.first = receipt.sequence }
    summary.records += 1
    summary.bytes += receipt.size
    if let receipts {
      JSON.receipt(sequence: receipt.sequence, index: receipt.index, size: receipt.size, into: &receipts.bytes)
    }
    hasNews = true
  }

  private func tell() async throws {
    guard hasNews else { return }
    hasNews = false
    if isSynced { try await log.sync() }
    try receipts?.flush()
  }
}
