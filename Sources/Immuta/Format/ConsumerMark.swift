/// How far a consumer has come in a log: a slot of its position file, `<namespace>.consumers/<name>.position`, two slots of
/// 2,048 bytes as ``TwoSlots`` describes them.
///
/// ```
/// offset 0       8         12     16           24         40     48      56      64       72      80      88        96
/// +--------+---------+------+------------+----------+------+-------+-------+--------+-------+-------+---------+--------+
/// | MAGIC  | VERSION |  0   | GENERATION | IDENTITY | LAST | LAST  | LAST  | STABLE | ST.   | ST.   | BOOT ID |  CRC   |
/// |   8    |    4    |  4   |     8      |    16    |  8   | INDEX | TIME  |   8    | INDEX | TIME  |    8    | 2,044  |
/// +--------+---------+------+------------+----------+------+-------+-------+--------+-------+-------+---------+--------+
/// ```
///
/// IDENTITY is the log's, zeros where nothing said it. LAST and STABLE are numbers of records: the first one that the
/// consumer has not acknowledged. LAST counts for as long as the machine has not restarted since, which BOOT ID tells;
/// STABLE counts afterwards: it is never beyond what was on stable storage of the log when the slot was written. INDEX and
/// TIME are those of the record before, by its entry in the companion: so a log that was put back from an older copy, and has
/// grown since, is noticed. Where they are not known, INDEX is 0; where only TIME is not known, TIME is 0.
///
/// QUEUE is 0 for a consumer. For a work queue it is a number that is drawn when the queue is made or moved, and that its state
/// log names: see ``QueueHeader``. It is odd once there is such a log.
///
/// After the slots the process that has the consumer says who it is, as in the file of a lock.
package struct ConsumerMark: Hashable, Sendable {
  /// A record's number, and what is known of the record before.
  package struct Place: Hashable, Sendable {
    package var number: Int
    /// Of the record before; 0 where nothing is known of it.
    package var index = 0
    /// The same; 0 where only that is not known.
    package var time: Int64 = 0

    package init(_ number: Int, index: Int = 0, time: Int64 = 0) {
      precondition(number >= 0, "a position is at least 0")
      (self.number, self.index, self.time) = (number, index, time)
    }
  }

  /// Nil where nothing said whose log it is.
  package var identity: LogIdentity?
  package var last: Place
  package var stable: Place
  package var bootIdentity: UInt64
  /// 0 for a consumer.
  package var queue: UInt64 = 0

  package init(identity: LogIdentity?, last: Place, stable: Place, bootIdentity: UInt64) {
    (self.identity, self.last, self.stable, self.bootIdentity) = (identity, last, stable, bootIdentity)
  }

  /// What counts now.
  ///
  /// - Parameter bootIdentity: of this run of the machine; 0 where nobody knows.
  package func place(inRun bootIdentity: UInt64) -> Place {
    bootIdentity != 0 && bootIdentity == self.bootIdentity ? last : stable
  }

  package static var version: UInt32 { 1 }
  private static var magic: UInt64 { 0x4E53_4F50_4154_4D49 }  // "IMTAPOSN", little-endian
  private static var identityOffset: Int { 24 }
  private static var lastOffset: Int { 40 }
  private static var stableOffset: Int { 64 }
  private static var bootOffset: Int { 88 }
  private static var queueOffset: Int { 96 }

  /// What a position file holds.
  package struct Slots {
    /// The newest that is whole, and its generation.
    package var current: (mark: ConsumerMark, generation: UInt64)?
    /// The version of a slot that is whole and was written by a program newer than this one.
    package var unknownVersion: UInt32?
  }

  /// The slots of a file whose first `TwoSlots.size` bytes are given.
  package static func slots(in bytes: UnsafeRawBufferPointer) -> Slots {
    var unknown: UInt32?
    let found = unsafe TwoSlots.found(in: bytes, magic: magic) { slot, version -> ConsumerMark? in
      if version != Self.version { unknown = version }
      return version == Self.version ? unsafe ConsumerMark(decodingWholeSlot: slot) : nil
    }
    return Slots(current: found.current.map { ($0.content, $0.generation) }, unknownVersion: unknown)
  }

  private init?(decodingWholeSlot bytes: UnsafeRawBufferPointer) {
    let range = Self.identityOffset..<Self.identityOffset + LogIdentity.size
    guard let last = unsafe Place(bytes, at: Self.lastOffset), let stable = unsafe Place(bytes, at: Self.stableOffset)
    else { return nil }
    unsafe self.init(
      identity: LogIdentity(decoding: UnsafeRawBufferPointer(rebasing: bytes[range])), last: last, stable: stable,
      bootIdentity: bytes.loadInteger(at: Self.bootOffset))
    queue = unsafe bytes.loadInteger(at: Self.queueOffset)
  }

  /// The slot of a generation, for `TwoSlots.offset(of:)`.
  package func encoded(generation: UInt64) -> [UInt8] {
    unsafe TwoSlots.encoded(magic: Self.magic, version: Self.version, generation: generation) { bytes in
      let range = Self.identityOffset..<Self.identityOffset + LogIdentity.size
      unsafe identity?.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[range]))
      unsafe last.store(in: bytes, at: Self.lastOffset)
      unsafe stable.store(in: bytes, at: Self.stableOffset)
      unsafe bytes.storeInteger(bootIdentity, at: Self.bootOffset)
      unsafe bytes.storeInteger(queue, at: Self.queueOffset)
    }
  }
}

extension ConsumerMark.Place {
  /// Nil for what no position can be.
  fileprivate init?(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    let number: Int = unsafe bytes.loadInteger(at: offset)
    let index: Int = unsafe bytes.loadInteger(at: offset + 8)
    guard (0...LogFormat.mostRecords).contains(number), index >= 0 else { return nil }
    self.init(number, index: index, time: unsafe bytes.loadInteger(at: offset + 16))
  }

  fileprivate func store(in bytes: UnsafeMutableRawBufferPointer, at offset: Int) {
    unsafe bytes.storeInteger(number, at: offset)
    unsafe bytes.storeInteger(index, at: offset + 8)
    unsafe bytes.storeInteger(time, at: offset + 16)
  }
}
