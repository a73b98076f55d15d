import CImmutaCRC32C
import Synchronization

/// The files of a log as their one writer sees them, and what was appended and not yet committed.
///
/// ```
/// log        | header | committed records | staged records | open record | reserved …
///                                         ^ tail           ^ stagedEnd
/// companion  | header | an entry per committed record      | reserved …
/// ```
///
/// Invariants: `tail` is the end of the last committed record; staged records lie between `tail` and `stagedEnd` and
/// have no entries in the companion, so nothing on disk knows of them; whenever a record has been staged, both files
/// have room for all that committing it writes.
@safe struct WriterState: ~Copyable, Sendable {
  var turns = TurnQueue()
  var isClosed = false

  /// Committed records.
  private(set) var count: Int
  /// The number of the record that is staged next.
  var nextSequence: Int { count + staged.count }
  private let reader: LogReader
  private let format: LogFormat
  /// The format's, at hand: small appends ask for it several times.
  private let headerSize: Int
  private let keeper: CompanionKeeper
  private let flushes: FlushPair
  private let logFiles: LogFiles
  private let names: NameCheck
  private let namesNoted: Int
  private let lock: FileLock
  private var log: TailFile
  private var companion: TailFile
  /// The page of the log's header; nil until the first append, and where files are not mapped.
  private var header: MappedWindow? {
    didSet { unsafe headerMemory = header?.base }
  }
  // Once more, so that a commit need not retain the window. `nonisolated(unsafe)`: a pointer into `header`, which is
  // held beside it, and as safe to send as that is.
  private nonisolated(unsafe) var headerMemory: UnsafeMutableRawPointer?
  private(set) var isPrepared = false
  /// Whether the companion says, on stable storage, that the log is open: from the first append until it is closed.
  var isMarked = false
  /// Whether the files may have been written to since they were marked.
  private(set) var wasPrepared = false
  /// How many records there were when it was last asked whether the log is used.
  private var countWhenAsked = -1
  /// What made the writer stop for good.
  private var failure: ImmutaError?
  /// End of the last committed record.
  private var tail: Int
  private var clock: CommitClock
  private var wake = CommitWake()
  /// What followers wait for, where `header` and the companion's window do not have it.
  private var words = FileWords()
  /// That the system's clock was set, last, since the log was opened.
  private(set) var clockSet: ClockDoubt?
  /// Told of what the clock did, under the lock: it must not call whoever may call back.
  var clockNews: @Sendable (ClockDoubt) -> Void = { _ in }
  private var staged = StagedRecords()
  private var stagedEnd: Int
  private var open: OpenRecord?
  /// Where the windows end that readers use. Of two with the same ends, which only giving back space can make, either
  /// will do: both show the same file, and readers look into the file for what their windows lack.
  private var published = (log: 0, companion: 0)

  /// A record whose payload is still coming.
  private struct OpenRecord {
    var size = 0
    /// Of the payload so far.
    var checksum: UInt32 = 0
    /// The format's own, where it has one.
    var payloadChecksum: UInt32 = 0
  }

  /// Payloads from this size on are written through the kernel rather than copied into the window.
  private static var largestCopied: Int { 16 << 10 }

  init(
    reader: LogReader, keeper: CompanionKeeper, flushes: FlushPair, log: Descriptor, companion: Descriptor, count: Int,
    end: Int, lastTime: Int64, slowTime: SlowTime?, files: LogFiles, names: NameCheck, lock: FileLock,
    isFlushedOften: Bool
  ) {
    self.reader = reader
    format = reader.format
    headerSize = format.recordHeaderSize
    self.keeper = keeper
    self.flushes = flushes
    self.count = count
    clock = CommitClock(last: count == 0 ? nil : lastTime, slow: slowTime)
    logFiles = files
    self.names = names
    namesNoted = files.directory.noteNames()
    self.lock = lock
    tail = end
    stagedEnd = end
    self.log = TailFile(log, size: end, smallestReservation: 64 << 10, isFlushedOften: isFlushedOften)
    self.companion = TailFile(
      companion, size: CompanionEntry.offset(of: count), smallestReservation: 16 << 10,
      isFlushedOften: isFlushedOften)
  }

