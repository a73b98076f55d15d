import Immuta

/// What is known of a log without reading it.
struct LogShape: Encodable {
  let name: String
  /// Its number, if it is a partition of a store.
  let partition: Int?
  /// Why it cannot be opened; then only the name is there.
  var error: String?
  var path: String?
  var format: String?
  /// The codec that it was written with; empty for none, and where nothing beside the log names it.
  var codec: String?
  /// What is shown of payloads: “appended”, “decoded” or “stored”.
  var shown: String?
  /// Why payloads are not decoded; nil where they are, or need not be.
  var whyStored: String?
  var identity: String?
  /// Records that exist.
  var records: Int?
  /// The number that the next record gets.
  var count: Int?
  var firstSequence: Int?
  var segments: Int?
  var bytes: Int?
  /// Records known to be on stable storage, counted as `count` is.
  var stable: Int?
  /// Records whose checksum is from when they were appended.
  var verifiable: Int?
  var first: String?
  var last: String?
  /// What opening found that people should know.
  var note: String?
  /// Damage that opening found.
  var damage: String?
  /// Why times may be wrong.
  var clock: [String]?

  init(_ shown: ShownLog, _ details: Log.Details) {
    (name, partition) = ("\(shown.name)", shown.name.partition)
    (self.shown, whyStored) = (shown.showing.name, shown.showing.reason)
    (path, format, codec) = (details.path, "\(details.format)", details.codec)
    identity = details.identity.map { "\($0)" }
    (records, count, firstSequence) = (shown.log.numbers.count, details.count, details.firstSequence)
    (segments, bytes) = (details.segmentCount, details.byteCount)
    (stable, verifiable) = (details.stableCount, details.verifiable)
    (first, last) = (details.firstTimestamp.map { "\($0)" }, details.lastTimestamp.map { "\($0)" })
    (note, damage) = (details.openingNote, details.damage.map { "\($0)" })
    clock = details.clock.map { "\($0)" }
  }

  init(unreadable name: LogName, _ error: any Error) {
    (self.name, partition) = ("\(name)", name.partition)
    self.error = Failure(error).message
  }
}

/// What is known of a store of partitions.
struct StoreShape: Encodable {
  /// How many there are; nil for a store that cannot be opened.
  var partitions: Int?
  /// How keys pick their partition.
  var routing: String?
  /// Why it cannot be opened; then there is nothing else.
  var error: String?
}

/// One file of a log.
struct SegmentShape: Encodable {
  let firstSequence: Int
  let records: Int
  let bytes: Int
  let first: String?
  let last: String?
  let path: String?
  let isNewest: Bool
  /// Why it cannot be read.
  let error: String?

  init(_ details: SegmentDetails) {
    (firstSequence, records, bytes) = (details.records.lowerBound, details.records.count, details.byteCount)
    (first, last) = (details.firstTimestamp.map { "\($0)" }, details.lastTimestamp.map { "\($0)" })
    (path, isNewest, error) = (details.path, details.isNewest, details.failure.map { "\($0)" })
  }
}

/// A durable consumer, or a work queue.
struct ConsumerShape: Encodable {
  let name: String
  let isWorkQueue: Bool
  let position: Int?
  let lag: Int?
  let removed: Int?
  /// Who has it, in words; nil for nobody.
  let owner: String?
  let error: String?

  init(_ details: ConsumerDetails) {
    (name, isWorkQueue) = (details.name, details.isWorkQueue)
    (position, lag, removed) = (details.position, details.lag, details.removed)
    owner = details.owner.map { owner in owner.processID.map { "process \($0)" } ?? "another process" }
    error = details.fault.map { "\($0)" }
  }
}
