/// Where a work queue is: the first record of a summary in its state log. Blocks follow it, in the same commit. Records of the
/// state log before a summary do not count any more.
///
/// ```
/// offset 0      4         8          24      32      40      48     56       64       72     80
/// +------+---------+----------+-------+-------+-------+-------+--------+--------+-----+
/// | KIND | VERSION | IDENTITY | QUEUE | FRONT | FRONT | FRONT | STABLE | BLOCKS |  0  |
/// |  4   |    4    |    16    |   8   |   8   | INDEX | TIME  |   8    |   8    |  8  |
/// +------+---------+----------+-------+-------+-------+-------+--------+--------+-----+
/// ```
///
/// KIND is 1. IDENTITY is that of the log whose records are the jobs, zeros if it was not known. QUEUE is that of the position's
/// file: if that one differs, the queue was moved since, and nothing here counts. All records before FRONT are done; INDEX and
/// TIME are those of the record before it, as in a ``ConsumerMark/Place``.
struct QueueHeader: Hashable, Sendable {
  var identity: LogIdentity?
  var queue: UInt64
  var front: ConsumerMark.Place
  var stable: Int
  /// How many blocks follow.
  var blocks: Int

  static var kind: UInt32 { 1 }
  static var version: UInt32 { 1 }
  static var size: Int { 80 }

  /// The version of a summary's first record; nil for other records.
  static func version(of bytes: UnsafeRawBufferPointer) -> UInt32? {
    guard bytes.count >= 8, unsafe bytes.loadInteger(at: 0, as: UInt32.self) == kind else { return nil }
    return unsafe bytes.loadInteger(at: 4)
  }

  /// Nil for bytes that no summary begins with.
  init?(decoding bytes: UnsafeRawBufferPointer) {
    guard bytes.count == Self.size else { return nil }
    let front: Int = unsafe bytes.loadInteger(at: 32)
    let index: Int = unsafe bytes.loadInteger(at: 40)
    guard (0...LogFormat.mostRecords).contains(front), index >= 0 else { return nil }
    unsafe self.init(
      identity: LogIdentity(decoding: UnsafeRawBufferPointer(rebasing: bytes[8..<8 + LogIdentity.size])),
      queue: bytes.loadInteger(at: 24),
      front: ConsumerMark.Place(front, index: index, time: bytes.loadInteger(at: 48)),
      stable: bytes.loadInteger(at: 56), blocks: bytes.loadInteger(at: 64))
    guard stable >= 0, blocks >= 0 else { return nil }
  }

  init(identity: LogIdentity?, queue: UInt64, front: ConsumerMark.Place, stable: Int, blocks: Int) {
    (self.identity, self.queue, self.front) = (identity, queue, front)
    (self.stable, self.blocks) = (stable, blocks)
  }

  var encoded: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Self.size)
    unsafe bytes.withMutableBytes { bytes in
      unsafe bytes.storeInteger(Self.kind, at: 0)
      unsafe bytes.storeInteger(Self.version, at: 4)
      unsafe identity?.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[8..<8 + LogIdentity.size]))
      unsafe bytes.storeInteger(queue, at: 24)
      unsafe bytes.storeInteger(front.number, at: 32)
      unsafe bytes.storeInteger(front.index, at: 40)
      unsafe bytes.storeInteger(front.time, at: 48)
      unsafe bytes.storeInteger(stable, at: 56)
      unsafe bytes.storeInteger(blocks, at: 64)
    }
    return bytes
  }
}

/// A summary's state of up to 1,024 jobs in a row; of more jobs, only if all of them are done.
///
/// ```
/// offset 0      4       8       16    24      32      40    48          48 + 8 × WORDS
/// +------+-------+-------+-----+-------+-------+-------+---------------+----------------+
/// | KIND | COUNT | FIRST | END | LAST  | LAST  | WORDS | done: a bit   | COUNT × 24:    |
/// |  4   |   4   |   8   |  8  | INDEX | TIME  |   8   | for each job  | see ``Entry``  |
/// +------+-------+-------+-----+-------+-------+-------+---------------+----------------+
/// ```
///
/// KIND is 2. FIRST and END are numbers of records, LAST the record before END: INDEX and TIME are its, so the block
/// counts as long as that record is the same. Without WORDS, all jobs from FIRST to END are done.
struct QueueBlock: Hashable, Sendable {
  /// A job that is not done, and is not as it was appended: its number less FIRST (2 bytes), 2 zeros, DELIVERIES (4), DUE (8) and
  /// DELAY (8) as in a ``QueueEvent``; DUE is 0 for one that need not wait.
  struct Entry: Hashable, Sendable {
    var offset: Int
    var deliveries: Int
    var due: Int64
    var delay: Int64

