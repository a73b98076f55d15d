import Foundation
import Immuta
import ImmutaLocking
import ImmutaTestSupport
import Testing

/// Random programs on an index of keys against a dictionary: appends, rolls, removed fronts, reopening, processes that die,
/// damaged and lost files of the index.
@Suite struct KeysModelTests {
  @Test(arguments: LogFormat.allCases) func anIndexSaysWhatADictionaryWould(_ format: LogFormat) async throws {
    try await Rounds.run(default: format == .v2 ? 40 : 10, "random program on an index of keys, \(format)") { seed in
      try await Self.round(seed, format)
    }
  }

  @Test func whatTheDictionaryDoesNotKnowIsFound() async throws {
    try await mustBeFound(within: 3, "a record that the dictionary does not know") { seed in
      try await Self.round(seed, .v2) { log in _ = try await log.append("k1 stowaway") }
    }
  }

  @Test func manyWhoExpectNeverBothWin() async throws {
    try await Rounds.run(default: 3, most: 200, "many tasks that expect a key's count") { seed in
      let directory = TemporaryDirectory(inMemory: true)
      var configuration = Storage.Configuration()
      configuration.segments.maximumBytes = seed % 2 == 0 ? nil : 1000
      let storage = try Storage(directory: directory.path, namespaces: ["events"], configuration: configuration)
      defer { storage.close() }
      let log = try storage.log("events")
      let keyed = try log.keyed("word") { $0.text.split(separator: " ").first.map(String.init) }
      let wins = try await withThrowingTaskGroup(of: Int.self) { group in
        for task in 0..<8 {
          group.addTask {
            var wins = 0
            for step in 0..<50 {
              if step % 10 == 0 { try await log.append("b \(task)") }
              let count = try await keyed.count(of: "a")
              do {
                try await keyed.append("a \(count)", expecting: count)
                wins += 1
              } catch ImmutaError.unexpectedCount {}
            }
            return wins
          }
        }
        return try await group.reduce(0, +)
      }
      // Each record says how many there were before it.
      var texts: [String] = []
      for try await record in keyed.records(of: "a") { texts.append(record.text) }
      guard texts == (0..<wins).map({ "a \($0)" }), wins >= 50 else {
        throw Finding("\(wins) appended, and the log has \(texts)")
      }
    }
  }

  static func round(_ seed: UInt64, _ format: LogFormat, meddling: ((Log) async throws -> Void)? = nil) async throws {
    var generator = SeededGenerator(seed: seed)
    var program = try KeysProgram(format, &generator)
    defer { program.close() }
    for _ in 0..<Int.random(in: 20...120, using: &generator) { try await program.step(&generator) }
    if let meddling { try await meddling(program.log) }
    try await program.checkAll()
    try await program.reopen(&generator)
    try await program.checkAll()
  }
}

/// A log with an index of keys, and what should be in it.
private struct KeysProgram {
  private var directory = TemporaryDirectory(inMemory: true)
  private let configuration: Storage.Configuration
  private var storage: Storage
  private(set) var log: Log
  private var keyed: KeyedLog<String>
  private var follower: (storage: Storage, keyed: KeyedLog<String>)?
  /// All that was appended, also what was removed since.
  private var texts: [String] = []
  private var firsts: [Int] = [0]
  /// Whether counts may have lost what was removed.
  private var mayHaveLost = false
  /// Half of all programs do nothing by which that can be.
  private let isCareful: Bool
  private var streams: [(key: String, stream: KeyStream, delivered: Int)] = []

  static let keys = ["", "k1", "k2", "k3", "a longer key than the others", "k4"]

  init(_ format: LogFormat, _ generator: inout SeededGenerator) throws {
    isCareful = generator.oneIn(2)
    var configuration = Storage.Configuration()
    configuration.format = format
    configuration.segments.maximumBytes = [nil, 200, 1000].randomElement(using: &generator) ?? nil
    self.configuration = configuration
    storage = try Storage(directory: directory.path, namespaces: ["events"], configuration: configuration)
    log = try storage.log("events")
    keyed = try Self.keyed(log)
  }

  func close() {
    follower?.storage.close()
    storage.close()
  }

  /// What comes before a bar; a text without one has no key.
  private static func key(_ text: String) -> String? {
    let parts = text.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
    return parts.count == 2 ? String(parts[0]) : nil
  }

  private static func keyed(_ log: Log) throws -> KeyedLog<String> {
    try log.keyed("by-key") { key($0.text) }
  }

