/// How far a consumer has come in a log: a slot of its position file, `<namespace>.consumers/<name>.position`, two slots as
/// ``TwoSlots`` describes them, each a sector of 512 bytes: it is written with each acknowledgement, and mostly not flushed.
///
/// ```
/// offset 0       8         12     16           24         40     48      56      64       72      80      88        96      104
/// +--------+---------+------+------------+----------+------+-------+-------+--------+-------+-------+---------+-------+------+
/// | MAGIC  | VERSION |  0   | GENERATION | IDENTITY | LAST | LAST  | LAST  | STABLE | ST.   | ST.   | BOOT ID | QUEUE | MADE |
/// |   8    |    4    |  4   |     8      |    16    |  8   | INDEX | TIME  |   8    | INDEX | TIME  |    8    |   8   |  8   |
/// +--------+---------+------+------------+----------+------+-------+-------+--------+-------+-------+---------+-------+------+
///
/// offset 112                        508
/// +---------+---------------------+--------+
/// | PENDING | names of that many  |  CRC   |
/// |    2    | logs …              |   4    |
/// +---------+---------------------+--------+
/// ```
///
/// IDENTITY is the log's, zeros if it was not known. LAST and STABLE are numbers of records: the first one that the consumer has
/// not acknowledged. LAST counts for as long as the machine has not restarted since, which BOOT ID shows; STABLE counts
/// afterwards: it is never beyond the records that were on stable storage when the slot was written. INDEX and TIME are those of
/// the record before, by its entry in the companion: so a log that was put back from an older copy, and has grown since, is
/// detected. Where they are not known, INDEX is 0; where only TIME is not known, TIME is 0. MADE is a random number from when the
/// position was made, or made again: with GENERATION it shows whether the position is the one that a step was to move on from,
/// see ``StepIntent``. PENDING counts the logs that steps of the consumer have appended to, if not all of these records are known
/// to be on stable storage; it is 65,535 for more than the slot has room for. Each one's name follows, after its length (2
/// bytes). STABLE does not go past such a step.
///
/// QUEUE is 0 for a consumer. For a work queue it is a number that is drawn when the queue is made or moved, and that its state
/// log names: see ``QueueHeader``. It is odd once there is such a log.
///
/// After the slots, the file names the process that has the consumer, as a lock's file does.
package struct ConsumerMark: Hashable, Sendable {
  /// A record's number, and what is known of the record before it.
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
  /// Tells a position from another one that had its name before; 0 in files from before steps.
  package var made: UInt64
  /// The logs that its steps have appended to, where not all of that is known to be on stable storage.
  package var pending = PendingLogs.these([])

  /// Logs of the directory, by their names.
  package enum PendingLogs: Hashable, Sendable {
    case these(Set<String>)
    /// More than can be named.
    case any
  }

  package init(identity: LogIdentity?, last: Place, stable: Place, bootIdentity: UInt64, made: UInt64 = 0) {
    (self.identity, self.last, self.stable, self.bootIdentity) = (identity, last, stable, bootIdentity)
    self.made = made
  }

  /// What counts now.
  ///
  /// - Parameter bootIdentity: of this run of the machine; 0 where nobody knows.
  package func place(inRun bootIdentity: UInt64) -> Place {
    bootIdentity != 0 && bootIdentity == self.bootIdentity ? last : stable
  }

  /// QUEUE of a work queue that is made or moved. No queue had it before, so whatever a state log says so far does not count.
  ///
  /// - Parameter hasStateLog: whether it is odd.
  package static func newQueue(hasStateLog: Bool) -> UInt64 {
    UInt64.random(in: 1...UInt64.max / 2) * 2 | (hasStateLog ? 1 : 0)
  }

  package static var version: UInt32 { 1 }
  private static var magic: UInt64 { 0x4E53_4F50_4154_4D49 }  // "IMTAPOSN", little-endian
  private static var identityOffset: Int { 24 }
  private static var lastOffset: Int { 40 }
  private static var stableOffset: Int { 64 }
  private static var bootOffset: Int { 88 }
  private static var queueOffset: Int { 96 }
  private static var madeOffset: Int { 104 }
  fileprivate static var pendingOffset: Int { 112 }
  /// Where the checksum begins.
  fileprivate static var end: Int { TwoSlots.sector - 4 }

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
    let found = unsafe TwoSlots.found(in: bytes, magic: magic, used: TwoSlots.sector) {
      slot, version -> ConsumerMark? in
      if version != Self.version { unknown = version }
      return version == Self.version ? unsafe ConsumerMark(decodingWholeSlot: slot) : nil
    }
    return Slots(current: found.current.map { ($0.content, $0.generation) }, unknownVersion: unknown)
  }

  private init?(decodingWholeSlot bytes: UnsafeRawBufferPointer) {
    let range = Self.identityOffset..<Self.identityOffset + LogIdentity.size
    guard let last = unsafe Place(bytes, at: Self.lastOffset), let stable = unsafe Place(bytes, at: Self.stableOffset),
      stable.number <= last.number
    else { return nil }
    unsafe self.init(
      identity: LogIdentity(decoding: UnsafeRawBufferPointer(rebasing: bytes[range])), last: last, stable: stable,
      bootIdentity: bytes.loadInteger(at: Self.bootOffset), made: bytes.loadInteger(at: Self.madeOffset))
    queue = unsafe bytes.loadInteger(at: Self.queueOffset)
    guard let pending = unsafe PendingLogs(bytes) else { return nil }
    self.pending = pending
  }

  /// The slot of a generation, for `TwoSlots.offset(of:)`: a sector.
  package func encoded(generation: UInt64) -> [UInt8] {
    unsafe TwoSlots.encoded(
      magic: Self.magic, version: Self.version, generation: generation, used: TwoSlots.sector
    ) { bytes in
      let range = Self.identityOffset..<Self.identityOffset + LogIdentity.size
      unsafe identity?.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[range]))
      unsafe last.store(in: bytes, at: Self.lastOffset)
      unsafe stable.store(in: bytes, at: Self.stableOffset)
      unsafe bytes.storeInteger(bootIdentity, at: Self.bootOffset)
      unsafe bytes.storeInteger(queue, at: Self.queueOffset)
      unsafe bytes.storeInteger(made, at: Self.madeOffset)
      unsafe pending.store(in: bytes)
    }
  }
}

