/// Reads a companion's entries, in order or not, through a buffer of its own.
@safe struct CompanionScanner: ~Copyable {
  private let descriptor: Descriptor
  /// Entries that the file has room for.
  let count: Int
  private let buffer: UnsafeMutableRawBufferPointer
  private var buffered: Range<Int> = 0..<0

  private static var bufferedEntries: Int { 4096 }
  /// How many entries are read first: some callers look at one or two, and those that go on get more each time.
  private static var fewestEntries: Int { 64 }

  init(_ descriptor: Descriptor) throws(ImmutaError) {
    self.descriptor = descriptor
    unsafe buffer = .allocate(byteCount: Self.bufferedEntries * CompanionEntry.size, alignment: 16)
    count = CompanionEntry.room(in: try io(descriptor.size))
  }

  /// Of a companion that may be missing.
  static func ofFile(_ companion: Descriptor?) throws(ImmutaError) -> CompanionScanner? {
    guard let companion else { return nil }
    return try CompanionScanner(companion)
  }

  deinit {
    unsafe buffer.deallocate()
  }

  /// Entry `number`, or nil when it is damaged or not there.
  mutating func entry(_ number: Int) throws(ImmutaError) -> CompanionEntry? {
    guard let bytes = try unsafe bytes(of: number) else { return nil }
    return unsafe CompanionEntry(decoding: bytes, number: number)
  }

  /// Whether nothing was ever written where entry `number` would be.
  mutating func isBlank(_ number: Int) throws(ImmutaError) -> Bool {
    guard let bytes = try unsafe bytes(of: number) else { return true }
    return unsafe bytes.allSatisfy { $0 == 0 }
  }

  /// Whether the last field of entry `number` was stored.
  mutating func isStored(_ number: Int) throws(ImmutaError) -> Bool {
    guard let bytes = try unsafe bytes(of: number) else { return false }
    return unsafe CompanionEntry.isStored(bytes, number: number)
  }

  /// Where the next commits end that whole entries name, from entry `number` on: at most `most` of them.
  mutating func commitEnds(from number: Int, most: Int) throws(ImmutaError) -> [Int] {
    var ends: [Int] = []
    var number = number
    while ends.count < most, let entry = try entry(number) {
      number += 1
      if entry.endsCommit { ends.append(number) }
    }
    return ends
  }

  /// How far the commits reach that whole entries name, from entry `number` on.
  mutating func lastCommitEnd(from number: Int) throws(ImmutaError) -> Int {
    var (number, end) = (number, number)
    while let entry = try entry(number) {
      number += 1
      if entry.endsCommit { end = number }
    }
    return end
  }

  /// Whether an entry was stored after one that was not, in a companion whose entries are stored in order. Looks no farther
  /// than some thousand entries.
  mutating func hasHole(from number: Int) throws(ImmutaError) -> Bool {
    var isAfterBlank = false
    for number in number..<max(number, min(count, number + 2 * Self.bufferedEntries)) {
      if try !isBlank(number) {
        if isAfterBlank { return true }
      } else {
        isAfterBlank = true
      }
    }
    return false
  }

  private mutating func bytes(of number: Int) throws(ImmutaError) -> UnsafeRawBufferPointer? {
    guard number >= 0, number < count else { return nil }
    if !buffered.contains(number) {
      let isNext = !buffered.isEmpty && number == buffered.upperBound
      let most = isNext ? min(Self.bufferedEntries, 8 * buffered.count) : Self.fewestEntries
      let wanted = min(most, count - number)
      let target = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<(wanted * CompanionEntry.size)])
      buffered = number..<number
      let offset = CompanionEntry.offset(of: number)
      let filled = try unsafe io(descriptor.read(into: target, at: offset))
      buffered = number..<number + filled / CompanionEntry.size
      if buffered.isEmpty { return nil }
    }
    return unsafe UnsafeRawBufferPointer(buffer).companionEntry(number - buffered.lowerBound)
  }
}
