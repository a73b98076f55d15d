/// A record whose bytes are in the log's file and that nobody knows of yet.
struct StagedRecord {
  var index: Int
  var checksum: UInt32
}

/// The staged records of a transaction, or of a round, in order: the commit writes their entries. If there are many, only the
/// last ones are in memory; the others are in a file without a name beside the log.
struct StagedRecords {
  /// The last ones: where there are any, the very last among them.
  private(set) var latest: [StagedRecord] = []
  /// How many come before the ones in memory.
  private(set) var spilledCount = 0
  private var file: SpillFile?

  /// Records that go into the file together.
  static var pieceCount: Int { 1 << 15 }
  /// Records whose memory is kept for the next transaction.
  private static var largestKept: Int { 4096 }
  private static var recordSize: Int { 16 }

  /// All of them.
  private(set) var count = 0

  @inline(__always)
  var isEmpty: Bool { count == 0 }
  @inline(__always)
  var last: StagedRecord? { latest.last }
  /// Whether `spill` must be called before the next one is added.
  @inline(__always)
  var isDue: Bool { count &- spilledCount > Self.pieceCount }

  @inline(__always)
  mutating func append(_ record: StagedRecord) {
    assert(latest.last.map { $0.index < record.index } ?? true, "staged records lie one after the other")
    latest.append(record)
    count &+= 1
  }

  /// Moves all but the last record in memory to the file. Throws before anything changed.
  mutating func spill(beside files: LogFiles) throws(ImmutaError) {
    precondition(isDue, "the last record stays in memory")
    var bytes = [UInt8](repeating: 0, count: Self.pieceCount * Self.recordSize)
    unsafe bytes.withUnsafeMutableBytes { bytes in
      for (position, record) in latest.prefix(Self.pieceCount).enumerated() {
        unsafe bytes.storeInteger(record.index, at: position * Self.recordSize)
        unsafe bytes.storeInteger(record.checksum, at: position * Self.recordSize + 8)
      }
    }
    if file == nil { file = try io(SpillFile(beside: files, masked: false)) }
    try io(file?.append(&bytes))
    spilledCount += Self.pieceCount
    latest.removeFirst(Self.pieceCount)
  }

  /// The records of the file from one on, `pieceCount` of them.
  func spilled(from first: Int) throws(ImmutaError) -> [StagedRecord] {
    guard let file else { preconditionFailure("nothing was spilled") }
    var bytes = [UInt8](repeating: 0, count: Self.pieceCount * Self.recordSize)
    try io(file.read(into: &bytes, at: first * Self.recordSize))
    return unsafe bytes.withUnsafeBytes { bytes in
      (0..<Self.pieceCount).map { position in
        unsafe StagedRecord(
          index: bytes.loadInteger(at: position * Self.recordSize),
          checksum: bytes.loadInteger(at: position * Self.recordSize + 8))
      }
    }
  }

  mutating func removeAll() {
    latest.removeAll(keepingCapacity: latest.count <= Self.largestKept && file == nil)
    if spilledCount > 0 { (spilledCount, file) = (0, nil) }
    count = 0
  }
}
