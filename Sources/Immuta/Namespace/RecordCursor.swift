import Solid

/// A place in a log's records, and what was read ahead from there. It decides where the next record comes from: the records read
/// ahead, their chunk, the writer's windows, or the file.
///
/// A value; copies go their own ways. Whatever throws, the place stays, and the next call delivers the record that would have
/// come. How it goes on after the log's files were changed is in RecordCursor+Files.swift.
@usableFromInline
struct RecordCursor: Sendable {
  /// Number of the record that comes next; at least 0.
  private(set) var place = 0
  /// Nil, with a reason in `failure`, for a cursor without a log.
  let source: OpenLog?
  private let failure: ImmutaError?
  let visibility: StreamVisibility
  /// Which of the log's descriptors it reads through.
  private let readerNumber: Int
  /// The records of `chunk` that need no further check, if they are delivered as they are stored.
  private(set) var ahead = ReadAhead()
  private(set) var chunk: Chunk?
  /// The reader that `chunk` was read with: `ahead` does not hold it.
  private var chunkReader: LogReader?
  private var windows: TailWindows?
  /// How many records the next chunk is expected to hold.
  private var expected = 64

  // The following are for RecordCursor+Files.swift.

  /// The reader in which the place was checked; nil before that.
  var reader: LogReader?
  /// The entry of the record before the place, if `chunk` does not have it.
  var anchor: (sequence: Int, entry: CompanionEntry)?
  /// What must hold of the log before the first record is delivered.
  var demand: Demand?
  /// Whether the place is the first record that was not removed, whatever its number is when it is read.
  private var beginsWithFirst = false
  /// The files that the last `.logChanged` was about, and how many records they share with the files read before. A cursor that
  /// is moved to one of these records is in these files, which may change again before it looks.
  var change: (lineage: Lineage, shared: Int)?

  enum Demand: Sendable {
    /// The place must not be beyond the end.
    case exists(Int)
    /// The same, and the position must be this log's.
    case isIn(LogIdentity)
    /// Passes over records until one was committed at or after this moment; the place is after the records that were passed over.
    case isAt(Timestamp)
  }

  init(_ source: OpenLog, from start: StreamPosition, only visibility: StreamVisibility, reader: Int) {
    self.visibility = visibility
    self.source = source
    failure = nil
    readerNumber = reader
    switch start {
    case .beginning: beginsWithFirst = true
    case .latest: begin(with: source.current, before: 0)
    case .last(let count):
      precondition(count >= 0, "a stream begins with the last 0 records or more")
      begin(with: source.current, before: count)
    case .skipping(let count):
      precondition(count >= 0, "a stream skips at least 0 records")
      place = count
    case .sequence(let number):
      place = max(0, number)
      demand = .exists(number)
    case .position(let position):
      place = position.sequence
      demand = .isIn(position.identity)
    case .time(let moment):
      demand = .isAt(moment)
      // The first read throws what stands in the way.
      try? passEarlier(than: moment, source)
    }
  }

  init(failing error: ImmutaError) {
    source = nil
    failure = error
    visibility = .committed
    readerNumber = 0
  }

  private mutating func begin(with reader: LogReader, before count: Int) {
    (place, self.reader) = (max(source?.firstSequence ?? 0, reader.count - count), reader)
  }

  /// Goes to the record of a number of at least 0.
  mutating func move(to number: Int) {
    precondition(number >= 0, "a stream's position is at least 0")
    place = number
    // The cursor did not come to this place by delivering records.
    (reader, anchor, demand, beginsWithFirst) = (nil, nil, nil, false)
    if let change, number > change.shared { self.change = nil }
    forgetChunk()
  }

  /// Where it stands, to keep it and go on from there later; nil if no file holds the log's identity.
  var position: Position? {
    // The identity of the log that was read: another one may have its name by now.
    (reader ?? source?.reader)?.identity.flatMap { Position(identity: $0, sequence: place) }
  }

