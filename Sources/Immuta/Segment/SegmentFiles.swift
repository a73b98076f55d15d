import CImmutaCRC32C
import Synchronization

/// The two files of a segment while they are written: the log's and its companion's, each with room ahead of its end.
///
/// Invariants: room is made before anything is stored; entries and COUNT are stored after the records they are about; and
/// after a write that failed, which has left its file in a state that nobody knows, nothing more is written.
@safe struct SegmentFiles: ~Copyable, Sendable {
  let format: LogFormat
  /// The format's, at hand: small appends ask for it several times.
  let recordHeaderSize: Int
  var log: TailFile
  var companion: TailFile
  let flushes: FlushPair
  /// Why nothing may be written any more.
  private(set) var failure: ImmutaError?
  /// The page of the log's header; nil until the files are prepared, and where files are not mapped.
  private var header: MappedWindow? {
    didSet { unsafe headerMemory = header?.base }
  }
  // Once more, so that a commit need not retain the window. `nonisolated(unsafe)`: a pointer into `header`, which is
  // held beside it, and as safe to send as that is.
  private(set) nonisolated(unsafe) var headerMemory: UnsafeMutableRawPointer?
  /// The words that followers wait for, if `header` and the companion's window do not have them.
  private var words = FileWords()
  /// The ends of the windows that were handed out last. Of two with the same ends, which only giving back space can make, either
  /// will do: both show the same file, and readers look into the file for what their windows lack.
  private var shownEnds = (log: 0, companion: 0)

  init(
    _ format: LogFormat, log: Descriptor, companion: Descriptor, count: Int, end: Int, flushes: FlushPair,
    isFlushedOften: Bool
  ) {
    self.format = format
    recordHeaderSize = format.recordHeaderSize
    self.flushes = flushes
    self.log = TailFile(log, size: end, smallestReservation: 64 << 10, isFlushedOften: isFlushedOften)
    self.companion = TailFile(
      companion, size: CompanionEntry.offset(of: count), smallestReservation: 16 << 10, isFlushedOften: isFlushedOften)
  }

  // MARK: Failing

  /// Nothing may be written any more, for this reason. The first one stays.
  mutating func fail(_ error: ImmutaError) {
    if failure == nil { failure = error }
  }

  @inline(__always)
  func checkUsable() throws(ImmutaError) {
    if let failure { throw failure }
  }

  /// Runs a write; one that fails is the last.
  private mutating func writing(_ body: (inout Self) throws(ImmutaError) -> Void) throws(ImmutaError) {
    do {
      try body(&self)
    } catch {
      failure = error
      throw error
    }
  }

  /// Whether a flush of the log or of its companion failed: then it is unknown what is on the device.
  var hasFailedFlush: Bool { log.descriptor.hasFailedFlush || companion.descriptor.hasFailedFlush }

  // MARK: Beginning, resting and ending

  /// Makes the files, which end with the last committed record, ready to be appended to.
  mutating func prepare(count: Int, end: Int) throws(ImmutaError) {
    // Foreign bytes after the last record, uncommitted, may be sparse: cut off, so that all that is reserved has
    // blocks.
    try shrink(count: count, end: end)
    do throws(ImmutaError) {
      try io(log.reserve(through: end + 1))
      try io(companion.reserve(through: companion.reservedEnd + 1))
      if log.storesIntoMemory, format.hasCount { header = try io(log.mapped(0..<format.headerSize)) }
    } catch {
      // Gives back the space that was reserved all the same: it may be all the room that is left. If that fails, the next attempt
      // or opening does it.
      try? shrink(count: count, end: end)
      throw error
    }
    let address = unsafe UInt(bitPattern: headerMemory)
    precondition(address % UInt(MemoryLayout<Atomic<Int>>.alignment) == 0, "COUNT is stored as a whole")
  }

  /// Makes the files end with the last committed record.
  mutating func shrink(count: Int, end: Int) throws(ImmutaError) {
    try io(log.shrink(to: end))
    try io(companion.shrink(to: CompanionEntry.offset(of: count)))
  }

  /// Waits for filling ahead to end: from then on nobody else writes to the files.
  mutating func collect() throws(ImmutaError) {
    try writing { (files) throws(ImmutaError) in
      try io(files.log.collect())
      try io(files.companion.collect())
    }
  }

  /// Readers get other windows when the files are next written to, and nothing is stored by way of the header's page
  /// until the files are prepared again.
  mutating func forgetWindows() {
    header = nil
    shownEnds = (0, 0)
  }

  /// Lets go of the descriptors, which are opened again when they are needed; false where that cannot be now.
  func rest() -> Bool {
    let areResting = (log.descriptor.rest(), companion.descriptor.rest())
    return areResting.0 && areResting.1
  }

  /// From now on nobody writes to the files: the next opening of the log must find no writer.
  mutating func endWriting() {
    header = nil
    words = FileWords()
    try? writing { (files) throws(ImmutaError) in try io(files.log.collect()) }
    try? writing { (files) throws(ImmutaError) in try io(files.companion.collect()) }
  }

  /// Holds the files no longer.
  mutating func letGo() {
    log.descriptor.disclaim()
    log.letGo()
    companion.letGo()
  }

  // MARK: Room

  /// How the bytes of a payload get into the file.
  enum Method {
    case copied, written

    /// Payloads from this size on are written through the kernel rather than copied into the window.
    private static var largestCopied: Int { 16 << 10 }

    init(_ count: Int) {
      self = count < Self.largestCopied ? .copied : .written
    }
  }

