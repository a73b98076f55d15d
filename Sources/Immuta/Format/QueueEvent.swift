/// What happened to one job of a work queue: a record of 64 bytes in the queue's state log, `<namespace>.consumers/<name>.log`.
///
/// ```
/// offset 0      4            8        16      24     32       40    48      56
/// +------+------------+--------+-------+------+--------+-----+-------+-----+
/// | KIND | DELIVERIES | NUMBER | INDEX | TIME | STABLE | DUE | DELAY |  0  |
/// |  4   |     4      |   8    |   8   |  8   |   8    |  8  |   8   |  8  |
/// +------+------------+--------+-------+------+--------+-----+-------+-----+
/// ```
///
/// NUMBER, INDEX and TIME are those of the job's record, as in a ``ConsumerMark/Place``: an event counts only if the record is
/// still the same one. INDEX is 0 if it is unknown. STABLE is how many of the log's records were known to be on stable storage
/// when the event was written: after a restart of the machine, events of other records do not count. DUE is a moment in
/// nanoseconds since 1970, and DELAY how long before that the event was written, so that a wrong clock delays no job for longer.
struct QueueEvent: Hashable, Sendable {
  enum Kind: UInt32 {
    /// Given to a worker, for the time that DELIVERIES says. Written before the worker has it.
    case delivered = 16
    /// Acknowledged, or appended to the dead letters.
    case done = 17
    /// To be given again once it is DUE.
    case due = 18
    /// A record that is about to be appended, and is not to be given before it is DUE. TIME is the CRC-32C of its payload: it
    /// has no time yet.
    case planned = 19
    /// That record was not appended.
    case withdrawn = 20
    /// No job: only STABLE counts.
    case stable = 21
  }

  var kind: Kind
  var number = 0
  var index = 0
  var time: Int64 = 0
  var deliveries = 0
  var stable = 0
  var due: Int64 = 0
  var delay: Int64 = 0

  static var size: Int { 64 }

  /// Where the record is: the place after it.
  var place: ConsumerMark.Place { ConsumerMark.Place(number + 1, index: index, time: time) }
}

extension QueueEvent {
  /// Nil for bytes that are not an event, or that no version has written.
  init?(decoding bytes: UnsafeRawBufferPointer) {
    guard bytes.count == Self.size, let kind = unsafe Kind(rawValue: bytes.loadInteger(at: 0)) else { return nil }
    unsafe self.init(
      kind: kind, number: bytes.loadInteger(at: 8), index: bytes.loadInteger(at: 16), time: bytes.loadInteger(at: 24),
      deliveries: Int(bytes.loadInteger(at: 4, as: UInt32.self)), stable: bytes.loadInteger(at: 32),
      due: bytes.loadInteger(at: 40), delay: bytes.loadInteger(at: 48))
    guard (0..<LogFormat.mostRecords).contains(number), index >= 0, stable >= 0, delay >= 0 else { return nil }
  }

  func encode(into bytes: UnsafeMutableRawBufferPointer) {
    precondition(bytes.count == Self.size, "an event has \(Self.size) bytes")
    unsafe bytes.storeInteger(kind.rawValue, at: 0)
    unsafe bytes.storeInteger(UInt32(clamping: deliveries), at: 4)
    unsafe bytes.storeInteger(number, at: 8)
    unsafe bytes.storeInteger(index, at: 16)
    unsafe bytes.storeInteger(time, at: 24)
    unsafe bytes.storeInteger(stable, at: 32)
    unsafe bytes.storeInteger(due, at: 40)
    unsafe bytes.storeInteger(delay, at: 48)
    unsafe bytes.storeInteger(0 as Int64, at: 56)
  }
}