  func checkUsable() throws(ImmutaError) {
    if isClosed { throw .storageClosed }
    if let failure { throw failure }
  }

  // MARK: Before the first append

  /// What must be on stable storage before the first append.
  struct Preparation {
    let log: Descriptor
    let companion: Descriptor
    fileprivate let directory: Directory
    let names: NameCheck
    /// See ``Directory/noteNames()``.
    let namesNoted: Int
    let keeper: CompanionKeeper

    /// Why the log could not be marked.
    struct Failure: Error {
      let error: ImmutaError
      /// A flush failed, which is final; anything else may be tried again.
      let isFinal: Bool
    }

    /// Flushes the files with their directory and its own entry, where they may be new or may have been left unflushed
    /// by an opening that appended nothing, and marks the log as open.
    func flush() throws(Failure) {
      do throws(ImmutaError) { try io(names.check()) } catch { throw Failure(error: error, isFinal: error.isLogMoved) }
      do throws(ImmutaError) { try io(log.flush()) } catch { throw Failure(error: error, isFinal: log.hasFailedFlush) }
      do throws(ImmutaError) {
        try io(directory.flushNames(through: namesNoted))
      } catch {
        throw Failure(error: error, isFinal: directory.hasFailedFlush)
      }
      do throws(ImmutaError) {
        try keeper.markOpen()
      } catch {
        throw Failure(error: error, isFinal: keeper.hasFailedFlush)
      }
    }
  }

  var preparation: Preparation {
    Preparation(
      log: log.descriptor, companion: companion.descriptor, directory: logFiles.directory, names: names,
      namesNoted: namesNoted, keeper: keeper)
  }

  /// Makes the files ready to be appended to; the log is marked as open.
  mutating func prepare() throws(ImmutaError) {
    // Another program does not know of the lock: what it appended since the log was opened must not be overwritten.
    guard try isAsOpened() else {
      throw .corrupted(
        Corruption(
          path: log.descriptor.path,
          reason: "another program appended while the log was open; close it and open it anew"))
    }
    countWhenAsked = -1
    wasPrepared = true
    // Foreign bytes behind the last record, uncommitted, may be sparse: cut off, so that all that is reserved has
    // blocks.
    try shrinkFiles()
    do throws(ImmutaError) {
      try io(log.reserve(through: tail + 1))
      try io(companion.reserve(through: companion.reservedEnd + 1))
      if log.storesIntoMemory, format.hasCount { header = try io(log.mapped(0..<format.headerSize)) }
    } catch {
      // What was reserved all the same goes back: it may be all the room there is. Should that fail, the next attempt
      // or opening does it.
      try? shrinkFiles()
      throw error
    }
    isPrepared = true
  }

  /// Whether nobody has committed anything since the log was opened.
  private func isAsOpened() throws(ImmutaError) -> Bool {
    if let header = try log.descriptor.logHeader(format) { return header.count == count }
    let size = try io(log.descriptor.size)
    return try size >= tail ? log.descriptor.recordEnd(at: tail, format) == nil : false
  }

  /// Makes the files end with the last committed record.
  private mutating func shrinkFiles() throws(ImmutaError) {
    try io(log.shrink(to: tail))
    try io(companion.shrink(to: entryOffset(count)))
  }

  // MARK: Resting

  /// Whether something was appended since this was last asked.
  mutating func wasUsed() -> Bool {
    defer { countWhenAsked = count }
    return isPrepared && count != countWhenAsked
  }