  private func text(_ generator: inout SeededGenerator) -> String {
    let filler = String(repeating: "x", count: Int.random(in: 0...40, using: &generator))
    if generator.oneIn(8) { return "\(texts.count)\(filler)" }
    return "\(Self.keys.randomElement(using: &generator) ?? "")|\(texts.count)\(filler)"
  }

  private func numbers(of key: String) -> [Int] { texts.indices.filter { Self.key(texts[$0]) == key } }

  // MARK: Steps

  mutating func step(_ generator: inout SeededGenerator) async throws {
    switch Int.random(in: 0..<24, using: &generator) {
    case 0..<8: try await append(text(&generator)) { log, text in _ = try await log.append(text) }
    case 8..<12: try await appendExpecting(&generator)
    case 12: try await appendTogether(&generator)
    case 13: try await log.roll()
    case 14: try await removeSome(&generator)
    case 15: try await reopen(&generator)
    case 16 where !isCareful: try await die()
    case 17 where !isCareful: try harm(&generator)
    case 18: keyed = try Self.keyed(log)
    case 19: keyed.finishFiles()
    case 20: try await checkStreams(&generator)
    case 21: try await checkFollower(&generator)
    default: try await check(Self.keys.randomElement(using: &generator) ?? "", keyed)
    }
  }

  private mutating func append(_ text: String, _ call: (Log, String) async throws -> Void) async throws {
    try await call(log, text)
    texts.append(text)
  }

  private mutating func appendExpecting(_ generator: inout SeededGenerator) async throws {
    let text = text(&generator)
    guard let key = Self.key(text) else { return }
    let count = try await keyed.count(of: key)
    let wrong = count + ([0, 0, 1, -1].randomElement(using: &generator) ?? 0)
    do {
      try await keyed.append(text, expecting: wrong)
      if wrong != count { throw Finding("appended “\(text)” with \(wrong) where there are \(count)") }
      texts.append(text)
    } catch ImmutaError.unexpectedCount(_, let actual, _) {
      // A damaged file of what was removed is noticed when the log rolls in between: then there are fewer.
      if mayHaveLost, actual < count { return }
      if wrong == count || actual != count { throw Finding("refused “\(text)” with \(wrong), as there are \(actual)") }
    }
  }

  private mutating func appendTogether(_ generator: inout SeededGenerator) async throws {
    var added: [String] = []
    for _ in 0..<Int.random(in: 1...600, using: &generator) {
      let text = text(&generator)
      added.append(text)
    }
    try await log.append(contentsOf: added)
    texts += added
  }

  private mutating func removeSome(_ generator: inout SeededGenerator) async throws {
    // What the index has not seen when it is removed does not count.
    if isCareful || generator.oneIn(2) {
      _ = try await keyed.count(of: "")
      keyed.finishFiles()
    } else {
      mayHaveLost = true
    }
    let target = Int.random(in: 0...log.count, using: &generator)
    try await log.removeRecords(before: target)
    _ = try await keyed.count(of: "")
    if generator.oneIn(2) { keyed.finishFiles() }
  }

  mutating func reopen(_ generator: inout SeededGenerator) async throws {
    // What is in memory only is lost: the counts of what was removed before its file was made.
    if isCareful || generator.oneIn(2) { keyed.finishFiles() } else { mayHaveLost = true }
    storage.close()
    try open()
  }

  private mutating func open() throws {
    follower?.storage.close()
    follower = nil
    storage = try Storage(directory: directory.path, namespaces: ["events"], configuration: configuration)
    log = try storage.log("events")
    keyed = try Self.keyed(log)
    streams = []
    guard log.count == texts.count else { throw Finding("\(log.count) records, not \(texts.count)") }
  }

  /// What the kernel has of the files at this moment is what a process leaves that dies now.
  private mutating func die() async throws {
    let copy = TemporaryDirectory(inMemory: true)
    // The index's own threads make files meanwhile.
    while true {
      do {
        try FileBytes.copy(directory: directory.path, to: copy.path)
        break
      } catch CocoaError.fileReadNoSuchFile {}
    }
    mayHaveLost = true
    storage.close()
    follower?.storage.close()
    follower = nil
    directory = copy
    try open()
  }

