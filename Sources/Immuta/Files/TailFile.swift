/// A file that grows at its end: space reserved ahead, the part being written mapped.
///
/// Invariants: `reservedEnd` bytes exist in the file; while `isReserving`, all of them have blocks, so storing into a
/// window over them cannot fail for lack of room. One thread at a time.
struct TailFile: ~Copyable, Sendable {
  let descriptor: Descriptor
  /// Size of the file, space reserved ahead included.
  private(set) var reservedEnd: Int
  /// Where `pointer(at:count:)` points into; nil until first needed and after `shrink`.
  private(set) var window: MappedWindow?
  /// False on file systems that cannot reserve: everything is then written with `pwrite`.
  private(set) var isReserving = true
  private let smallestReservation: Int

  /// The largest step by which space is reserved.
  private static var largestReservation: Int { 64 << 20 }
  /// Memory that a mapped window may occupy.
  private static var largestWindow: Int { 8 << 20 }

  init(_ descriptor: Descriptor, size: Int, smallestReservation: Int) {
    self.descriptor = descriptor
    self.smallestReservation = smallestReservation
    reservedEnd = size
  }

  /// Makes sure that writing up to `end` cannot fail for lack of room. Throws before anything changed.
  mutating func reserve(through end: Int) throws(ImmutaError) {
    guard end > reservedEnd, isReserving else { return }
    // Steps in proportion to the file: few calls for a large log, little waste in a small one.
    let step = min(max(smallestReservation, reservedEnd / 2), Self.largestReservation)
    let page = SystemCalls.pageSize
    let generous = (max(end, reservedEnd + step) + page - 1) / page * page
    do {
      // From the start of the page: what is already there stays, and gets blocks if it was sparse.
      let start = reservedEnd / page * page
      try descriptor.reserve(from: start, count: generous - start)
      reservedEnd = generous
    } catch .io(let number, _, _) where number == SystemCalls.cannotReserve {
      isReserving = false
    } catch .io where generous > end {
      // What has no room for a generous step, or a quota that forbids it, may have room for this write.
      try descriptor.reserve(from: reservedEnd, count: end - reservedEnd)
      reservedEnd = end
    }
  }

  /// Memory for the bytes at `offset`, which must have been reserved; nil where they must go through `write`.
  mutating func pointer(at offset: Int, count: Int) throws(ImmutaError) -> UnsafeMutableRawPointer? {
    if let window, window.contains(offset..<offset + count) { return unsafe window.base + (offset - window.offset) }
    guard isReserving else { return nil }
    precondition(offset + count <= reservedEnd, "bytes up to \(offset + count) were not reserved")
    let end = min(reservedEnd, max(offset + Self.largestWindow, offset + count))
    let window = try MappedWindow(descriptor, offset..<end, writable: true)
    self.window = window
    return unsafe window.base + (offset - window.offset)
  }

  /// Writes through the kernel: for large pieces, and where nothing can be reserved.
  mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(ImmutaError) {
    try unsafe descriptor.write(bytes, at: offset)
    reservedEnd = max(reservedEnd, offset + bytes.count)
  }

  /// Writes small bytes the cheapest way there is.
  mutating func store(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(ImmutaError) {
    if let memory = try unsafe pointer(at: offset, count: bytes.count) {
      unsafe UnsafeMutableRawBufferPointer(start: memory, count: bytes.count).copyMemory(from: bytes)
    } else {
      try unsafe write(bytes, at: offset)
    }
  }

  /// Gives back what was reserved beyond `size`.
  mutating func shrink(to size: Int) throws(ImmutaError) {
    window = nil
    // Always: a reservation that failed half-way may have made the file longer than `reservedEnd`.
    try descriptor.truncate(to: size)
    reservedEnd = size
  }

  /// Gives back an outsized reservation after a rollback; an ordinary one stays for the next append.
  mutating func shrinkIfOutsized(to size: Int) throws(ImmutaError) {
    if reservedEnd - size > 2 * Self.largestReservation { try shrink(to: size) }
  }
}
