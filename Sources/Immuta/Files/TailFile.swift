/// A file that grows at its end: space reserved ahead, the part being written mapped.
///
/// ```
/// | bytes that mean something | zeros in the page cache | reserved blocks |
///                                               filledEnd ^     reservedEnd ^
/// ```
///
/// Invariants: `reservedEnd` bytes exist in the file; while `storesIntoMemory`, all of them have blocks that nobody
/// shares, so storing into a window over them cannot fail for lack of room; nothing was ever stored at or after
/// `filledEnd`, so filling it with zeros overwrites nothing. One thread at a time.
///
/// What `ahead` fills meanwhile begins at `filledEnd`; nobody else writes there before it was collected.
///
/// Filling ahead is for speed alone. A store into a page that is not in the page cache costs a fault, in which the file
/// system maps one block; a `pwrite` of many pages makes them at once, and the stores that follow find them mapped.
/// Measured on ext4, per page of 4 KiB: 2.5 µs by faults, 0.8 µs by filling. A flush then finds blocks that were
/// written, with no metadata to change.
@safe struct TailFile: ~Copyable, Sendable {
  private(set) var descriptor: Descriptor
  /// Size of the file, space reserved ahead included.
  private(set) var reservedEnd: Int
  /// End of the bytes that are in the page cache.
  private var filledEnd: Int
  /// Fills the next bytes, if stores into memory are fast enough to be held up by filling.
  private var ahead: FillAhead?
  /// Where `pointer(at:count:)` points into; nil until first needed and after `shrink`.
  private(set) var window: MappedWindow? {
    didSet {
      unsafe windowMemory = storesIntoMemory ? window?.base : nil
      (windowStart, windowEnd) = (window?.offset ?? 0, window?.end ?? 0)
    }
  }
  // The window's own numbers once more: a small append would otherwise retain and release it for each of its stores.
  // `nonisolated(unsafe)`: a pointer into `window`, which is held beside it, and as safe to send as that is.
  private nonisolated(unsafe) var windowMemory: UnsafeMutableRawPointer?
  private var windowStart = 0
  private(set) var windowEnd = 0
  /// False on file systems that cannot reserve, or where it promises nothing: everything is then written with `pwrite`.
  private(set) var isReserving: Bool
  /// Whether pages are filled before they are written to: not where that is more to write, and saves nothing.
  private(set) var isFilling: Bool
  /// Whether the file is flushed after each commit. Then nothing of it is mapped, not even for readers: a mapping saves
  /// little beside a flush, and a file that another program cuts short raises a signal where it is mapped.
  private let isFlushedOften: Bool
  /// Whether small bytes too go through the kernel; windows are then for readers alone.
  ///
  /// Where a store into memory may find no room, see ``FileSystem``. And for files that are flushed after each commit: a
  /// page that was stored to by way of a mapping is write-protected by the flush, and the next store faults. Measured on
  /// ext4, for two such pages: 30 µs a commit; two calls of `pwrite`: 1 µs.
  private let writesThrough: Bool
  /// False if the file cannot be mapped, or a mapping may show other bytes than were written.
  private var isMapped: Bool
  private let smallestReservation: Int
  /// The largest step that may have room: less than usual after one that had none.
  private var largestStep = Self.largestReservation
  /// Where nothing is reserved: how far the file may grow before the limit on its size is asked for again.
  private var allowedEnd = 0

  /// The largest step by which space is reserved.
  private static var largestReservation: Int { 64 << 20 }
  /// How far a file grows between two looks at the limit on its size.
  private static var allowedGrowth: Int { 64 << 10 }
  /// How much is filled at once, at least and at most.
  private static var fillSteps: ClosedRange<Int> { 16 << 10...512 << 10 }
  /// Less is not worth waking a thread.
  private static var smallestAhead: Int { 256 << 10 }
  /// Memory that a mapped window may occupy.
  private static var largestWindow: Int { 8 << 20 }