  /// A byte of a file of the index is changed, or the file is cut, or lost.
  private mutating func harm(_ generator: inout SeededGenerator) throws {
    let folder = try FileManager.default.contentsOfDirectory(atPath: directory.path).first { $0.hasSuffix(".keys") }
    guard let folder else { return }
    let files = try FileManager.default.contentsOfDirectory(atPath: directory.file(folder)).filter {
      $0.hasSuffix(".keys")
    }
    guard let file = files.sorted().randomElement(using: &generator) else { return }
    let path = directory.file("\(folder)/\(file)")
    mayHaveLost = true
    guard var bytes = try FileBytes.read(path), !bytes.isEmpty else { return }
    switch Int.random(in: 0..<3, using: &generator) {
    case 0: try? FileManager.default.removeItem(atPath: path)
    case 1: try FileBytes.write(Array(bytes.prefix(Int.random(in: 0..<bytes.count, using: &generator))), to: path)
    default:
      let place = Int.random(in: 0..<bytes.count, using: &generator)
      bytes[place] ^= UInt8.random(in: 1...255, using: &generator)
      if generator.oneIn(2) {
        try FileBytes.write(bytes, to: path)
      } else if let file = FileHandle(forUpdatingAtPath: path) {
        try file.seek(toOffset: UInt64(place))
        try file.write(contentsOf: [bytes[place]])
        try file.close()
      }
    }
  }

  // MARK: Checks

  mutating func checkAll() async throws {
    for key in Self.keys + ["none has this"] { try await check(key, keyed) }
    var order: [String] = []
    for number in log.firstSequence..<max(log.firstSequence, texts.count) {
      if let key = Self.key(texts[number]), !order.contains(key) { order.append(key) }
    }
    let found = try await keyed.keys
    guard found == order else { throw Finding("the keys are \(found), not \(order)") }
  }

  private func check(_ key: String, _ keyed: KeyedLog<String>) async throws {
    let first = log.firstSequence
    let all = numbers(of: key)
    let kept = all.filter { $0 >= first }
    let count = try await keyed.count(of: key)
    guard count <= all.count, count >= kept.count, count == all.count || mayHaveLost else {
      throw Finding("“\(key)” has \(count) records, not \(all.count); \(kept.count) are there")
    }
    var found: [Int] = []
    for try await record in keyed.records(of: key) {
      guard record.text == texts[record.sequence] else {
        throw Finding("record \(record.sequence) is “\(record.text)”")
      }
      found.append(record.sequence)
    }
    guard found == kept else { throw Finding("“\(key)” has the records \(found), not \(kept)") }
    for place in [0, kept.count / 2, kept.count - 1] where place >= 0 && place < kept.count {
      let record = try await keyed.record(count - kept.count + place, of: key)
      guard record?.sequence == kept[place] else {
        throw Finding("the record \(place) of “\(key)” is \(record?.sequence ?? -1), not \(kept[place])")
      }
    }
    guard try await keyed.record(count, of: key) == nil else { throw Finding("“\(key)” has a record too many") }
  }

  private mutating func checkStreams(_ generator: inout SeededGenerator) async throws {
    if streams.count < 4 {
      let key = Self.keys.randomElement(using: &generator) ?? ""
      let start = Int.random(in: log.firstSequence...log.count, using: &generator)
      streams.append((key, keyed.stream(key, from: .sequence(start)), start))
    }
    for place in streams.indices {
      let (key, _, delivered) = streams[place]
      var next = delivered
      do {
        while let record = try streams[place].stream.nextAtOnce() {
          let expected = numbers(of: key).first { $0 >= next }
          guard record.sequence == expected else {
            throw Finding("a stream of “\(key)” delivered \(record.sequence), not \(expected ?? -1)")
          }
          next = record.sequence + 1
        }
        if let left = numbers(of: key).first(where: { $0 >= next }) {
          throw Finding("a stream of “\(key)” did not deliver \(left)")
        }
      } catch ImmutaError.recordRemoved(_, let first, _) {
        guard first > next else { throw Finding("a stream of “\(key)” at \(next) lost what is before \(first)") }
        streams[place].stream.position = first
        next = first
      }
      streams[place].delivered = next
    }
  }

  private mutating func checkFollower(_ generator: inout SeededGenerator) async throws {
    if follower == nil {
      var configuration = configuration
      configuration.access = .readOnly
      let storage = try Storage(directory: directory.path, namespaces: ["events"], configuration: configuration)
      follower = (storage, try Self.keyed(try storage.log("events")))
    }
    guard let follower else { return }
    let key = Self.keys.randomElement(using: &generator) ?? ""
    let kept = numbers(of: key).filter { $0 >= log.firstSequence }
    // Looks what was removed: files that are open can be read until then.
    _ = follower.keyed.log.firstSequence
    var found: [Int] = []
    for try await record in follower.keyed.records(of: key) { found.append(record.sequence) }
    guard found == kept else { throw Finding("a follower finds \(found) of “\(key)”, not \(kept)") }
    let count = try await follower.keyed.count(of: key)
    guard count >= kept.count, count <= numbers(of: key).count else {
      throw Finding("a follower counts \(count) of “\(key)”, and \(kept.count) are there")
    }
  }
}
