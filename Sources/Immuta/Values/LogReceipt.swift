/// Says that a record was appended, and which number it has: see ``AppendOnlyLog``.
public protocol LogReceipt: Sendable {
  /// The record's number in its log: 0 for the first.
  var sequence: Int { get }
}

/// Says that records were appended together, and which numbers they have: see ``AppendOnlyLog``.
public protocol LogReceipts: Sendable {
  /// The records' numbers in their log, one run. Empty where nothing was appended.
  var sequences: Range<Int> { get }
}

extension LogReceipts {
  /// How many records were appended. O(1).
  @inlinable public var count: Int { sequences.count }

  /// Whether no record was appended. O(1).
  @inlinable public var isEmpty: Bool { sequences.isEmpty }
}
