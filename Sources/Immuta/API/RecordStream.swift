import Solid

/// Where a stream begins.
public enum StreamPosition: Hashable, Sendable {
  /// With the first record of the log.
  case beginning
  /// With the first record that is committed after the call that made the stream.
  case latest
  /// With the record of this number, even if it has not been written yet: the first n records are skipped. At least 0.
  case skipping(Int)
  /// With the record of this number, which was written already, or is the next to be: one beyond that, or a negative one,
  /// is thrown by the stream's first `next()`. For numbers that were kept, or come from outside.
  case sequence(Int)
  /// The same, in the log that the position names: another log's is thrown, too.
  case position(Position)

  /// The position after `count` records, where the number comes from outside; nil for a negative one.
  public init?(skipping count: Int) {
    guard count >= 0 else { return nil }
    self = .skipping(count)
  }

  /// The position after as many records as the text says, for text from outside, such as a request's `Last-Event-ID`;
  /// nil for anything but decimal digits that make a number of 63 bits.
  public init?(_ text: some StringProtocol) {
    guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let count = Int(text) else {
      return nil
    }
    self = .skipping(count)
  }
}

/// The records of a log, in order, each once: those that are there, then those to come.
///
/// ```swift
/// for try await record in log.stream(from: .beginning) {
///   print(record.sequence, record.text)
/// }
/// ```
///
/// A stream is a value: a position and what was read ahead. Copies go their own ways. It holds no descriptor and no
/// thread while it waits, and it reads without slowing the writer or other streams. It never skips a record: when
/// `next` throws, for whatever reason, the position stays, and the next call delivers the record that would have come.
///
/// It ends only by an error: `CancellationError` when its task is cancelled, `.storageClosed` when the storage is
/// closed, `.corrupted` at a damaged record, and, where the log is open for reading only, `.logChanged` when its files are
/// not what was read from them any more. To go on after a damaged record, or at the last record that is still the same, set
/// ``position``.
public struct RecordStream: AsyncSequence, AsyncIteratorProtocol, Sendable {
  /// What a stream delivers.
  public typealias Element = Record

  /// Number of the record that comes next. Setting it moves the stream; at least 0.
  public var position: Int {
    get { place }
    set {
      precondition(newValue >= 0, "a stream's position is at least 0")
      place = newValue
      // Wherever it is now, it has not come there by what it delivered.
      (reader, anchor, demand) = (nil, nil, nil)
      if let change, newValue > change.shared { self.change = nil }
      forgetChunk()
    }
  }

  private var place = 0
  /// What the position was found to be a place in; nil before that.
  private var reader: LogReader?
  /// The entry of the record before the position, where `chunk` does not have it.
  private var anchor: (sequence: Int, entry: CompanionEntry)?
  /// What is asked of the log before the first record is delivered.
  private var demand: Demand?
  /// The files that `.logChanged` was last thrown of, and how many records they share with what was read before: whoever
  /// moves the stream to one of those is in these files, which may change once more before the stream looks.
  private var change: (lineage: Lineage, shared: Int)?

  private enum Demand: Sendable {
    /// The position must not be beyond the end.
    case exists(Int)
    /// The same, and it must be this log's.
    case isIn(LogIdentity)
  }

  /// Nil, and a reason why, for a stream of nothing.
  private let log: Log?
  private let failure: ImmutaError?
  private let visibility: StreamVisibility
  private let readerNumber: Int
  /// The records of `chunk` that need no further look, where they are delivered as they are stored.
  private var ahead = ReadAhead()
  private var chunk: Chunk?
  private var windows: TailWindows?
  /// Records that the next chunk is expected to hold.
  private var expected = 64

  init(_ log: Log, from start: StreamPosition, only visibility: StreamVisibility, reader: Int) {
    self.visibility = visibility
    self.log = log
    failure = nil
    readerNumber = reader
    switch start {
    case .beginning: break
    case .latest:
      let reader = log.current
      (place, self.reader) = (reader.count, reader)
    case .skipping(let count):
      precondition(count >= 0, "a stream skips at least 0 records")
      place = count
    case .sequence(let number):
      place = Swift.max(0, number)
      demand = .exists(number)
    case .position(let position):
      place = position.sequence
      demand = .isIn(position.identity)
    }
  }

  init(failing error: ImmutaError) {
    log = nil
    failure = error
    visibility = .committed
    readerNumber = 0
  }

  /// Moves the stream to the record of a number that comes from outside. O(1).
  ///
  /// - Throws: `.recordNotFound` for a negative number; the position stays then.
  public mutating func move(to sequence: Int) throws(ImmutaError) {
    guard sequence >= 0 else { throw .recordNotFound(sequence) }
    position = sequence
  }

  /// The stream itself, from its position on. O(1).
  public func makeAsyncIterator() -> RecordStream { self }

  /// The next record, waiting for it if need be; never nil.
  ///
  /// - Throws: `CancellationError`, `.namespaceNotFound`, `.storageClosed`, `.corrupted`, `.io`; `.logChanged` where the log
  ///   is open for reading only; the first call also `.positionBeyondEnd`, `.foreignPosition`, `.invalidPosition`.
  @inlinable
  public mutating func next() async throws -> Record? {
    while true {
      try Task.checkCancellation()
      if let record = try nextAtOnce() { return record }
      try await waitForNext()
    }
  }