  /// Makes room for a record of so many bytes of payload at `offset`, and for `entries` entries. Throws before anything
  /// changed: for lack of room, and then it may have room later; or because filling ahead failed, which is a failed write.
  @inline(__always)
  mutating func makeRoom(at offset: Int, payload: Int, _ method: Method, entries: Int) throws(ImmutaError) {
    let (sum, overflow) = offset.addingReportingOverflow(recordHeaderSize)
    let (end, overflow2) = sum.addingReportingOverflow(payload)
    guard !overflow, !overflow2, end <= LogFormat.largestPayload else { throw .recordTooLarge }
    let entriesEnd = CompanionEntry.offset(of: entries)
    if log.reservedEnd < end || companion.reservedEnd < entriesEnd { try reserve(through: end, entriesEnd) }
    if method == .copied, log.lacksPages(through: end) {
      try writing { (files) throws(ImmutaError) in try io(files.log.fill(through: end)) }
    }
    if companion.lacksPages(through: entriesEnd) {
      try writing { (files) throws(ImmutaError) in try io(files.companion.fill(through: entriesEnd)) }
      flushes.noteNewBlocks()
    }
    assert(method == .written || !log.lacksPages(through: end), "a store beyond what is filled")
    assert(!companion.lacksPages(through: entriesEnd), "an entry beyond what is filled")
  }

  private mutating func reserve(through end: Int, _ entriesEnd: Int) throws(ImmutaError) {
    do {
      try log.reserve(through: end)
      try companion.reserve(through: entriesEnd)
    } catch {
      guard ErrorNumber.isLackOfRoom(error.errorNumber) else { throw ImmutaError(error) }
      // One file may have reserved the space that the other needs.
      try collect()
      let isMoreInLog = try io(log.giveBack(beyond: end))
      let isMoreInCompanion = try io(companion.giveBack(beyond: entriesEnd))
      guard isMoreInLog || isMoreInCompanion else { throw ImmutaError(error) }
      try io(log.reserve(through: end))
      try io(companion.reserve(through: entriesEnd))
    }
  }

  /// Gives back what is reserved beyond `end`, where that is very much, as after a large record that was taken back.
  mutating func giveBackOutsized(beyond end: Int) {
    guard log.isOutsized(for: end) else { return }
    try? writing { (files) throws(ImmutaError) in try io(files.log.collect()) }
    // Keeping an outsized reservation would be a waste, not an error: closing gives it back in any case.
    // After a failed commit the header may count a part of it, or all: then nothing is cut off.
    if failure == nil { try? log.shrink(to: end) }
  }

  // MARK: Records

  /// Writes a whole record where room was made; nobody knows of it yet. Returns its checksum.
  @inline(__always)
  mutating func storeRecord(
    _ bytes: UnsafeRawBufferPointer, at index: Int, _ method: Method
  ) throws(ImmutaError) -> UInt32 {
    let header = unsafe RecordHeader(format, of: bytes)
    let total = recordHeaderSize + bytes.count
    var checksum = header.checksum
    if method == .copied, let memory = try unsafe io(log.pointer(at: index, count: total)) {
      unsafe header.store(to: memory)
      if let source = bytes.baseAddress {
        unsafe checksum = crc32c_copy_extend(
          checksum, memory + recordHeaderSize, source, bytes.count)
      }
    } else {
      unsafe checksum = crc32c_extend(checksum, bytes.baseAddress, bytes.count)
      try writing { (files) throws(ImmutaError) in
        try unsafe header.withBytes { (header) throws(ImmutaError) in
          try unsafe io(files.log.write(header, bytes, at: index))
        }
      }
    }
    return checksum
  }

  /// Writes a part of a payload where room was made.
  mutating func storePart(_ bytes: UnsafeRawBufferPointer, at offset: Int, _ method: Method) throws(ImmutaError) {
    try writing { (files) throws(ImmutaError) in
      switch method {
      case .copied: try unsafe io(files.log.store(bytes, at: offset))
      case .written: try unsafe io(files.log.write(bytes, at: offset))
      }
    }
  }

  /// Writes the header before a payload whose parts were written.
  mutating func storeHeader(of record: RecordHeader, at index: Int) throws(ImmutaError) {
    try writing { (files) throws(ImmutaError) in
      try unsafe record.withBytes { (header) throws(ImmutaError) in
        try unsafe io(files.log.store(header, at: index))
      }
    }
  }

  // MARK: For readers and followers

  /// The windows that the last committed records lie in, where they are others than those handed out last.
  @inline(__always)
  mutating func newWindows() -> TailWindows? {
    if shownEnds == (log.windowEnd, companion.windowEnd) { return nil }
    return windowsToShow()
  }

  private mutating func windowsToShow() -> TailWindows? {
    guard let logWindow = log.window, let companionWindow = companion.window else { return nil }
    shownEnds = (log.windowEnd, companion.windowEnd)
    return TailWindows(log: logWindow, companion: companionWindow)
  }

  /// Wakes waiters in other processes for a word of the log or of its companion; returns how many there were.
  mutating func wake(at offset: Int, of file: Descriptor) -> Int {
    // The mapping's first page has the log's word.
    if let memory = unsafe headerMemory { return unsafe SystemCalls.wake(memory) }
    // A log that rolls wakes followers that wait for an entry for which there may be no room.
    if !format.hasCount, companion.storesIntoMemory, offset + 4 <= companion.reservedEnd,
      let memory = unsafe try? companion.pointer(at: offset, count: 4)
    {
      return unsafe SystemCalls.wake(memory)
    }
    // Where the file cannot be mapped, nobody waits for its words.
    return words.word(at: offset, of: file)?.wake() ?? 0
  }
}