  /// The next record if it is committed already; nil otherwise. Does not wait.
  @inline(__always)
  mutating func nextAtOnce() throws(ImmutaError) -> Record? {
    // A record that was read ahead may be delivered; the count need not be checked.
    if let record = ahead.record(place) {
      place &+= 1
      return record
    }
    return try nextFromLog()
  }

  @inline(never)
  private mutating func nextFromLog() throws(ImmutaError) -> Record? {
    let source = try openSource()
    do throws(ImmutaError) {
      return try next(in: source)
    } catch {
      source.noteDamage(error)
      throw error.of(source.namespace)
    }
  }

  private mutating func next(in source: OpenLog) throws(ImmutaError) -> Record? {
    if let demand {
      try meet(demand, source)
      // Nothing is late enough yet.
      if self.demand != nil {
        try source.checkEnd()
        return nil
      }
    }
    if beginsWithFirst { begin(in: source) }
    var reader = try self.reader(of: source)
    try reader.checkOpen()
    if let record = recordOfChunk(reader.check) { return take(record) }
    if place >= source.count(visibility, reader) {
      try source.refresh(visibility)
      reader = try self.reader(of: source)
      if place >= source.count(visibility, reader) {
        try source.checkEnd()
        return nil
      }
    }
    do throws(ImmutaError) {
      return try read(source, reader, source.count(visibility, reader))
    } catch {
      if let removal = source.removal(of: place) { throw removal }
      // The file may not be what it was.
      guard try source.isDueToChange(error, of: reader) else { throw error }
      reader = try self.reader(of: source)
      let count = source.count(visibility, reader)
      return place < count ? try read(source, reader, count) : nil
    }
  }

  /// Goes to the first record that was committed at or after a moment; if none was yet, after all existing records.
  mutating func passEarlier(than moment: Timestamp, _ source: OpenLog) throws(ImmutaError) {
    try source.refresh(visibility)
    var reader = try self.reader(of: source)
    do throws(ImmutaError) {
      try passEarlier(than: moment, source, reader)
    } catch {
      // The file may not be what it was.
      guard try source.isDueToChange(error, of: reader) else { throw error }
      reader = try self.reader(of: source)
      try passEarlier(than: moment, source, reader)
    }
  }

  private mutating func passEarlier(
    than moment: Timestamp, _ source: OpenLog, _ reader: LogReader
  ) throws(ImmutaError) {
    let count = source.count(visibility, reader)
    guard place < count else { return }
    place = try source.firstRecord(at: moment, in: place..<count, of: reader)
    // Records that came meanwhile were not checked.
    if place < count { demand = nil }
  }

  /// Throws what reading the first record would throw, as far as that is known without reading: that the log is closed, or that
  /// the place does not meet the demand.
  mutating func checkPlace() throws(ImmutaError) {
    let source = try openSource()
    do throws(ImmutaError) {
      if let demand { try meet(demand, source) }
      try source.checkOpen()
    } catch {
      throw error.of(source.namespace)
    }
  }

  /// The error for a place without a record.
  var missing: ImmutaError {
    let error = ImmutaError.recordNotFound(place)
    return source.map { error.of($0.namespace) } ?? error
  }

  /// The place, after the demand was checked: it is that of a record, or the end.
  mutating func placeThatExists() throws(ImmutaError) -> Int {
    let source = try openSource()
    do throws(ImmutaError) {
      if let demand { try meet(demand, source) }
      if beginsWithFirst { begin(in: source) }
      try meet(.exists(place), source)
      if let removal = source.removal(of: place) { throw removal }
      return place
    } catch {
      throw error.of(source.namespace)
    }
  }

  private mutating func begin(in source: OpenLog) {
    place = max(place, source.firstSequence)
  }

  /// Throws if no record comes at the place, or after it, because the log is damaged there.
  func checkEnd() throws(ImmutaError) {
    guard let source, source.endDamage != nil, place >= source.count(visibility, source.reader) else { return }
    do throws(ImmutaError) { try source.checkEnd() } catch { throw error.of(source.namespace) }
  }