  /// The next record, on the caller's actor: what a `for try await` loop calls.
  ///
  /// The actor is not looked at: the function runs where its caller does, as `nonisolated(nonsending)` ones do. With an
  /// `isolated` parameter each record would cost the question whether it is there already, 20 ns.
  @inlinable
  public mutating func next(isolation actor: (any Actor)?) async throws -> Record? {
    while true {
      try Task.checkCancellation()
      if let record = try nextAtOnce() { return record }
      try await waitForNext()
    }
  }

  /// The next record, or nil when none came in time. A timeout of zero or less takes a record that is there.
  ///
  /// - Throws: as `next()`.
  public mutating func next(timeout: Duration) async throws -> Record? {
    try Task.checkCancellation()
    if let record = try nextAtOnce() { return record }
    // A century is as good as any longer time, and can be added to any clock.
    let deadline = ContinuousClock.now + Swift.min(timeout, .seconds(100 * 365 * 86_400))
    while try await waitForNext(until: deadline) {
      try Task.checkCancellation()
      if let record = try nextAtOnce() { return record }
    }
    return nil
  }

  /// The next record if it is committed already; nil otherwise. Does not wait.
  ///
  /// - Throws: as `next()`, but for cancellation.
  public mutating func nextAtOnce() throws(ImmutaError) -> Record? {
    // What was read ahead was there to be delivered; the count need not be looked at.
    if let record = ahead.record(place) {
      place &+= 1
      return record
    }
    return try nextFromLog()
  }

  @inline(never)
  private mutating func nextFromLog() throws(ImmutaError) -> Record? {
    guard let log else { throw failure ?? .storageClosed }
    if let demand { try meet(demand, log) }
    var reader = try self.reader(of: log)
    try reader.checkOpen()
    if let record = recordOfChunk(reader.check) { return take(record) }
    if place >= log.progress(visibility, reader).generation {
      try log.refresh(visibility)
      reader = try self.reader(of: log)
      if place >= log.progress(visibility, reader).generation { return nil }
    }
    do throws(ImmutaError) {
      return try read(log, reader, log.progress(visibility, reader).generation)
    } catch {
      // The file may not be what it was.
      guard try log.isDueToChange(error, of: reader) else { throw error }
      reader = try self.reader(of: log)
      let count = log.progress(visibility, reader).generation
      return place < count ? try read(log, reader, count) : nil
    }
  }

  /// The record at the position, if the chunk has it, whole. What is damaged is read again: it may have been a file in the
  /// middle of a repair.
  private mutating func recordOfChunk(_ check: RecordCheck) -> Record? {
    do throws(ImmutaError) {
      return try chunk?.record(place, check)
    } catch {
      anchor = lastDelivered
      forgetChunk()
      return nil
    }
  }

  /// Where the log is read from now. Where that changed, because the files are not what they were, the position must be a
  /// place in the files that are read now.
  private mutating func reader(of log: Log) throws(ImmutaError) -> LogReader {
    let current = log.reader
    if let reader, reader === current { return current }
    do throws(ImmutaError) {
      if try goOn(in: current) { return current }
    } catch {
      guard try log.isDueToChange(error, of: current) else { throw error }
    }
    // These files may not be what they were, either: then it is in others that the stream goes on.
    guard try log.mayHaveChanged(since: current) else {
      change = (current.lineage, 0)
      throw .logChanged(LogChange(path: current.check.path, kind: .replaced, sharedCount: 0))
    }
    let next = log.reader
    guard next !== current, try goOn(in: next) else { throw changing(place - 1) }
    return next
  }

  /// Goes on in other files, if the position is a place in them; false where the record before it is another one, whatever
  /// is known of what the files have in common: then they were changed while they were compared.
  private mutating func goOn(in current: LogReader) throws(ImmutaError) -> Bool {
    if let before = reader?.lineage ?? change?.lineage, before !== current.lineage {
      let (kind, shared) = before.change(to: current.lineage)
      if place > shared, try !isAfterAnchor(in: current) {
        let shared = Swift.min(shared, place)
        change = (current.lineage, shared)
        throw .logChanged(LogChange(path: current.check.path, kind: kind, sharedCount: shared))
      }
      guard try moveAnchor(to: current) else { return false }
      forgetChunk()
      windows = nil
    }
    (reader, change) = (current, nil)
    return true
  }

  /// Whether the record delivered last is the one before the position in the files that are read now.
  private func isAfterAnchor(in current: LogReader) throws(ImmutaError) -> Bool {
    guard let last = lastDelivered, last.sequence < current.count,
      let entry = try current.entries(last.sequence..<last.sequence + 1).first ?? nil
    else { return false }
    return entry.isOfSameRecord(as: last.entry) && entry.time == last.entry.time
  }