  /// Lets go of the files, which `prepare` takes up again; false where that cannot be now. Everything that was committed is
  /// on stable storage.
  ///
  /// Nothing is stored while the log rests: a failure to write it back would be reported to nobody.
  mutating func rest() -> Bool {
    guard !isClosed, failure == nil, !turns.isTaken else { return false }
    if isPrepared {
      isPrepared = false
      header = nil
      published = (0, 0)
      reader.publish(nil)
      // Space that is reserved goes back: there may be many such logs.
      do throws(ImmutaError) {
        try writing { (state) throws(ImmutaError) in
          try io(state.log.collect())
          try io(state.companion.collect())
        }
        try shrinkFiles()
      } catch {
        return false
      }
    }
    let areResting = (log.descriptor.rest(), companion.descriptor.rest())
    return areResting.0 && areResting.1
  }

  // MARK: Staging

  /// How the bytes of a payload get into the file.
  private enum Way {
    case copied, written

    init(_ count: Int) {
      self = count < WriterState.largestCopied ? .copied : .written
    }
  }

  /// Makes room for `payload` more bytes of log and one more entry. Throws before anything changed: for lack of room,
  /// and then it may have room later; or because filling ahead failed, which is a failed write.
  @inline(__always)
  private mutating func makeRoom(at offset: Int, _ payload: Int, _ way: Way) throws(ImmutaError) {
    precondition(isPrepared, "appending to a log that is not marked as open")
    let (sum, overflow) = offset.addingReportingOverflow(headerSize)
    let (end, overflow2) = sum.addingReportingOverflow(payload)
    guard !overflow, !overflow2, end <= LogFormat.largestPayload else { throw .recordTooLarge }
    let entriesEnd = entryOffset(count + staged.count + 1)
    if log.reservedEnd < end || companion.reservedEnd < entriesEnd { try reserve(through: end, entriesEnd) }
    if way == .copied, log.lacksPages(through: end) {
      try writing { (state) throws(ImmutaError) in try io(state.log.fill(through: end)) }
    }
    if companion.lacksPages(through: entriesEnd) {
      try writing { (state) throws(ImmutaError) in try io(state.companion.fill(through: entriesEnd)) }
      flushes.noteNewBlocks()
    }
  }

  private mutating func reserve(through end: Int, _ entriesEnd: Int) throws(ImmutaError) {
    do {
      try log.reserve(through: end)
      try companion.reserve(through: entriesEnd)
    } catch {
      guard ErrorNumber.isLackOfRoom(error.errorNumber) else { throw ImmutaError(error) }
      // What one file reserved ahead may be what the other needs.
      try writing { (state) throws(ImmutaError) in
        try io(state.log.collect())
        try io(state.companion.collect())
      }
      let isMoreInLog = try io(log.giveBack(beyond: end))
      let isMoreInCompanion = try io(companion.giveBack(beyond: entriesEnd))
      guard isMoreInLog || isMoreInCompanion else { throw ImmutaError(error) }
      try io(log.reserve(through: end))
      try io(companion.reserve(through: entriesEnd))
    }
  }

  private func entryOffset(_ number: Int) -> Int {
    CompanionEntry.offset(of: number)
  }

