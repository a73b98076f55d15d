/// How many records of each key were removed from the log with their segments, as far as the index has seen them: a key's count
/// includes them.
struct RemovedKeys: Sendable {
  /// The first record that was not removed, when these were looked up; nil before that.
  private(set) var end: Int?
  /// Counts in files; each file counts different records.
  private(set) var files: [KeyFile] = []
  /// Keys of segments that were removed before they had a file.
  private(set) var memory: [MemoryKeys] = []

  /// The names of damaged files: their counts are lost.
  private(set) var damaged: Set<String> = []

  mutating func addMemory(_ keys: MemoryKeys) {
    memory.append(keys)
    end = nil
  }

  mutating func set(_ files: [KeyFile], end: Int) {
    self.files = files
    self.end = end
    memory.removeAll { keys in files.contains { $0.header.first <= keys.first && keys.end <= $0.header.end } }
  }

  /// They are looked up again when they are asked for.
  mutating func forget() { end = nil }

  /// The file of this name is not used any more; a new file of that name is.
  mutating func note(damaged name: String) {
    damaged.insert(name)
    end = nil
  }

  /// A new file has got its name.
  mutating func note(made name: String) {
    damaged.remove(name)
    end = nil
  }

  /// The files in which a key cannot be looked up.
  func damagedFiles(_ hash: KeyHash) -> [String] { files.filter { $0.slots(of: hash) == nil }.map(\.name) }

  /// How many of a key's records were removed; nil if a file is damaged, or was replaced.
  func count(_ key: [UInt8], _ hash: KeyHash) -> Int? {
    var count = 0
    for file in files {
      guard let slots = file.slots(of: hash) else { return nil }
      // The key of a removed record cannot be checked any more. It is accepted that two keys might have the same hash of 128
      // bits.
      for slot in slots { count += file.header.kind == .removed ? slot.place : slot.count }
    }
    for keys in memory {
      if let group = keys.group(of: key, hash) { count += Int(keys.groups[group].count) }
    }
    return count
  }

  /// Whether counts are in several places that should be in one file.
  var isScattered: Bool { !memory.isEmpty || files.contains { $0.header.kind == .segment } }
}

/// Adds up the counts of several files, and of keys in memory.
struct KeyCounts {
  private var sources: [Source]

  init(_ files: [KeyFile], _ memory: [MemoryKeys]) {
    sources = files.map { Source(file: $0) }
    sources += memory.map { keys in
      let slots = keys.groups.map { KeySlot(hash: $0.hash, place: Int($0.count), count: 0) }
      return Source(slots: slots.sorted { $0.hash < $1.hash })
    }
  }

  /// The next hash with its count, in the order of hashes; nil after the last, and if a file is damaged.
  mutating func next() -> (slot: KeySlot?, damaged: KeyFile?) {
    var least: KeyHash?
    for place in sources.indices {
      guard sources[place].fill() else { return (nil, sources[place].file) }
      if let hash = sources[place].head?.hash, least.map({ hash < $0 }) ?? true { least = hash }
    }
    guard let least else { return (nil, nil) }
    var count = 0
    for place in sources.indices {
      while sources[place].head?.hash == least {
        count += sources[place].take()
        // No key has had more records than a log can have. No sum of two such numbers is too large.
        guard count <= LogFormat.largestPayload, sources[place].fill() else { return (nil, sources[place].file) }
      }
    }
    return (KeySlot(hash: least, place: count, count: 0), nil)
  }

  private struct Source {
    var file: KeyFile?
    var slots: [KeySlot] = []
    var read = 0
    var position = 0

    init(file: KeyFile) { self.file = file }
    init(slots: [KeySlot]) { self.slots = slots }

    var head: KeySlot? { position < slots.count ? slots[position] : nil }

    mutating func take() -> Int {
      let slot = slots[position]
      position += 1
      return file?.header.kind == .segment ? slot.count : slot.place
    }

    mutating func fill() -> Bool {
      guard position == slots.count, let file, read < file.header.groups else { return true }
      let range = read..<min(file.header.groups, read + 1024)
      guard let more = file.slots(range) else { return false }
      (slots, position, read) = (more, 0, range.upperBound)
      return true
    }
  }
}