  /// - Parameter isFlushedOften: whether the file is flushed after each commit.
  init(_ descriptor: Descriptor, size: Int, smallestReservation: Int, isFlushedOften: Bool) {
    self.descriptor = descriptor
    let fileSystem = descriptor.fileSystem
    self.isFlushedOften = isFlushedOften
    writesThrough = isFlushedOften || !fileSystem.keepsReservations
    isReserving = fileSystem.reserves
    isFilling = fileSystem.keepsReservations
    isMapped = fileSystem.showsWrites
    self.smallestReservation = smallestReservation
    reservedEnd = size
    filledEnd = size
    ahead = writesThrough ? nil : FillAhead()
  }

  /// Whether bytes get into the file by stores into memory, rather than by calls.
  var storesIntoMemory: Bool { isReserving && !writesThrough && isMapped }

  /// Whether storing up to `end` would cost page faults that `fill` saves.
  @inline(__always)
  func lacksPages(through end: Int) -> Bool { end > filledEnd && isFilling }

  /// Fills reserved space, a step at a time, at least up to `end`. In a file that has grown large the next step is begun, too, so
  /// that it is done when it is needed.
  mutating func fill(through end: Int) throws(FileError) {
    precondition(end <= reservedEnd, "bytes up to \(end) were not reserved")
    try collect()
    if end > filledEnd {
      let next = max(end, nextFill.upperBound)
      try descriptor.fillWithZeros(filledEnd..<next)
      filledEnd = next
    }
    if nextFill.count >= Self.smallestAhead { ahead?.begin(nextFill, in: descriptor) }
  }

  /// The range to be filled next.
  private var nextFill: Range<Int> {
    let step = min(max(Self.fillSteps.lowerBound, filledEnd / 4), Self.fillSteps.upperBound)
    return filledEnd..<max(filledEnd, min(reservedEnd, filledEnd + step))
  }

  /// Waits for filling to end: from then on nobody else writes to the file.
  mutating func collect() throws(FileError) {
    if let end = try ahead?.collect() { filledEnd = max(filledEnd, end) }
  }

  /// Makes sure that writing up to `end` cannot fail for lack of room, as far as the file system gives that. Throws
  /// before anything changed.
  @inline(__always)
  mutating func reserve(through end: Int) throws(FileError) {
    if end > reservedEnd { try reserveMore(through: end) }
  }

  private mutating func reserveMore(through end: Int) throws(FileError) {
    guard isReserving else { return try allowGrowth(through: end) }
    // Steps in proportion to the file: few calls for a large log, little waste in a small one.
    var step = min(max(smallestReservation, reservedEnd / 2), largestStep)
    let page = SystemCalls.pageSize
    let limit = SystemCalls.sizeLimit()
    // Whole pages, as far as a limit on the file's size allows.
    let least = max(end, min((end + page - 1) / page * page, limit))
    while true {
      let wanted = max(least, min((reservedEnd + step) / page * page, limit))
      do {
        // From the start of the page: its bytes stay, and get blocks if they were sparse.
        let start = reservedEnd / page * page
        try descriptor.reserve(from: start, count: wanted - start)
        reservedEnd = wanted
        // There may be more room by now.
        largestStep = min(2 * largestStep, Self.largestReservation)
        return
      } catch let error where error.errorNumber == ErrorNumber.cannotReserve {
        try stopReserving()
        return
      } catch let error where ErrorNumber.isLackOfRoom(error.errorNumber) {
        // Some file systems keep the part that had room: it may be all there is.
        try? descriptor.truncate(to: reservedEnd)
        // If there is no room for a generous step, on the device, in a quota or below a limit, there may be room for half. The
        // size that had no room is remembered: the next step begins there.
        step = wanted == least ? page : (wanted - reservedEnd) / 2
        largestStep = step
        if wanted == least { throw error }
      }
    }
  }

  /// Nothing is stored into memory any more, also where space was reserved before.
  private mutating func stopReserving() throws(FileError) {
    try collect()
    window = nil
    isReserving = false
    isFilling = false
  }