  /// Adds a whole record behind the staged ones.
  @inline(__always)
  mutating func stage(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt {
    if staged.isDue { try staged.spill(beside: logFiles) }
    let (index, checksum) = try unsafe put(bytes)
    return finishStaging(index: index, size: bytes.count, checksum: checksum)
  }

  /// Writes a whole record behind the staged ones; nobody knows of it yet.
  @inline(__always)
  private mutating func put(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> (index: Int, checksum: UInt32) {
    precondition(open == nil, "a record is still being written")
    let index = stagedEnd
    let way = Way(bytes.count)
    try makeRoom(at: index, bytes.count, way)
    let header = unsafe RecordHeader(format, of: bytes)
    let total = headerSize + bytes.count
    var checksum = header.checksum
    if way == .copied, let memory = try unsafe io(log.pointer(at: index, count: total)) {
      unsafe header.store(to: memory)
      if let source = bytes.baseAddress {
        unsafe checksum = crc32c_copy_extend(
          checksum, memory + headerSize, source, bytes.count)
      }
    } else {
      unsafe checksum = crc32c_extend(checksum, bytes.baseAddress, bytes.count)
      try writing { (state) throws(ImmutaError) in
        try unsafe header.withBytes { (header) throws(ImmutaError) in
          try unsafe io(state.log.write(header, bytes, at: index))
        }
      }
    }
    return (index, checksum)
  }

  mutating func beginRecord() throws(ImmutaError) {
    precondition(open == nil, "a record is still being written")
    if staged.isDue { try staged.spill(beside: logFiles) }
    try makeRoom(at: stagedEnd, 0, .copied)
    open = OpenRecord()
  }

  mutating func extendRecord(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) {
    guard var record = open else { preconditionFailure("no record is being written") }
    guard bytes.count > 0 else { return }
    let (size, overflow) = record.size.addingReportingOverflow(bytes.count)
    if overflow { throw .recordTooLarge }
    let way = Way(bytes.count)
    try makeRoom(at: stagedEnd, size, way)
    let offset = stagedEnd + headerSize + record.size
    unsafe record.checksum = crc32c_extend(record.checksum, bytes.baseAddress, bytes.count)
    if format.hasPayloadChecksum { record.payloadChecksum = unsafe RecordHeader.extend(record.payloadChecksum, bytes) }
    try writing { (state) throws(ImmutaError) in
      switch way {
      case .copied: try unsafe io(state.log.store(bytes, at: offset))
      case .written: try unsafe io(state.log.write(bytes, at: offset))
      }
    }
    record.size = size
    open = record
  }

  mutating func endRecord() throws(ImmutaError) -> Receipt {
    guard let record = open else { preconditionFailure("no record is being written") }
    let index = stagedEnd
    let header = RecordHeader(format, size: record.size, payloadChecksum: record.payloadChecksum)
    try writing { (state) throws(ImmutaError) in
      try unsafe header.withBytes { (header) throws(ImmutaError) in
        try unsafe io(state.log.store(header, at: index))
      }
    }
    open = nil
    let checksum = crc32c_combine(header.checksum, record.checksum, record.size)
    return finishStaging(index: index, size: record.size, checksum: checksum)
  }

  mutating func abandonRecord() {
    open = nil
  }

  @inline(__always)
  private mutating func finishStaging(index: Int, size: Int, checksum: UInt32) -> Receipt {
    let receipt = Receipt(sequence: count + staged.count, index: index, size: size)
    staged.append(StagedRecord(index: index, checksum: checksum))
    stagedEnd = index + headerSize + size
    return receipt
  }

  /// Takes back what was staged.
  mutating func rollBack() {
    open = nil
    if stagedEnd != tail || !staged.isEmpty {
      staged.removeAll()
      stagedEnd = tail
    }
    guard log.isOutsized(for: tail) else { return }
    try? writing { (state) throws(ImmutaError) in try io(state.log.collect()) }
    // Keeping an outsized reservation would be a waste, not an error: closing gives it back in any case.
    // After a failed commit nobody knows how much of it the header tells of: then nothing is cut off.
    if failure == nil { try? log.shrink(to: tail) }
  }

  /// Runs a write; one that fails has left the file in a state nobody knows, so nothing may be appended after it.
  private mutating func writing(_ body: (inout Self) throws(ImmutaError) -> Void) throws(ImmutaError) {
    do {
      try body(&self)
    } catch {
      failure = error
      throw error
    }
  }

  // MARK: Committing

  /// Adds a whole record and commits it, when nothing is staged: as `stage` and `commit`, without a list in between.
  @inline(__always)
  mutating func append(_ bytes: UnsafeRawBufferPointer) throws(ImmutaError) -> Receipt {
    precondition(staged.isEmpty, "something is staged")
    let (index, checksum) = try unsafe put(bytes)
    stagedEnd = index + headerSize + bytes.count
    let receipt = Receipt(sequence: count, index: index, size: bytes.count)
    try publish(1, lastIndex: index) { (state, time) throws(ImmutaError) in
      try state.writeEntry(
        CompanionEntry(index: index, time: time, recordChecksum: checksum, endsCommit: true), number: state.count)
    }
    return receipt
  }

  /// Publishes what was staged.
  @inline(__always)
  mutating func commit() throws(ImmutaError) {
    precondition(open == nil, "a record is still being written")
    guard let last = staged.last else { return }
    try publish(staged.count, lastIndex: last.index) { (state, time) throws(ImmutaError) in
      try state.writeEntries(time)
    }
    staged.removeAll()
  }

  /// Makes `added` records part of the log. The commit is the last store, of COUNT: whoever sees it sees all that came
  /// before.
  @inline(__always)
  private mutating func publish(
    _ added: Int, lastIndex: Int, writingEntries: (inout Self, _ time: Int64) throws(ImmutaError) -> Void
  ) throws(ImmutaError) {
    let time = commitTime()
    do {
      try writingEntries(&self, time)
      publishWindows()
      try storeHeader(count: count + added, lastIndex: lastIndex)
    } catch {
      failure = error
      throw error
    }
    count += added
    tail = stagedEnd
    // Releasing: pairs with the reader's load of the end, after its load of the count that is announced later.
    reader.committedEnd.store(tail, ordering: .releasing)
    if wake.isDue() { wakeFollowers(first: count - added) }
  }

  /// Wakes the followers in other processes that wait for record `first`: see ``CommitWord``. They are told behind
  /// the commit, so that who was told finds it.
  @inline(never)
  private mutating func wakeFollowers(first: Int) {
    if let memory = unsafe headerMemory { return unsafe wake.called(waking: SystemCalls.wake(memory)) }
    let (file, offset) = CommitWord.place(of: first, format, log: log.descriptor, companion: companion.descriptor)
    if !format.hasCount, companion.storesIntoMemory, let memory = unsafe try? companion.pointer(at: offset, count: 4) {
      return unsafe wake.called(waking: SystemCalls.wake(memory))
    }
    // Where the file cannot be mapped, nobody waits for its words.
    wake.called(waking: words.word(at: offset, of: file)?.wake() ?? 0)
  }

  /// Never earlier than that of the commit before.
  @inline(__always)
  private mutating func commitTime() -> Int64 {
    let tick = Clocks.coarseWallClock()
    if !clock.isCurrent(tick) { readClock(tick) }
    return clock.last
  }

  @inline(never)
  private mutating func readClock(_ tick: Int64) {
    let wall = Clocks.wallClock()
    let news = clock.read(wall, tick: tick, record: count, steady: Clocks.steadyClock)
    wake.beginTick()
    if news == CommitClock.News() { return }
    if let jump = news.jump {
      clockSet = .clockSet(by: .nanoseconds(jump), at: Timestamp(nanosecondsSince1970: wall))
      clockNews(.clockSet(by: .nanoseconds(jump), at: Timestamp(nanosecondsSince1970: wall)))
    }
    if let behind = news.behind { clockNews(.recordsAhead(from: max(0, count - 1), by: .nanoseconds(behind))) }
    // It helps to read times that are none: nothing depends on it.
    if news.isOther, let slow = clock.slow { try? keeper.noteSlowTime(slow) }
  }

  @inline(__always)
  private mutating func writeEntries(_ time: Int64) throws(ImmutaError) {
    if staged.spilledCount > 0 { try writeSpilledEntries(time) }
    try writeEntries(of: staged.latest, from: count + staged.spilledCount, time, endCommit: true)
  }

  /// The entries of what memory does not hold, a piece at a time. The commit's last entry is not among them.
  @inline(never)
  private mutating func writeSpilledEntries(_ time: Int64) throws(ImmutaError) {
    for first in stride(from: 0, to: staged.spilledCount, by: StagedRecords.pieceCount) {
      try writeEntries(of: try staged.spilled(from: first), from: count + first, time, endCommit: false)
    }
  }

  @inline(__always)
  private mutating func writeEntries(
    of records: [StagedRecord], from number: Int, _ time: Int64, endCommit: Bool
  ) throws(ImmutaError) {
    let range = entryOffset(number)..<entryOffset(number + records.count)
    if let memory = try unsafe io(companion.pointer(at: range.lowerBound, count: range.count)) {
      unsafe encodeEntries(
        of: records, from: number, time, endCommit: endCommit,
        into: UnsafeMutableRawBufferPointer(start: memory, count: range.count))
    } else {
      var bytes = [UInt8](repeating: 0, count: range.count)
      unsafe bytes.withMutableBytes {
        unsafe encodeEntries(of: records, from: number, time, endCommit: endCommit, into: $0)
      }
      try unsafe bytes.withBytes { (bytes) throws(ImmutaError) in
        try unsafe writeToCompanion(bytes, at: range.lowerBound)
      }
    }
  }

  /// Where nothing is filled, the entries just written may lie in a new block. Noted behind the write, and before their
  /// commit is announced: the flush that covers them sees it.
  private mutating func writeToCompanion(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(ImmutaError) {
    try unsafe io(companion.write(bytes, at: offset))
    if !companion.isFilling { flushes.noteNewBlocks() }
  }

  /// The entries of staged records.
  ///
  /// - Parameter endCommit: whether the last of them is the commit's last.
  @inline(__always)
  private func encodeEntries(
    of records: [StagedRecord], from number: Int, _ time: Int64, endCommit: Bool,
    into bytes: UnsafeMutableRawBufferPointer
  ) {
    for (position, record) in records.enumerated() {
      let entry = CompanionEntry(
        index: record.index, time: time, recordChecksum: record.checksum,
        endsCommit: endCommit && position == records.count - 1)
      let start = position * CompanionEntry.size
      unsafe store(
        entry, to: UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + CompanionEntry.size]),
        number: number + position)
    }
  }

  @inline(__always)
  private func store(_ entry: CompanionEntry, to bytes: UnsafeMutableRawBufferPointer, number: Int) {
    if format.hasCount {
      unsafe entry.encode(into: bytes, number: number)
    } else {
      unsafe entry.publish(into: bytes, number: number)
    }
  }

  @inline(__always)
  private mutating func writeEntry(_ entry: CompanionEntry, number: Int) throws(ImmutaError) {
    let offset = entryOffset(number)
    if let memory = try unsafe io(companion.pointer(at: offset, count: CompanionEntry.size)) {
      unsafe store(
        entry, to: UnsafeMutableRawBufferPointer(start: memory, count: CompanionEntry.size), number: number)
    } else {
      var bytes: InlineArray<24, UInt8> = .init(repeating: 0)
      try unsafe withUnsafeMutableBytes(of: &bytes) { (bytes) throws(ImmutaError) in
        unsafe entry.encode(into: bytes, number: number)
        try unsafe writeToCompanion(UnsafeRawBufferPointer(bytes), at: offset)
      }
    }
  }

  /// LAST INDEX first: a process that dies between the two stores leaves a COUNT that is right and a LAST INDEX that is
  /// one record ahead, which opening knows to expect.
  ///
  /// A log without COUNT has no header: the last entry's store was the commit.
  @inline(__always)
  private func storeHeader(count: Int, lastIndex: Int) throws(ImmutaError) {
    if let memory = unsafe headerMemory {
      if format.hasLastIndex {
        unsafe memory.storeBytes(
          of: Int64(lastIndex).littleEndian, toByteOffset: LogHeader.lastIndexOffset, as: Int64.self)
      }
      // The address is the mapping's first, page-aligned, and lives as long as the window. Releasing: a reader in
      // another process that loads this count, acquiring, sees the record and its entry.
      let field = unsafe memory.assumingMemoryBound(to: Atomic<Int>.self)
      unsafe field.pointee.store(count.littleEndian, ordering: .releasing)
    } else if format.hasCount {
      // In one call, which a process that dies does not leave half done.
      try io(log.descriptor.write(LogHeader(format, count: count, lastIndex: lastIndex).encoded(format: format), at: 0))
    }
  }

  /// Lets readers use the windows that the staged records lie in.
  @inline(__always)
  private mutating func publishWindows() {
    if published == (log.windowEnd, companion.windowEnd) { return }
    guard let logWindow = log.window, let companionWindow = companion.window else { return }
    published = (log.windowEnd, companion.windowEnd)
    reader.publish(TailWindows(log: logWindow, companion: companionWindow))
  }

  // MARK: Closing

  /// Whether a flush of the log or of its companion failed: nobody knows what is on the device.
  private var hasFailedFlush: Bool { log.descriptor.hasFailedFlush || companion.descriptor.hasFailedFlush }

  /// Makes the files end at the last committed record, flushes them and marks the log clean. Called once, at the end.
  mutating func finish() -> ImmutaError? {
    endWriting()
    var outcome: ImmutaError?
    do throws(ImmutaError) {
      if let failure {
        // The log stays open by its mark, and the next opening recovers it. What was committed is flushed all the same,
        // unless it was a flush that failed. It is not marked as stable: some file systems report in a write what an
        // earlier write-back lost, and a flush that succeeds after either proves nothing.
        if isMarked, !hasFailedFlush {
          try io(log.descriptor.flush())
          try io(companion.descriptor.flush())
        }
        throw failure
      }
      if isMarked {
        // The records and their entries first: a log whose file already ends with its last record, but whose pages
        // never reached the disk, would look as if another program had written it.
        try io(log.descriptor.flush())
        try io(companion.descriptor.flush())
        try cut()
        try io(log.descriptor.flush())
        try keeper.markClean(count: count)
      } else {
        try io(names.check())
      }
    } catch {
      outcome = error
    }
    letGo()
    return outcome
  }

  // The same in steps, for whoever finishes many logs together and flushes their files between the steps: everything; then
  // the logs, cut; then the companions, cut, with their marks. A companion that is longer than its mark says, after a power
  // cut, has zeros there: so its length may become stable with the mark.

  /// From now on nobody writes to the files.
  mutating func endWriting() {
    header = nil
    words = FileWords()
    // Whoever opens the log next must find nobody writing to it.
    try? writing { (state) throws(ImmutaError) in try io(state.log.collect()) }
    try? writing { (state) throws(ImmutaError) in try io(state.companion.collect()) }
  }

  /// Whether the files are to be flushed, cut and marked, and nothing stands against it.
  var isToBeMarked: Bool { isMarked && failure == nil }

  /// The log and its companion.
  var files: [Descriptor] { [log.descriptor, companion.descriptor] }

  /// Makes the files end at the last committed record.
  mutating func cut() throws(ImmutaError) {
    // Before the files are cut: without the lock's file there may be another writer.
    try io(names.check())
    if wasPrepared { try shrinkFiles() }
  }

  func writeClean() throws(ImmutaError) {
    try keeper.writeClean(count: count)
  }

  /// Holds the files and the lock no more.
  mutating func letGo() {
    // While the lock is held: whoever opens the log next must know it.
    if hasFailedFlush { keeper.markFailed() }
    lock.unlock()
    log.letGo()
    companion.letGo()
  }

  /// Nothing may be appended any more, for this reason.
  mutating func fail(_ error: ImmutaError) {
    if failure == nil { failure = error }
  }
}