  /// The record delivered last, by its entry; nil when none was, or where nobody but this process writes.
  private var lastDelivered: (sequence: Int, entry: CompanionEntry)? {
    if let anchor, anchor.sequence == place - 1 { return anchor }
    guard let chunk, place - 1 >= chunk.first, let entry = chunk.entry(at: place - 1 - chunk.first) else { return nil }
    return (place - 1, entry)
  }

  /// Takes the entry of the record delivered last as it is known now: a companion that was made again may give it another
  /// time. False where it is another record's.
  private mutating func moveAnchor(to current: LogReader) throws(ImmutaError) -> Bool {
    let last = lastDelivered
    // Whatever happens, it is not forgotten: the chunk may be.
    anchor = last
    let entry = place > 0 ? try current.entries(place - 1..<place).first ?? nil : nil
    if let last, let entry, !entry.isOfSameRecord(as: last.entry) { return false }
    anchor = entry.map { (place - 1, $0) }
    return true
  }

  private func changing(_ sequence: Int, at index: Int? = nil) -> ImmutaError {
    .corrupted(
      Corruption(
        path: log?.files.logPath ?? "", sequence: sequence, index: index,
        reason: "it is not the record that was read: somebody is changing the file"))
  }

  private mutating func meet(_ demand: Demand, _ log: Log) throws(ImmutaError) {
    try log.refresh()
    let reader = log.reader
    try reader.checkOpen()
    var number = place
    switch demand {
    case .exists(let stated): number = stated
    case .isIn(let identity):
      if reader.identity != identity { throw .foreignPosition(expected: identity, found: reader.identity) }
    }
    if number < 0 { throw .invalidPosition(number) }
    if number > reader.count { throw .positionBeyondEnd(position: number, count: reader.count) }
    self.demand = nil
    self.reader = reader
  }

  /// Waits until there is a record at the position. What a waiting stream needs is in this frame and its caller's: ten
  /// thousand of them are ten thousand times that.
  @usableFromInline
  func waitForNext() async throws {
    guard let log else { throw failure ?? .storageClosed }
    try log.beginWait(visibility)
    defer { log.endWait(visibility) }
    do {
      _ = try await log.progress(visibility, reader ?? log.reader).wait(past: place)
    } catch is BroadcasterClosed {
      // Or other files are read by now: then the next attempt finds them.
      try log.reader.checkOpen()
    }
  }

  /// The same; false when the deadline passed first.
  private func waitForNext(until deadline: ContinuousClock.Instant) async throws -> Bool {
    guard let log else { throw failure ?? .storageClosed }
    try log.beginWait(visibility)
    defer { log.endWait(visibility) }
    do {
      return try await log.progress(visibility, reader ?? log.reader).wait(past: place, until: deadline) != nil
    } catch is BroadcasterClosed {
      try log.reader.checkOpen()
      return true
    }
  }

  /// Waits until there is a record at the position, or the deadline, if there is one, has passed.
  package func waitForRecord(until deadline: ContinuousClock.Instant?) async throws {
    if let deadline { _ = try await waitForNext(until: deadline) } else { try await waitForNext() }
  }

  /// The record at the position, which is committed: from the writer's windows, or a new chunk.
  private mutating func read(_ log: Log, _ reader: LogReader, _ count: Int) throws(ImmutaError) -> Record {
    let end = reader.end
    if let record = try windows?.record(place, committedEnd: end, reader.check) { return take(record) }
    windows = reader.windows
    if let record = try windows?.record(place, committedEnd: end, reader.check) {
      forgetChunk()
      return take(record)
    }
    anchor = lastDelivered
    let old = chunk
    forgetChunk()
    let batch = try reader.read(place, count: count, most: expected, reader: readerNumber, reusing: old)
    if log.isFollowing { try checkAnchor(log, reader) }
    switch batch {
    case .single(let record, let entry):
      expected = 16
      anchor = (place, entry)
      return take(record)
    case .chunk(var chunk, let entry, let next):
      guard let record = try chunk.record(place, entry, next, reader.check) else {
        throw reader.check.corrupted(place, chunk.start, "the log ends inside it")
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

  /// Throws unless the record delivered last is still on file, after others were read: those follow it then. Another program
  /// may have put an older copy of the log over this one.
  private func checkAnchor(_ log: Log, _ reader: LogReader) throws(ImmutaError) {
    guard let anchor, anchor.sequence == place - 1 else {
      // The stream was moved here: all that is known is which files it was moved in.
      guard place > 0, try log.mayHaveChanged(since: reader) else { return }
      throw changing(place - 1)
    }
    if let own = reader.ownEntries {
      if try reader.isInLog(anchor.entry) { return }
      own.contradict()
    } else if try reader.entries(anchor.sequence..<place).first == anchor.entry {
      return
    }
    throw changing(anchor.sequence, at: anchor.entry.index)
  }

  private mutating func forgetChunk() {
    chunk = nil
    ahead = ReadAhead()
  }

  private mutating func take(_ record: Record) -> Record {
    place += 1
    return record
  }

  /// Where the stream stands, to be kept and gone on from later; nil where nothing on file says whose log it is. O(1).
  public var nextPosition: Position? {
    // Of the log that was read: by now another may have its name.
    (reader ?? log?.reader)?.identity.flatMap { Position(identity: $0, sequence: place) }
  }
}
