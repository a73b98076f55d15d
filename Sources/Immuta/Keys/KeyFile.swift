import ImmutaLocking

/// A file with the keys of a sealed segment, or with the counts of records that were removed. It is read in pieces, and each
/// piece is checked; a damaged piece is nil, and the file is made again.
///
/// Its layout is that of ``KeyFileHeader``.
final class KeyFile: Sendable {
  let header: KeyFileHeader
  let name: String
  private let directory: Directory
  private let identity: FileIdentity
  private let open: Open

  /// Its descriptor, while it is open.
  private final class Open: ClosedTogether.Member {
    let file: Lock<Descriptor?>

    init(_ file: Descriptor) { self.file = Lock(file) }

    func close() { file.withLock { $0 = nil } }
  }

  /// How many slots one read brings: 2 KiB.
  private static var slotsAtOnce: Int { 64 }

  /// Nil if no file has the name, or it cannot be trusted.
  ///
  /// - Parameter isExpected: whether the header is the one that is asked for.
  init?(
    _ name: String, in directory: Directory, _ trust: FileTrust, _ isExpected: (KeyFileHeader) -> Bool
  ) {
    var bytes = [UInt8](repeating: 0, count: KeyFileHeader.size)
    guard let file = try? directory.openIfPresent(name, .read), let status = try? file.status(),
      (try? trust.holds(status)) == true,
      (try? unsafe bytes.withMutableBytes { (bytes) throws(FileError) in try unsafe file.read(into: bytes, at: 0) })
        == bytes.count,
      let header = KeyFileHeader(bytes, fileSize: status.size), isExpected(header)
    else { return nil }
    self.header = header
    self.name = name
    self.directory = directory
    identity = status.identity
    open = Open(file)
    // Otherwise it cannot be read any more, as the log is closed.
    if !directory.together.add(open) { open.close() }
  }

  deinit { directory.together.forget(open) }

  /// Closes the file until it is read again.
  func rest() { open.close() }

  /// Nil if another file has the name by now, or none.
  private var descriptor: Descriptor? {
    open.file.withLock { open in
      if open == nil, let file = try? directory.openIfPresent(name, .read),
        (try? file.status())?.identity == identity
      {
        open = file
      }
      return open
    }
  }

  private func read(_ count: Int, at offset: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    guard let descriptor,
      (try? unsafe bytes.withMutableBytes { (bytes) throws(FileError) in
        try unsafe descriptor.read(into: bytes, at: offset)
      }) == count
    else { return nil }
    return bytes
  }

  // MARK: Slots

  /// The slots of a range; nil where one is damaged.
  func slots(_ range: Range<Int>) -> [KeySlot]? {
    if range.isEmpty { return [] }
    guard let window = window(range) else { return nil }
    var slots: [KeySlot] = []
    slots.reserveCapacity(range.count)
    for place in range {
      guard let slot = slot(place, in: window) else { return nil }
      slots.append(slot)
    }
    return slots
  }

  private func isSound(_ slot: KeySlot) -> Bool {
    switch header.kind {
    case .removed: slot.count == 0 && slot.place <= header.count
    case .segment: slot.count > 0 && slot.count <= header.keyed && slot.place <= header.keyed - slot.count
    }
  }

  /// How many records all slots of a hash can be of, together.
  private var mostOfHash: Int { header.kind == .removed ? header.count : header.keyed }

  /// How many records a slot is of.
  private func count(of slot: KeySlot) -> Int { header.kind == .removed ? slot.place : slot.count }

  /// The slots of a hash: of its key, and of others that happen to have the same. Nil where the file is damaged.
  ///
  /// Hashes are spread evenly, so the place of one can be guessed, and better with each read: two reads most often find it. The
  /// slots that decide where the hash is are checked, however the search got there.
  func slots(of hash: KeyHash) -> [KeySlot]? {
    // The first slot whose hash is not less is in `low...high`.
    var (low, high) = (0, header.groups)
    var guess = Int(truncatingIfNeeded: expectedSlots(before: hash.high))
    var window = Window()
    var reads = 0
    while low < high {
      let start = min(max(low, guess - Self.slotsAtOnce / 2), high - 1)
      guard let read = self.window(start..<min(high, start + Self.slotsAtOnce)) else { return nil }
      window = read
      let place = window.firstPlace(notBefore: hash)
      if place > window.range.lowerBound {
        guard let before = slot(place - 1, in: window), before.hash < hash else { return nil }
        low = place
      }
      if place < window.range.upperBound {
        guard let this = slot(place, in: window), this.hash >= hash else { return nil }
        high = place
      }
      reads += 1
      // Hashes that are not spread evenly, as in tests, are found by halving.
      let least = window.hash(at: start)
      let distance =
        least.high < hash.high
        ? expectedSlots(before: hash.high - least.high) : -expectedSlots(before: least.high - hash.high)
      guess = reads < 3 ? start + distance : low + (high - low) / 2
    }
    return equal(to: hash, from: low, window)
  }

