import CImmutaCRC32C

/// What a step over several logs is about to do: a slot of `<directory>/.intents/<first of the names>`. The store of this slot
/// commits the step: from then on the whole step is carried out, by the process that began it or by the next opening of one of
/// the logs.
///
/// Two slots of 65,536 bytes are written in turn; in a slot, as many bytes count as LENGTH says:
///
/// ```
/// offset 0       8         12       16           24        32      36     40          44       48
/// +--------+---------+--------+------------+---------+-------+------+-----------+-------+------------------+
/// | MAGIC  | VERSION | LENGTH | GENERATION | BOOT ID | FLAGS | LOGS | CONSUMERS |   0   | the parts, then  |
/// |   8    |    4    |   4    |     8      |    8    |   4   |  4   |     4     |   4   | CRC-32C of all   |
/// +--------+---------+--------+------------+---------+-------+------+-----------+-------+------------------+
///
/// a log       | NAME LEN 2 | NAME | IDENTITY 16 | FORMAT 4 | FIRST 8 | BEFORE 8 | AFTER 8 | START 8 | END 8 | TIME 8 | CRC 4 |
/// a consumer  | NAME LEN 2 | NAME | LEN 2 | CONSUMER | MADE 8 | GENERATION 8 | NUMBER 8 | INDEX 8 | TIME 8 |
/// ```
///
/// FLAGS is 1 where the records were on stable storage before, and this slot is. FIRST names the segment, by its first record;
/// BEFORE and AFTER are the log's numbers of records; START and END the byte offsets in the segment between which the step's
/// records lie; CRC is the CRC-32C of their checksums, 4 bytes each; each checksum is the CRC-32C of a record's header and
/// payload. MADE and GENERATION identify the state of the consumer's position that the step moves on from.
package struct StepIntent: Hashable, Sendable {
  /// What a log gets.
  package struct LogPart: Hashable, Sendable {
    package var namespace: String
    package var identity: LogIdentity
    package var format: LogFormat
    /// The first record of the segment that the records are in.
    package var first: Int
    /// Records of the log before the step, and after.
    package var counts: Range<Int>
    /// Where the records lie in the segment.
    package var bytes: Range<Int>
    /// When they are committed, in nanoseconds since 1970.
    package var time: Int64
    /// Of the records' checksums.
    package var checksum: UInt32

    package init(
      _ namespace: String, _ identity: LogIdentity, _ format: LogFormat, first: Int, counts: Range<Int>,
      bytes: Range<Int>, time: Int64, checksum: UInt32
    ) {
      (self.namespace, self.identity, self.format, self.first) = (namespace, identity, format, first)
      (self.counts, self.bytes, self.time, self.checksum) = (counts, bytes, time, checksum)
    }
  }

  /// Where a consumer goes on.
  package struct ConsumerPart: Hashable, Sendable {
    package var namespace: String
    package var consumer: String
    /// See ``ConsumerMark/made``.
    package var made: UInt64
    /// Of the position's file, before the step.
    package var generation: UInt64
    package var place: ConsumerMark.Place

    package init(
      _ namespace: String, _ consumer: String, made: UInt64, generation: UInt64, place: ConsumerMark.Place
    ) {
      (self.namespace, self.consumer, self.made) = (namespace, consumer, made)
      (self.generation, self.place) = (generation, place)
    }
  }

  package var logs: [LogPart]
  package var consumers: [ConsumerPart]
  /// Whether everything that it names was on stable storage before; then the step counts once the slot is.
  package var isStable: Bool
  /// Of the run of the machine in which it was written; 0 where nobody knows.
  package var bootIdentity: UInt64

  package init(logs: [LogPart], consumers: [ConsumerPart], isStable: Bool, bootIdentity: UInt64) {
    (self.logs, self.consumers, self.isStable) = (logs, consumers, isStable)
    self.bootIdentity = bootIdentity
  }

  package static var version: UInt32 { 1 }
  private static var magic: UInt64 { 0x544E_4E49_4154_4D49 }  // "IMTAINNT", little-endian
  package static var slotSize: Int { 1 << 16 }
  private static var headSize: Int { 48 }

  /// What a file of intents holds.
  package struct Slots {
    /// The whole intents with their generations, the older one first.
    package var whole: [(intent: StepIntent, generation: UInt64)] = []
    /// The version of a slot that was written by a program newer than this one.
    package var unknownVersion: UInt32?
  }

  /// Where the slot of a generation lies.
  package static func offset(of generation: UInt64) -> Int { Int(generation & 1) * slotSize }

  // MARK: Reading

  /// How many bytes of a slot are to be read, by the first ones; at least these.
  package static func length(ofSlotIn sector: ArraySlice<UInt8>) -> Int {
    let length = unsafe Array(sector).withBytes { unsafe Int($0.loadInteger(at: 12, as: UInt32.self)) }
    return min(max(length, sector.count), slotSize)
  }

  /// The slots in a file's first bytes: two at most.
  package static func slots(in bytes: UnsafeRawBufferPointer) -> Slots {
    slots(
      [0, slotSize].map { offset in
        offset < bytes.count ? unsafe Array(bytes[offset..<min(bytes.count, offset + slotSize)]) : []
      })
  }

  /// The same, given the bytes of each slot, as far as they were read.
  package static func slots(_ parts: [[UInt8]]) -> Slots {
    var slots = Slots()
    for (place, bytes) in parts.enumerated() {
      guard let head = head(ofWholeSlot: bytes) else { continue }
      if head.version != Self.version {
        slots.unknownVersion = head.version
        continue
      }
      guard Self.offset(of: head.generation) == place * slotSize,
        let intent = StepIntent(decoding: Array(bytes[..<(head.length - 4)]))
      else { continue }
      slots.whole.append((intent, head.generation))
    }
    if slots.whole.count == 2, TwoSlots.isNewer(slots.whole[0].generation, than: slots.whole[1].generation) {
      slots.whole.reverse()
    }
    return slots
  }

  /// The head of a slot whose checksum is right, whatever its version; nil if it is wrong.
  package static func head(
    ofWholeSlot bytes: [UInt8]
  ) -> (version: UInt32, generation: UInt64, length: Int)? {
    guard bytes.count > headSize else { return nil }
    return unsafe bytes.withBytes { slot in
      let length = unsafe Int(slot.loadInteger(at: 12, as: UInt32.self))
      guard unsafe slot.loadInteger(at: 0, as: UInt64.self) == magic, length >= headSize + 4, length <= slot.count,
        unsafe slot.loadInteger(at: length - 4, as: UInt32.self) == crc32c_extend(0, slot.baseAddress, length - 4)
      else { return nil }
      return unsafe (slot.loadInteger(at: 8), slot.loadInteger(at: 16), length)
    }
  }

  private init?(decoding bytes: [UInt8]) {
    var fields = Fields(bytes, at: 24)
    guard let boot = fields.integer(UInt64.self), let flags = fields.integer(UInt32.self),
      let logCount = fields.integer(UInt32.self), let consumerCount = fields.integer(UInt32.self),
      fields.integer(UInt32.self) != nil
    else { return nil }
    self.init(logs: [], consumers: [], isStable: flags & 1 == 1, bootIdentity: boot)
    for _ in 0..<logCount {
      guard let part = LogPart(&fields) else { return nil }
      logs.append(part)
    }
    for _ in 0..<consumerCount {
      guard let part = ConsumerPart(&fields) else { return nil }
      consumers.append(part)
    }
  }

  /// Reads one field after the other.
  fileprivate struct Fields {
    private let bytes: [UInt8]
    private var offset: Int

    init(_ bytes: [UInt8], at offset: Int) {
      (self.bytes, self.offset) = (bytes, offset)
    }

    /// Nil at the end.
    mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self) -> T? {
      guard offset + MemoryLayout<T>.size <= bytes.count else { return nil }
      defer { offset += MemoryLayout<T>.size }
      return unsafe bytes.withBytes { unsafe $0.loadInteger(at: offset, as: T.self) }
    }

    /// Nil for bytes that cannot be a name.
    mutating func name() -> String? {
      guard let length = integer(UInt16.self).map(Int.init), offset + length <= bytes.count else { return nil }
      defer { offset += length }
      guard let name = String(validating: bytes[offset..<offset + length], as: UTF8.self), FileName.isValid(name)
      else { return nil }
      return name
    }

    mutating func identity() -> LogIdentity? {
      guard offset + LogIdentity.size <= bytes.count else { return nil }
      defer { offset += LogIdentity.size }
      let range = offset..<offset + LogIdentity.size
      return unsafe bytes.withBytes { unsafe LogIdentity(decoding: UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    /// Nil unless the second number is at least the first, and both are some that a log can have.
    mutating func range(upTo most: Int) -> Range<Int>? {
      guard let lower = integer(Int.self), let upper = integer(Int.self), lower >= 0, upper >= lower, upper <= most
      else { return nil }
      return lower..<upper
    }
  }

  // MARK: Writing

  /// The bytes of the slot of a generation, in whole sectors; nil where they are too many for one.
  package func encoded(generation: UInt64) -> [UInt8]? {
    let names = logs.map(\.namespace) + consumers.flatMap { [$0.namespace, $0.consumer] }
    let length =
      Self.headSize + names.reduce(0) { $0 + 2 + $1.utf8.count } + logs.count * LogPart.fixedSize
      + consumers.count * ConsumerPart.fixedSize + 4
    if length > Self.slotSize { return nil }
    var writer = Writer(count: (length + 511) / 512 * 512)
    writer.add(Self.magic)
    writer.add(Self.version)
    writer.add(UInt32(length))
    writer.add(generation)
    writer.add(bootIdentity)
    writer.add(UInt32(isStable ? 1 : 0))
    writer.add(UInt32(logs.count))
    writer.add(UInt32(consumers.count))
    writer.add(UInt32(0))
    for part in logs { part.add(to: &writer) }
    for part in consumers { part.add(to: &writer) }
    writer.addChecksum()
    precondition(writer.offset == length, "a slot is as long as it was said to be")
    return writer.bytes
  }

  /// Stores one field after the other.
  fileprivate struct Writer {
    private(set) var bytes: [UInt8]
    private(set) var offset = 0

    init(count: Int) { bytes = [UInt8](repeating: 0, count: count) }

    mutating func add<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
      let offset = offset
      unsafe bytes.withMutableBytes { unsafe $0.storeInteger(value, at: offset) }
      self.offset += MemoryLayout<T>.size
    }

    mutating func add(_ name: String) {
      add(UInt16(name.utf8.count))
      bytes.replaceSubrange(offset..<offset + name.utf8.count, with: name.utf8)
      offset += name.utf8.count
    }

    mutating func add(_ identity: LogIdentity) {
      let range = offset..<offset + LogIdentity.size
      unsafe bytes.withMutableBytes {
        unsafe identity.encode(into: UnsafeMutableRawBufferPointer(rebasing: $0[range]))
      }
      offset += LogIdentity.size
    }

    mutating func addChecksum() {
      let offset = offset
      add(unsafe bytes.withBytes { unsafe crc32c_extend(0, $0.baseAddress, offset) })
    }
  }
}

extension StepIntent.LogPart {
  fileprivate static var fixedSize: Int { LogIdentity.size + 4 + 6 * 8 + 4 }

  fileprivate init?(_ fields: inout StepIntent.Fields) {
    guard let namespace = fields.name(), let identity = fields.identity(),
      let number = fields.integer(UInt32.self), let format = UInt8(exactly: number).flatMap(LogFormat.init(rawValue:)),
      format.hasCount,
      let first = fields.integer(Int.self), let counts = fields.range(upTo: LogFormat.mostRecords),
      let bytes = fields.range(upTo: LogFormat.largestPayload), let time = fields.integer(Int64.self),
      let checksum = fields.integer(UInt32.self), first >= 0, first <= counts.lowerBound,
      bytes.lowerBound >= format.headerSize
    else { return nil }
    self.init(
      namespace, identity, format, first: first, counts: counts, bytes: bytes, time: time, checksum: checksum)
  }

  fileprivate func add(to writer: inout StepIntent.Writer) {
    writer.add(namespace)
    writer.add(identity)
    writer.add(UInt32(format.rawValue))
    for number in [first, counts.lowerBound, counts.upperBound, bytes.lowerBound, bytes.upperBound] {
      writer.add(number)
    }
    writer.add(time)
    writer.add(checksum)
  }

  /// The checksum of one more record, after those before it.
  package static func extend(_ checksum: UInt32, with record: UInt32) -> UInt32 {
    var bytes = record.littleEndian
    return unsafe withUnsafeBytes(of: &bytes) { unsafe crc32c_extend(checksum, $0.baseAddress, $0.count) }
  }
}

extension StepIntent.ConsumerPart {
  fileprivate static var fixedSize: Int { 5 * 8 }

  fileprivate init?(_ fields: inout StepIntent.Fields) {
    guard let namespace = fields.name(), let consumer = fields.name(), let made = fields.integer(UInt64.self),
      let generation = fields.integer(UInt64.self), let number = fields.integer(Int.self),
      let index = fields.integer(Int.self), let time = fields.integer(Int64.self),
      (0...LogFormat.mostRecords).contains(number), index >= 0
    else { return nil }
    self.init(
      namespace, consumer, made: made, generation: generation,
      place: ConsumerMark.Place(number, index: index, time: time))
  }

  fileprivate func add(to writer: inout StepIntent.Writer) {
    writer.add(namespace)
    writer.add(consumer)
    writer.add(made)
    writer.add(generation)
    writer.add(place.number)
    writer.add(place.index)
    writer.add(place.time)
  }
}