  private func openSource() throws(ImmutaError) -> OpenLog {
    guard let source else { throw failure ?? .storageClosed }
    return source
  }

  /// The record at the place, if the chunk has it, whole. A damaged record is read again: the file may have been in the middle of
  /// a repair.
  private mutating func recordOfChunk(_ check: RecordCheck) -> Record? {
    do throws(ImmutaError) {
      return try chunk?.record(place, check)
    } catch {
      anchor = lastDelivered
      forgetChunk()
      return nil
    }
  }

  /// The record at the place, which is committed: from the writer's windows, or a new chunk.
  private mutating func read(_ source: OpenLog, _ reader: LogReader, _ count: Int) throws(ImmutaError) -> Record {
    let newest = reader
    let reader = try source.reader(of: place, newest)
    let count = min(count, reader.count)
    let end = reader.end
    if chunkReader === reader, let record = try windows?.record(place, committedEnd: end, reader.check) {
      return take(record)
    }
    chunkReader = reader
    windows = reader.windows
    if let record = try windows?.record(place, committedEnd: end, reader.check) {
      forgetChunk()
      return take(record)
    }
    anchor = lastDelivered
    let old = chunk
    forgetChunk()
    let batch = try reader.read(place, count: count, most: expected, reader: readerNumber, reusing: old)
    if source.isFollowing { try check(batch, source, newest) }
    switch batch {
    case .single(let record, let entry):
      expected = 16
      anchor = (place, entry)
      return take(record)
    case .chunk(var chunk, let entry, let next):
      guard let record = try chunk.record(place, entry, next, reader.check) else {
        throw reader.check.corrupted(.cutShort, place, chunk.start, "the log ends inside it")
      }
      expected = chunk.entriesWorthReading(reader.format)
      if reader.check.decoder == nil {
        chunk.checkAll(reader.check)
        ahead = ReadAhead(chunk, of: reader)
      }
      self.chunk = chunk
      return take(record)
    }
  }

  /// Forgets everything that was read from the old files.
  mutating func forgetFiles() {
    forgetChunk()
    (windows, chunkReader) = (nil, nil)
  }

  private mutating func forgetChunk() {
    chunk = nil
    ahead = ReadAhead()
  }

  /// So many of the records that were read ahead are delivered.
  mutating func pass(_ count: Int) {
    place += count
    beginsWithFirst = false
  }

  private mutating func take(_ record: Record) -> Record {
    place += 1
    beginsWithFirst = false
    return record
  }

  /// Only the place, for a caller that waits there, so that records read ahead are not held twice.
  var waiting: RecordCursor {
    var copy = self
    copy.forgetFiles()
    return copy
  }

  /// Waits until a record exists at the place. A waiting stream needs this frame and its caller's, so keep them small: there may
  /// be ten thousand waiting streams.
  @usableFromInline
  func waitForNext() async throws {
    let source = try openSource()
    try checkEnd()
    try source.beginWait(visibility)
    defer { source.endWait(visibility) }
    do {
      _ = try await source.progress(visibility, reader ?? source.reader).wait(past: place)
      source.noteWoken(for: place)
    } catch is BroadcasterClosed {
      // Or other files are read by now: then the next attempt finds them.
      try source.checkOpen()
    }
  }

  /// The same; false when the deadline passed first.
  func waitForNext(until deadline: ContinuousClock.Instant) async throws -> Bool {
    let source = try openSource()
    try checkEnd()
    try source.beginWait(visibility)
    defer { source.endWait(visibility) }
    do {
      let progress = source.progress(visibility, reader ?? source.reader)
      guard try await progress.wait(past: place, until: deadline) != nil else { return false }
      source.noteWoken(for: place)
      return true
    } catch is BroadcasterClosed {
      try source.checkOpen()
      return true
    }
  }
}