  /// Throws where a limit forbids the file to grow to `end`: writing would raise a signal.
  private mutating func allowGrowth(through end: Int) throws(FileError) {
    guard end > allowedEnd else { return }
    try SystemCalls.checkSize(end, operation: .pwrite, path: descriptor.path)
    allowedEnd = min(end + Self.allowedGrowth, SystemCalls.sizeLimit())
  }

  /// Memory for the bytes at `offset`, which must have been reserved; nil where they must go through `write`.
  @inline(__always)
  mutating func pointer(at offset: Int, count: Int) throws(FileError) -> UnsafeMutableRawPointer? {
    if let memory = unsafe windowMemory, offset >= windowStart, offset + count <= windowEnd {
      return unsafe memory + (offset - windowStart)
    }
    return try unsafe pointerIntoNewWindow(at: offset, count: count)
  }

  private mutating func pointerIntoNewWindow(
    at offset: Int, count: Int
  ) throws(FileError) -> UnsafeMutableRawPointer? {
    guard isReserving, isMapped, !isFlushedOften else { return nil }
    precondition(offset + count <= reservedEnd, "bytes up to \(offset + count) were not reserved")
    if window == nil || offset < windowStart || offset + count > windowEnd {
      let end = min(reservedEnd, max(offset + Self.largestWindow, offset + count))
      window = try mapped(offset..<end)
    }
    guard let memory = unsafe windowMemory else { return nil }
    return unsafe memory + (offset - windowStart)
  }

  /// A window over bytes that exist; nil where the file cannot be mapped: from then on everything is written.
  mutating func mapped(_ range: Range<Int>) throws(FileError) -> MappedWindow? {
    do {
      return try MappedWindow(descriptor, range, writable: !writesThrough)
    } catch let error where ErrorNumber.cannotMap(error.errorNumber) {
      isMapped = false
      return nil
    }
  }

  /// Writes through the kernel: for large pieces, and where nothing is stored into memory.
  mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
    if offset + bytes.count > filledEnd { try collect() }
    try unsafe descriptor.write(bytes, at: offset)
    noteWritten(through: offset + bytes.count)
  }

  /// Writes some bytes, and others after them, in one call.
  mutating func write(
    _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, at offset: Int
  ) throws(FileError) {
    if offset + first.count + second.count > filledEnd { try collect() }
    try unsafe descriptor.write(first, second, at: offset)
    noteWritten(through: offset + first.count + second.count)
  }

  private mutating func noteWritten(through end: Int) {
    reservedEnd = max(reservedEnd, end)
    filledEnd = max(filledEnd, end)
  }

  /// Writes small bytes the cheapest way there is.
  mutating func store(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
    if let memory = try unsafe pointer(at: offset, count: bytes.count) {
      unsafe UnsafeMutableRawBufferPointer(start: memory, count: bytes.count).copyMemory(from: bytes)
    } else {
      try unsafe write(bytes, at: offset)
    }
  }

  /// Gives back space that was reserved beyond `size`.
  mutating func shrink(to size: Int) throws(FileError) {
    window = nil
    try collect()
    // Always: a reservation that failed half-way may have made the file longer than `reservedEnd`.
    try descriptor.truncate(to: size)
    reservedEnd = size
    filledEnd = min(filledEnd, size)
  }

  /// Gives back the whole pages that are reserved beyond `end`, after all that was written; false where there are none.
  mutating func giveBack(beyond end: Int) throws(FileError) -> Bool {
    let page = SystemCalls.pageSize
    let size = (end + page - 1) / page * page
    guard size < reservedEnd else { return false }
    try shrink(to: size)
    largestStep = page
    return true
  }

  /// Holds the file no longer, though its owner may be held on. Nothing may be called after.
  mutating func letGo() {
    window = nil
    ahead = nil
    descriptor = .closed(at: descriptor.path)
  }

  /// Whether so much is reserved beyond `size` that it should be given back after a rollback; less stays for the next
  /// append, unless there is no more room.
  func isOutsized(for size: Int) -> Bool {
    let isFull = largestStep <= SystemCalls.pageSize
    return reservedEnd - size > (isFull ? smallestReservation : 2 * Self.largestReservation)
  }
}
