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
  /// Every file seen, by its identity, including removed ones.
  private var files: [UInt64: DiskFile] = [:]
  /// The names in the directory, and in each folder in it, however deep, whose path from the directory is the key: "" is its own.
  private var folders: [String: Names] = [:]
  /// Bytes that the flushes being made now cover, and how far the file had been written.
  private var flushing: [String: (bytes: [UInt8], writtenEnd: Int)] = [:]
  /// Bytes that the device is being given, and those that it has, in a cache that the next flush of any file empties.
  private var writingBack: [String: [UInt8]] = [:]
  private var cached: [String: [UInt8]] = [:]
  /// What was in the device's cache when the flush of a file began.
  private var flushingCached: [String: [String: [UInt8]]] = [:]

  /// The names in one folder.
  private struct Names {
    /// Those that survive a power cut now, and the files they name.
    var stable: [String: UInt64] = [:]
    /// As programs see them, when last looked.
    var now: [String: UInt64] = [:]
    /// What happened to them since the folder was flushed, in order.
    var changes: [Change] = []
    /// How many of the changes the flush covers that is being made.
    var flushing = 0
  }

  private enum Change {
    case created(String, UInt64)
    case removed(String)
    case renamed(String, to: String, UInt64)
  }

  init(directory: String, seed: UInt64, oddsOfWriteBack: Int) {
    self.directory = directory
    self.oddsOfWriteBack = oddsOfWriteBack
    generator = SeededGenerator(seed: seed)
    noteEntries(areStable: true)
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

  /// The files and folders in a folder, by name.
  private func listing(_ folder: String) -> (all: [String: UInt64], folders: [String]) {
    let path = path(of: folder)
    var result: [String: UInt64] = [:]
    var folders: [String] = []
    for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] {
      var status = stat()
      guard lstat("\(path)/\(name)", &status) == 0 else { continue }
      let kind = status.st_mode & S_IFMT
      guard kind == S_IFREG || kind == S_IFDIR else { continue }
      result[name] = UInt64(status.st_ino)
      if kind == S_IFDIR { folders.append(name) }
    }
    return (result, folders)
  }

  private func path(of folder: String) -> String { folder.isEmpty ? directory : "\(directory)/\(folder)" }

  /// Finds out what happened to the names since it last looked.
  mutating func noteEntries(areStable: Bool = false) {
    noteEntries(in: "", areStable)
  }

  private mutating func noteEntries(in folder: String, _ areStable: Bool) {
    let found = wholeListing(folder)
    note(found.all, in: folder, except: found.folders, areStable)
    for name in found.folders { noteEntries(in: Self.path(of: name, in: folder), areStable) }
  }

  /// From the directory.
  private static func path(of name: String, in folder: String) -> String { folder.isEmpty ? name : "\(folder)/\(name)" }

  /// The same, once two in a row agree: one that is made while names change may lack one.
  private func wholeListing(_ folder: String) -> (all: [String: UInt64], folders: [String]) {
    var found = listing(folder)
    if found.all == folders[folder]?.now { return found }
    while true {
      let again = listing(folder)
      if again.all == found.all { return found }
      found = again
    }
  }

  private mutating func note(_ now: [String: UInt64], in folder: String, except known: [String], _ areStable: Bool) {
    var names = folders[folder] ?? Names()
    if now == names.now, folders[folder] != nil { return }
    var gone = names.now.filter { now[$0.key] != $0.value }
    for (name, identity) in now.sorted(by: { $0.key < $1.key }) where names.now[name] != identity {
      if files[identity] == nil, !known.contains(name) {
        files[identity] = DiskFile(path: "\(path(of: folder))/\(name)", isStable: areStable)
        names.changes.append(.created(name, identity))
      } else if let (old, _) = gone.first(where: { $0.value == identity }) {
        names.changes.append(.renamed(old, to: name, identity))
        gone[old] = nil
      } else {
        // One that a listing lacked was taken for gone.
        names.changes.append(.created(name, identity))
      }
      gone[name] = nil
    }
    for name in gone.keys.sorted() { names.changes.append(.removed(name)) }
    names.now = now
    if areStable { (names.stable, names.changes) = (now, []) }
    folders[folder] = names
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
    if let folder = folder(at: path) {
      let count = folders[folder]?.changes.count ?? 0
      folders[folder]?.flushing = count
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
    if let folder = folder(at: path), var names = folders[folder] {
      for change in names.changes.prefix(names.flushing) { Self.apply(change, to: &names.stable) }
      names.changes.removeFirst(names.flushing)
      names.flushing = 0
      folders[folder] = names
    } else if let (bytes, writtenEnd) = flushing.removeValue(forKey: path) {
      for (other, bytes) in flushingCached.removeValue(forKey: path) ?? [:] where other != path {
        file(at: other)?.settleKnownBlocks(bytes)
        if cached[other] == bytes { cached[other] = nil }
      }
      file(at: path)?.settle(bytes, writtenEnd: writtenEnd)
    }
  }

  private func folder(at path: String) -> String? {
    if path == directory { return "" }
    let folder = String(path.dropFirst(directory.count + 1))
    return folders[folder] == nil ? nil : folder
  }

  private func file(at path: String) -> DiskFile? {
    let parts = path.dropFirst(directory.count + 1).split(separator: "/").map(String.init)
    guard let name = parts.last else { return nil }
    return folders[parts.dropLast().joined(separator: "/")]?.now[name].flatMap { files[$0] }
  }

  // MARK: The power cut

  /// What a power cut now may leave.
  struct Remains {
    /// By their paths from the directory.
    var files: [String: [UInt8]] = [:]
    var folders: [String] = []
  }

  /// What a power cut now may leave. Each folder keeps its own part of what was not flushed.
  mutating func remains(using generator: inout SeededGenerator) -> Remains {
    noteEntries()
    var result = Remains()
    add("", to: &result, &generator)
    return result
  }

  private func add(_ folder: String, to result: inout Remains, _ generator: inout SeededGenerator) {
    for (name, identity) in left(in: folder, &generator).sorted(by: { $0.key < $1.key }) {
      let path = Self.path(of: name, in: folder)
      if folders[path] == nil {
        result.files[path] = files[identity]?.remains(using: &generator)
      } else {
        result.folders.append(path)
        add(path, to: &result, &generator)
      }
    }
  }

  private func left(in folder: String, _ generator: inout SeededGenerator) -> [String: UInt64] {
    guard let names = folders[folder] else { return [:] }
    var left = names.stable
    // The journal of a file system keeps the order of what happened; a careless one keeps none.
    if !folder.isEmpty || Bool.random(using: &generator) {
      let count = Int.random(in: 0...names.changes.count, using: &generator)
      for change in names.changes.prefix(count) { Self.apply(change, to: &left) }
    } else {
      for change in names.changes where Bool.random(using: &generator) { Self.apply(change, to: &left) }
    }
    return left
  }
}