    static var size: Int { 24 }
  }

  var first: Int
  var end: Int
  var index: Int
  var time: Int64
  /// Empty where all are done.
  var done: [UInt64]
  var entries: [Entry]

  static var kind: UInt32 { 2 }
  static var mostJobs: Int { 1024 }
  private static var fixedSize: Int { 48 }

  /// Where the last record is: the place after it.
  var place: ConsumerMark.Place { ConsumerMark.Place(end, index: index, time: time) }

  init(first: Int, end: Int, index: Int, time: Int64, done: [UInt64], entries: [Entry]) {
    precondition(first < end && (done.isEmpty ? entries.isEmpty : end - first <= done.count * 64), "a block has jobs")
    (self.first, self.end, self.index, self.time) = (first, end, index, time)
    (self.done, self.entries) = (done, entries)
  }

  /// Nil for bytes that are not a block.
  init?(decoding bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= Self.fixedSize, unsafe bytes.loadInteger(at: 0, as: UInt32.self) == Self.kind else {
      return nil
    }
    let count = unsafe Int(bytes.loadInteger(at: 4, as: UInt32.self))
    let (first, end): (Int, Int) = unsafe (bytes.loadInteger(at: 8), bytes.loadInteger(at: 16))
    let (index, words): (Int, Int) = unsafe (bytes.loadInteger(at: 24), bytes.loadInteger(at: 40))
    guard first >= 0, end > first, end <= LogFormat.mostRecords, index >= 0, (0...Self.mostJobs / 64).contains(words),
      count <= Self.mostJobs, bytes.count == Self.fixedSize + words * 8 + count * Entry.size,
      words == 0 ? count == 0 : end - first <= words * 64
    else { return nil }
    let entries: [Entry] = (0..<count).map { number in
      let offset = Self.fixedSize + words * 8 + number * Entry.size
      return unsafe Entry(
        offset: Int(bytes.loadInteger(at: offset, as: UInt16.self)),
        deliveries: Int(bytes.loadInteger(at: offset + 4, as: UInt32.self)), due: bytes.loadInteger(at: offset + 8),
        delay: bytes.loadInteger(at: offset + 16))
    }
    guard entries.allSatisfy({ $0.offset < end - first && $0.delay >= 0 }) else { return nil }
    self.init(
      first: first, end: end, index: index, time: unsafe bytes.loadInteger(at: 32),
      done: (0..<words).map { unsafe bytes.loadInteger(at: Self.fixedSize + $0 * 8) }, entries: entries)
  }

  var encoded: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Self.fixedSize + done.count * 8 + entries.count * Entry.size)
    unsafe bytes.withMutableBytes { bytes in
      unsafe bytes.storeInteger(Self.kind, at: 0)
      unsafe bytes.storeInteger(UInt32(entries.count), at: 4)
      unsafe bytes.storeInteger(first, at: 8)
      unsafe bytes.storeInteger(end, at: 16)
      unsafe bytes.storeInteger(index, at: 24)
      unsafe bytes.storeInteger(time, at: 32)
      unsafe bytes.storeInteger(done.count, at: 40)
      for (number, word) in done.enumerated() { unsafe bytes.storeInteger(word, at: Self.fixedSize + number * 8) }
      for (number, entry) in entries.enumerated() {
        let offset = Self.fixedSize + done.count * 8 + number * Entry.size
        unsafe bytes.storeInteger(UInt16(entry.offset), at: offset)
        unsafe bytes.storeInteger(UInt32(clamping: entry.deliveries), at: offset + 4)
        unsafe bytes.storeInteger(entry.due, at: offset + 8)
        unsafe bytes.storeInteger(entry.delay, at: offset + 16)
      }
    }
    return bytes
  }
}
