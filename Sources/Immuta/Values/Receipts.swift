/// Where records are that were appended together: see `append(contentsOf:)` of ``Log``.
///
/// Together they have one run of numbers, so this takes no more memory for a million of them than for one. It does not say where
/// a single record lies in the file: find the record by its number.
public struct Receipts: LogReceipts, Hashable {
  /// The records' numbers in their log. Empty, at the number that the next record gets, where nothing was appended.
  public let sequences: Range<Int>
  /// Stored payload bytes of all of them, without size fields: as ``Receipt/size``.
  public let size: Int

  @usableFromInline
  package init(sequences: Range<Int>, size: Int) {
    self.sequences = sequences
    self.size = size
  }
}
