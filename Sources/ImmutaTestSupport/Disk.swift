import Foundation

/// The device under a directory, as ``PowerLoss`` models it.
///
/// One thread at a time.
struct Disk: ~Copyable {
  private let directory: String
  private var generator: SeededGenerator
  /// At one moment in so many, pages reach the device by themselves.
  private let oddsOfWriteBack: Int
  private var moments = 0
  /// Every file seen, by its identity, those removed since included.
  private var files: [UInt64: DiskFile] = [:]
  /// Names that survive a power cut now, and the files they name.
  private var stableNames: [String: UInt64]
  /// Names as programs see them, when last looked.
  private var names: [String: UInt64] = [:]
  /// What happened to the names since the directory was flushed, in order.
  private var changes: [Change] = []
  /// Bytes that the flushes being made now cover, and how far the file had been written.
  private var flushing: [String: (bytes: [UInt8], writtenEnd: Int)] = [:]
  /// Bytes that the device is being given, and those that it has, in a cache that the next flush of any file empties.
  private var writingBack: [String: [UInt8]] = [:]
  private var cached: [String: [UInt8]] = [:]
  /// What was in the device's cache when the flush of a file began.
  private var flushingCached: [String: [String: [UInt8]]] = [:]
  private var flushingChanges = 0

  private enum Change {
    case created(String, UInt64)
    case removed(String)
    case renamed(String, to: String, UInt64)
  }

  init(directory: String, seed: UInt64, oddsOfWriteBack: Int) {
    self.directory = directory
    self.oddsOfWriteBack = oddsOfWriteBack
    generator = SeededGenerator(seed: seed)
    stableNames = [:]
    names = listing()
    stableNames = names
    for (name, identity) in names {
      files[identity] = DiskFile(path: "\(directory)/\(name)", isStable: true)
    }
  }

  /// Counts, and lets some pages reach the device now and then.
  mutating func nextMoment() -> Int {
    if generator.oneIn(oddsOfWriteBack) {
      for identity in files.keys.sorted() where Bool.random(using: &generator) {
        if let file = files[identity] { file.stable = file.remains(using: &generator) }
      }
    }
    moments += 1
    return moments - 1
  }

  // MARK: Names

  private func listing() -> [String: UInt64] {
    var result: [String: UInt64] = [:]
    for name in (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [] {
      guard let attributes = try? FileManager.default.attributesOfItem(atPath: "\(directory)/\(name)"),
        attributes[.type] as? FileAttributeType == .typeRegular,
        let identity = attributes[.systemFileNumber] as? UInt64
          ?? (attributes[.systemFileNumber] as? Int).map(UInt64.init)
      else { continue }
      result[name] = identity
    }
    return result
  }

  /// Finds out what happened to the names since it last looked.
  mutating func noteEntries() {
    let now = listing()
    if now == names { return }
    var gone = names.filter { now[$0.key] != $0.value }
    for (name, identity) in now.sorted(by: { $0.key < $1.key }) where names[name] != identity {
      if files[identity] == nil {
        files[identity] = DiskFile(path: "\(directory)/\(name)", isStable: false)
        changes.append(.created(name, identity))
      } else if let (old, _) = gone.first(where: { $0.value == identity }) {
        changes.append(.renamed(old, to: name, identity))
        gone[old] = nil
      } else {
        // A listing that is made while names change may lack one: it was taken for gone.
        changes.append(.created(name, identity))
      }
      gone[name] = nil
    }
    for name in gone.keys.sorted() { changes.append(.removed(name)) }
    names = now
  }

  private static func apply(_ change: Change, to names: inout [String: UInt64]) {
    switch change {
    case .created(let name, let identity): names[name] = identity
    case .removed(let name): names[name] = nil
    case .renamed(let old, let new, let identity):
      names[old] = nil
      names[new] = identity
    }
  }

  // MARK: Flushes

  mutating func flushBegins(_ path: String) {
    noteEntries()
    if path == directory {
      flushingChanges = changes.count
    } else if let file = file(at: path) {
      flushing[path] = (file.current(), file.writtenEnd)
      flushingCached[path] = cached
    }
  }

  mutating func didWrite(_ range: Range<Int>, _ path: String) {
    noteEntries()
    guard let file = file(at: path) else { return }
    file.writtenEnd = max(file.writtenEnd, range.upperBound)
  }

  mutating func writeBackBegins(_ path: String) {
    writingBack[path] = file(at: path)?.current()
  }

  mutating func writeBackEnds(_ path: String) {
    cached[path] = writingBack.removeValue(forKey: path)
  }

  mutating func flushEnds(_ path: String) {
    if path == directory {
      for change in changes.prefix(flushingChanges) { Self.apply(change, to: &stableNames) }
      changes.removeFirst(flushingChanges)
      flushingChanges = 0
    } else if let (bytes, writtenEnd) = flushing.removeValue(forKey: path) {
      for (other, bytes) in flushingCached.removeValue(forKey: path) ?? [:] where other != path {
        file(at: other)?.settleKnownBlocks(bytes)
        if cached[other] == bytes { cached[other] = nil }
      }
      file(at: path)?.settle(bytes, writtenEnd: writtenEnd)
    }
  }

  private func file(at path: String) -> DiskFile? {
    names[String(path.dropFirst(directory.count + 1))].flatMap { files[$0] }
  }

  // MARK: The power cut

  /// The files, by name, that a power cut now may leave.
  mutating func remains(using generator: inout SeededGenerator) -> [String: [UInt8]] {
    noteEntries()
    var left = stableNames
    // The journal of a file system keeps the order of what happened; a careless one keeps none.
    if Bool.random(using: &generator) {
      let count = Int.random(in: 0...changes.count, using: &generator)
      for change in changes.prefix(count) { Self.apply(change, to: &left) }
    } else {
      for change in changes where Bool.random(using: &generator) { Self.apply(change, to: &left) }
    }
    var result: [String: [UInt8]] = [:]
    for (name, identity) in left.sorted(by: { $0.key < $1.key }) {
      result[name] = files[identity]?.remains(using: &generator)
    }
    return result
  }
}