  /// Slots as they are on file.
  private struct Window {
    var range = 0..<0
    var bytes: [UInt8] = []

    /// The hash on file at a place, unchecked.
    func hash(at place: Int) -> KeyHash {
      unsafe bytes.withBytes { unsafe KeySlot.hash(in: $0, at: (place - range.lowerBound) * KeySlot.size) }
    }

    /// The place of the first hash that is not less, if none of them is damaged.
    func firstPlace(notBefore hash: KeyHash) -> Int {
      var (low, high) = (range.lowerBound, range.upperBound)
      while low < high {
        let middle = low + (high - low) / 2
        if self.hash(at: middle) < hash { low = middle + 1 } else { high = middle }
      }
      return low
    }
  }

  private func window(_ range: Range<Int>) -> Window? {
    read(range.count * KeySlot.size, at: header.slotOffset(range.lowerBound)).map { Window(range: range, bytes: $0) }
  }

  /// Nil where it is damaged.
  private func slot(_ place: Int, in window: Window) -> KeySlot? {
    let start = (place - window.range.lowerBound) * KeySlot.size
    let slot = unsafe window.bytes.withBytes { bytes in
      unsafe KeySlot(UnsafeRawBufferPointer(rebasing: bytes[start..<start + KeySlot.size]), at: place)
    }
    guard let slot, isSound(slot) else { return nil }
    return slot
  }

  /// About how many slots are before a hash.
  private func expectedSlots(before hash: UInt64) -> Int {
    Int(truncatingIfNeeded: hash.multipliedFullWidth(by: UInt64(header.groups)).high)
  }

  private func equal(to hash: KeyHash, from first: Int, _ window: Window) -> [KeySlot]? {
    var window = window
    var found: [KeySlot] = []
    // Those that say they have the same postings are not believed: each would be read as often as it is claimed.
    var left = mostOfHash
    for place in first..<header.groups {
      if !window.range.contains(place) {
        guard let read = self.window(place..<min(header.groups, place + Self.slotsAtOnce)) else { return nil }
        window = read
      }
      guard let slot = slot(place, in: window) else { return nil }
      if slot.hash != hash { break }
      left -= count(of: slot)
      guard left >= 0 else { return nil }
      found.append(slot)
    }
    return found
  }

  // MARK: Postings

  /// How many postings one read brings. So memory grows with the postings that the file holds, not with the number that it claims.
  private static var postingsAtOnce: Int { 4096 }

  /// Postings of a range of places, of one key; nil where one is damaged, or not in its place. Their numbers are those of the log.
  func postings(_ range: Range<Int>) -> [KeyPosting]? {
    var postings: [KeyPosting] = []
    postings.reserveCapacity(min(range.count, Self.postingsAtOnce))
    for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.postingsAtOnce) {
      let end = min(range.upperBound, start + Self.postingsAtOnce)
      guard let bytes = read((end - start) * KeyPosting.size, at: header.postingOffset(start)) else { return nil }
      for place in start..<end {
        let offset = (place - start) * KeyPosting.size
        let posting = unsafe bytes.withBytes { bytes in
          unsafe KeyPosting(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + KeyPosting.size]), at: place)
        }
        guard var posting, posting.number < header.count else { return nil }
        posting.number += header.first
        // Otherwise a record would be delivered twice, or after a later one. One that could not be read has no place.
        if let last = postings.last {
          guard last.number < posting.number, last.entry.index < posting.entry.index || posting.entry.index == 0 else {
            return nil
          }
        }
        postings.append(posting)
      }
    }
    return postings
  }

  /// The numbers of records that could not be read; nil where the file is damaged.
  func unreadable() -> [Int]? { postings(header.keyed..<header.postings)?.map(\.number) }

  /// The place, among a slot's postings, of the first one at or after a number. O(log n) small reads, none if it is the first.
  func place(of number: Int, in slot: KeySlot) -> Int? {
    var (low, high) = (slot.place, slot.place + slot.count)
    if number <= header.first { return low }
    while low < high {
      let middle = low + (high - low) / 2
      guard let posting = postings(middle..<middle + 1)?.first else { return nil }
      if posting.number < number { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
