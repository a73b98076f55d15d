/// The keys of a segment's records, in memory: while the segment is the newest, and until its file is made.
///
/// Compact: 4 bytes for each record, and for each key its bytes once and about 40 more.
struct MemoryKeys: Sendable {
  /// The number of the segment's first record.
  let first: Int
  /// For each record, the next one of the same key, counted from `first`; `none` for the last, and for records without a key.
  private(set) var next: [UInt32] = []
  private(set) var groups: [Group] = []
  /// The numbers of records that could not be read: nobody knows their keys.
  private(set) var unreadable: [Int] = []
  private var keyBytes: [UInt8] = []
  /// Open addressing: a group's number, or `none`. Its size is a power of two, more than the number of groups.
  private var table = [UInt32](repeating: none, count: 16)

  static let none = UInt32.max

  /// The records of one key, from the first to the last.
  struct Group: Sendable {
    let hash: KeyHash
    let keyStart: Int
    let keyCount: Int32
    let first: UInt32
    var last: UInt32
    var count: UInt32
  }

  init(first: Int) {
    self.first = first
  }

  /// The number after its last record.
  var end: Int { first + next.count }

  /// Whether no room is left for another record: numbers take 4 bytes.
  var isFull: Bool { next.count >= Int(Self.none) - 1 }

  /// Adds the next record.
  mutating func add(_ key: [UInt8]?, _ hash: KeyHash?) {
    precondition(!isFull, "whoever adds a record has made sure that there is room")
    let number = UInt32(next.count)
    next.append(Self.none)
    guard let key, let hash else { return }
    let (slot, found) = place(of: key, hash)
    if let found {
      next[Int(groups[found].last)] = number
      groups[found].last = number
      groups[found].count += 1
      return
    }
    table[slot] = UInt32(groups.count)
    groups.append(
      Group(
        hash: hash, keyStart: keyBytes.count, keyCount: Int32(key.count), first: number, last: number, count: 1))
    keyBytes += key
    if groups.count * 4 > table.count * 3 { grow() }
    assert(groups.count < table.count, "a look into the table comes to a free place")
  }

  /// Adds the next record, which cannot be read.
  mutating func addUnreadable() {
    precondition(!isFull, "whoever adds a record has made sure that there is room")
    unreadable.append(end)
    next.append(Self.none)
  }

  /// The key's group; nil where no record has it.
  func group(of key: [UInt8], _ hash: KeyHash) -> Int? { place(of: key, hash).group }

  /// The first record of a group at or after a number.
  ///
  /// - Parameter known: a record of the group before that, if one is known: the search begins there.
  func record(of group: Int, from number: Int, after known: Int?) -> Int? {
    var place = groups[group].first
    if let known, known >= first, known < end { place = UInt32(known - first) }
    while place != Self.none, first + Int(place) < number { place = next[Int(place)] }
    return place == Self.none ? nil : first + Int(place)
  }

  /// Up to `most` records from a number on that have a key, or may have it, in their order.
  ///
  /// - Parameter known: see ``record(of:from:after:)``.
  func places(of key: [UInt8], _ hash: KeyHash, from number: Int, after known: Int?, most: Int) -> [FoundRecords.Place]
  {
    var numbers: [Int] = []
    var next = group(of: key, hash).flatMap { record(of: $0, from: number, after: known) }
    while let found = next, numbers.count < most {
      numbers.append(found)
      let following = self.next[found - first]
      next = following == Self.none ? nil : first + Int(following)
    }
    if !unreadable.isEmpty {
      let bound = next == nil ? end : numbers.last ?? end
      numbers = (numbers + unreadable.filter { $0 >= number && $0 < bound }).sorted()
    }
    return numbers.map { ($0, nil) }
  }

  /// The nth record of a group, counted from 0.
  func record(_ nth: Int, of group: Int) -> Int {
    precondition(nth < Int(groups[group].count), "the group has that many records")
    var place = groups[group].first
    for _ in 0..<nth { place = next[Int(place)] }
    return first + Int(place)
  }

  func key(of group: Int) -> [UInt8] {
    let group = groups[group]
    return Array(keyBytes[group.keyStart..<group.keyStart + Int(group.keyCount)])
  }

  /// Where the key is in the table, or would be, and its group.
  private func place(of key: [UInt8], _ hash: KeyHash) -> (slot: Int, group: Int?) {
    var slot = start(hash)
    while true {
      let number = table[slot]
      if number == Self.none { return (slot, nil) }
      // Different keys may have the same hash.
      if groups[Int(number)].hash == hash, has(Int(number), key) { return (slot, Int(number)) }
      slot = (slot + 1) & (table.count - 1)
    }
  }

  private func has(_ group: Int, _ key: [UInt8]) -> Bool {
    let (start, count) = (groups[group].keyStart, Int(groups[group].keyCount))
    if count != key.count { return false }
    return unsafe keyBytes.withBytes { bytes in
      unsafe key.withBytes { key in unsafe bytes[start..<start + count].elementsEqual(key) }
    }
  }

  private func start(_ hash: KeyHash) -> Int { Int(truncatingIfNeeded: hash.low) & (table.count - 1) }

  private mutating func grow() {
    table = [UInt32](repeating: Self.none, count: table.count * 2)
    for (number, group) in groups.enumerated() {
      var slot = start(group.hash)
      while table[slot] != Self.none { slot = (slot + 1) & (table.count - 1) }
      table[slot] = UInt32(number)
    }
  }
}
