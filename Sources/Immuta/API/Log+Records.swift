extension Log {
  /// The committed records of a range of numbers, as an ordinary sequence, for code that is not async.
  ///
  /// The records are read and checked before it returns, so that going through them cannot fail. A range whose records
  /// fit 4 MiB is held in memory. A larger one is gone through once to check it and read again, in chunks of 256 KiB, as
  /// it is iterated; that traps if the device fails. Closing the storage meanwhile does no harm: the sequence keeps the
  /// files open, for reading, as long as it is held.
  ///
  /// Where the log is open for reading only, another program may cut the file short at any moment: there the records are
  /// held in memory, however many they are. To go through many, use a stream.
  ///
  /// - Complexity: O(bytes of the records), in bounded memory where the log is open for appending.
  /// - Throws: `.recordNotFound` when a number is not (yet) a record's, `.corrupted` naming the first damaged one,
  ///   `.undecodable`, `.storageClosed`, `.io`.
  public func records(in range: Range<Int>) throws(ImmutaError) -> RecordSequence {
    try refresh()
    try reader.checkOpen()
    let count = reader.count
    if range.lowerBound < 0 { throw .recordNotFound(range.lowerBound) }
    if range.upperBound > count { throw .recordNotFound(Swift.max(count, range.lowerBound)) }
    var stream = stream(from: .skipping(range.lowerBound))
    let format = reader.format
    // What was read a moment ago need not be there any more in a file that others may cut.
    let mostHeld = isFollowing ? Int.max : RecordSequence.largestHeld
    var held: [Record] = []
    var heldSize = 0
    while stream.position < range.upperBound {
      guard let record = try stream.nextAtOnce() else { throw .recordNotFound(stream.position) }
      heldSize += Swift.max(record.size, record.payload.count) + format.recordHeaderSize
      if isFollowing { _ = try record.payload.inMemory() }
      if heldSize <= mostHeld {
        held.append(record)
      } else {
        held = []
      }
    }
    if heldSize <= mostHeld { return RecordSequence(range: range, records: .held(held)) }
    let reader = reader
    // Other files may be read by now.
    if range.upperBound > reader.count { throw .recordNotFound(reader.count) }
    return RecordSequence(range: range, records: .file(try reader.independent()))
  }
}

/// Committed records of a log, in order: see ``Log/records(in:)``. May be iterated any number of times.
public struct RecordSequence: Sequence, Sendable {
  fileprivate let range: Range<Int>
  fileprivate let records: Source

  fileprivate enum Source {
    case held([Record])
    /// A reader of its own, which closing the storage does not touch.
    case file(LogReader)
  }

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
    private var position: Int
    private var chunk: Chunk?

    fileprivate init(_ sequence: RecordSequence) {
      self.sequence = sequence
      position = sequence.range.lowerBound
    }

    /// The next record, or nil after the last. O(bytes of the record).
    public mutating func next() -> Record? {
      guard position < sequence.range.upperBound else { return nil }
      defer { position += 1 }
      switch sequence.records {
      case .held(let records): return records[position - sequence.range.lowerBound]
      case .file(let reader):
        do throws(ImmutaError) {
          return try read(reader)
        } catch {
          preconditionFailure("record \(position) was whole a moment ago: \(error)")
        }
      }
    }

    private mutating func read(_ reader: LogReader) throws(ImmutaError) -> Record {
      if let record = try chunk?.record(position, reader.check) { return record }
      let left = sequence.range.upperBound - position
      let count = reader.count
      switch try reader.read(position, count: count, most: Swift.min(left, 1024), reader: 0) {
      case .single(let record, _): return record
      case .chunk(let chunk, _, _):
        defer { self.chunk = chunk }
        guard let record = try chunk.record(position, reader.check) else {
          throw reader.check.corrupted(position, chunk.start, "the log ends inside it")
        }
        return record
      }
    }
  }
}
