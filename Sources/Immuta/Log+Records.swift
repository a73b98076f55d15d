extension Log {
  /// The committed records of a range of numbers, as an ordinary sequence, for code that is not async.
  ///
  /// The records are read and checked before it returns, so that going through them cannot fail: a range whose records
  /// fit 4 MiB is held, a larger one is gone through once to check it and read again, in chunks of 256 KiB, as it is
  /// iterated. Iterating then traps if the device fails to give the same bytes a second time, or if the storage was
  /// closed in between.
  ///
  /// - Complexity: O(bytes of the records), in bounded memory.
  /// - Throws: `.recordNotFound` when a number is not (yet) a record's, `.corrupted` naming the first damaged one,
  ///   `.undecodable`, `.storageClosed`, `.io`.
  public func records(in range: Range<Int>) throws(ImmutaError) -> RecordSequence {
    try refresh()
    try reader.checkOpen()
    let count = reader.count
    if range.lowerBound < 0 { throw .recordNotFound(range.lowerBound) }
    if range.upperBound > count { throw .recordNotFound(Swift.max(count, range.lowerBound)) }
    var stream = stream(from: .skipping(range.lowerBound))
    var held: [Record] = []
    var heldSize = 0
    while stream.position < range.upperBound {
      guard let record = try stream.nextAtOnce() else { throw .recordNotFound(stream.position) }
      heldSize += Swift.max(record.size, record.payload.count) + reader.format.recordHeaderSize
      if heldSize <= RecordSequence.largestHeld {
        held.append(record)
      } else {
        held = []
      }
    }
    return RecordSequence(log: self, range: range, held: heldSize <= RecordSequence.largestHeld ? held : nil)
  }
}

/// Committed records of a log, in order: see ``Log/records(in:)``. May be iterated any number of times.
public struct RecordSequence: Sequence, Sendable {
  fileprivate let log: Log
  fileprivate let range: Range<Int>
  fileprivate let held: [Record]?

  static var largestHeld: Int { 4 << 20 }

  /// How many records there are. O(1).
  public var count: Int { range.count }
  /// The same, exactly. O(1).
  public var underestimatedCount: Int { range.count }

  /// Starts at the first record. O(1).
  public func makeIterator() -> Iterator { Iterator(self) }

  /// Goes through the records.
  public struct Iterator: IteratorProtocol {
    private let sequence: RecordSequence
    private var stream: RecordStream

    fileprivate init(_ sequence: RecordSequence) {
      self.sequence = sequence
      stream = sequence.log.stream(from: .skipping(sequence.range.lowerBound))
    }

    /// The next record, or nil behind the last. O(bytes of the record).
    public mutating func next() -> Record? {
      guard stream.position < sequence.range.upperBound else { return nil }
      if let held = sequence.held {
        defer { stream.position += 1 }
        return held[stream.position - sequence.range.lowerBound]
      }
      do {
        guard let record = try stream.nextAtOnce() else {
          preconditionFailure("record \(stream.position) was committed and is not there")
        }
        return record
      } catch {
        preconditionFailure("record \(stream.position) was whole a moment ago: \(error)")
      }
    }
  }
}