extension ConsumerMark.Place {
  /// Nil for values that no position can have.
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

extension ConsumerMark.PendingLogs {
  /// The same, with more of them.
  package mutating func add(_ names: [String]) {
    if case .these(let before) = self { self = .these(before.union(names)) }
  }

  private static var countOfAny: UInt16 { .max }

  /// Nil for values that no slot can have.
  fileprivate init?(_ slot: UnsafeRawBufferPointer) {
    var offset = ConsumerMark.pendingOffset + 2
    let count: UInt16 = unsafe slot.loadInteger(at: offset - 2)
    if count == Self.countOfAny {
      self = .any
      return
    }
    var names: Set<String> = []
    for _ in 0..<count {
      guard offset + 2 <= ConsumerMark.end else { return nil }
      let length = unsafe Int(slot.loadInteger(at: offset, as: UInt16.self))
      offset += 2
      guard offset + length <= ConsumerMark.end,
        let name = unsafe String(validating: slot[offset..<offset + length], as: UTF8.self), FileName.isValid(name)
      else { return nil }
      names.insert(name)
      offset += length
    }
    self = .these(names)
  }

  fileprivate func store(in slot: UnsafeMutableRawBufferPointer) {
    var offset = ConsumerMark.pendingOffset + 2
    guard case .these(let names) = self,
      names.reduce(offset, { $0 + 2 + $1.utf8.count }) <= ConsumerMark.end
    else { return unsafe slot.storeInteger(Self.countOfAny, at: offset - 2) }
    unsafe slot.storeInteger(UInt16(names.count), at: offset - 2)
    for name in names.sorted() {
      unsafe slot.storeInteger(UInt16(name.utf8.count), at: offset)
      unsafe UnsafeMutableRawBufferPointer(rebasing: slot[(offset + 2)...]).copyBytes(from: Array(name.utf8))
      offset += 2 + name.utf8.count
    }
  }

  package var isEmpty: Bool { self == .these([]) }
}
