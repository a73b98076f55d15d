import Foundation
import Immuta
import ImmutaTestSupport

/// A sound log of several segments, whose index of keys has files that somebody made up.
struct HostileKeys: CustomStringConvertible {
  private(set) var tree: FileTree
  private var what: [String] = []
  /// Whether postings say the numbers of their records.
  private var isNumbered = true
  private let access: Storage.Access

  private static let namespace = HostileFiles.namespace
  private static let folder = "\(namespace).keys"
  private static let index = "by-key"
  static let count = 24
  /// What of it was removed, in two segments.
  static let removed = 8
  private static let keys = ["a", "b", "c"]

  var description: String { "\(access): " + what.joined(separator: "; ") }

  static func key(_ number: Int) -> String { keys[number % 7 % 3] }
  private static func text(_ number: Int) -> String { "\(key(number)) \(HostileLog.text(number))" }

  static func keyed(_ log: Log) throws -> KeyedLog<String> {
    try log.keyed(index) { $0.text.split(separator: " ").first.map(String.init) }
  }

  /// Files of three sealed segments, and of those that were removed.
  static func sound() async throws -> FileTree {
    let tree = try await FileTree.made(by: [namespace]) { storage in
      let log = try storage.log(namespace)
      let index = try keyed(log)
      for number in 0..<count {
        if number > 0, number % 4 == 0 { try await log.roll() }
        try await log.append(text(number))
      }
      _ = try await index.count(of: "a")
      index.finishFiles()
      _ = try await log.removeRecords(before: removed)
      _ = try await index.count(of: "a")
      index.finishFiles()
    }
    guard tree.paths(ending: "removed.keys").count == 1, tree.paths(ending: ".keys").count == 4 else {
      throw Finding("the index has the files \(tree.paths(ending: ".keys"))")
    }
    return tree
  }

  // MARK: Lies

  init(_ sound: FileTree, using generator: inout SeededGenerator) {
    tree = sound
    access = generator.oneIn(3) ? .readOnly : .readWrite
    for _ in 0..<Int.random(in: 1...2, using: &generator) {
      guard let path = tree.paths(ending: ".keys").randomElement(using: &generator), var bytes = tree.files[path] else {
        continue
      }
      // Before the header says something else.
      let (groups, postings) = (bytes.number(8, at: 56), bytes.number(8, at: 64))
      guard (0...100).contains(groups), (0...100).contains(postings), bytes.count == 128 + 32 * (groups + postings)
      else { continue }
      switch Int.random(in: 0..<8, using: &generator) {
      case 0...1: lieInHeader(of: path, &bytes, &generator)
      case 2...3: lieInSlots(of: path, &bytes, groups, &generator)
      case 4...5: lieInPostings(of: path, &bytes, groups, postings, &generator)
      case 6: growWithHole(path, &bytes, &generator)
      default: rename(path, bytes, &generator)
      }
    }
  }

  private mutating func lieInHeader(of path: String, _ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
    guard let said = HostilePart.keysHeader.lie(in: &bytes, at: 0, &generator) else { return }
    tree.files[path] = bytes
    what.append("\(path): \(said)")
  }

  /// Slots get other hashes, places and counts: more than there are, those of others, and those of the same hash.
  private mutating func lieInSlots(
    of path: String, _ bytes: inout [UInt8], _ groups: Int, _ generator: inout SeededGenerator
  ) {
    let fields: [HostilePart.Field] = [("HASH", 0, 8), ("HASH", 8, 8), ("PLACE", 16, 8), ("COUNT", 24, 4)]
    guard groups > 0 else { return }
    if generator.oneIn(2), groups > 1 {
      let source = Array(bytes[128..<144])
      for slot in 1..<groups {
        bytes.replaceSubrange(128 + 32 * slot..<144 + 32 * slot, with: source)
        Self.seal(&bytes, at: 128 + 32 * slot, number: slot)
      }
      what.append("\(path): one hash")
    }
    for _ in 0..<Int.random(in: 1...3, using: &generator) {
      let slot = Int.random(in: 0..<groups, using: &generator)
      lie(path, "slot", fields, &bytes, at: 128 + 32 * slot, number: slot, &generator)
    }
    tree.files[path] = bytes
  }

  private mutating func lieInPostings(
    of path: String, _ bytes: inout [UInt8], _ groups: Int, _ postings: Int, _ generator: inout SeededGenerator
  ) {
    let fields: [HostilePart.Field] = [
      ("NUMBER", 0, 8), ("NUMBER", 0, 8), ("INDEX", 8, 8), ("TIME", 16, 8), ("RECORD CRC", 24, 4),
    ]
    guard postings > 0 else { return }
    let start = 128 + 32 * groups
    for _ in 0..<Int.random(in: 1...3, using: &generator) {
      let (one, other) = (
        Int.random(in: 0..<postings, using: &generator), Int.random(in: 0..<postings, using: &generator)
      )
      if generator.oneIn(3) {
        // Twice, or in another order.
        let source = Array(bytes[start + 32 * other..<start + 32 * other + 28])
        bytes.replaceSubrange(start + 32 * one..<start + 32 * one + 28, with: source)
        Self.seal(&bytes, at: start + 32 * one, number: one)
        what.append("\(path): posting \(one) is \(other)")
      } else {
        lie(path, "posting", fields, &bytes, at: start + 32 * one, number: one, &generator)
      }
    }
    tree.files[path] = bytes
  }

  private mutating func lie(
    _ path: String, _ kind: String, _ fields: [HostilePart.Field], _ bytes: inout [UInt8], at start: Int, number: Int,
    _ generator: inout SeededGenerator
  ) {
    guard let field = fields.randomElement(using: &generator) else { return }
    let value = HostileNumber.lie(about: bytes.number(field.size, at: start + field.offset), &generator)
    bytes.store(value, field.size, at: start + field.offset)
    // A number is believed, where it may be so by the others: only the companion would say more.
    if field.name == "NUMBER" { isNumbered = false }
    Self.seal(&bytes, at: start, number: number)
    what.append("\(path): \(kind) \(number), \(field.name) \(value)")
  }

  /// The checksum of a slot or a posting: of its first 28 bytes and its number, with initial value 0.
  static func seal(_ bytes: inout [UInt8], at start: Int, number: Int) {
    let checksum = Checksum.crc32c(Array(bytes[start..<start + 28]) + littleEndian(number), initial: 0)
    bytes.store(Int(checksum), 4, at: start + 28)
  }

  /// A file that costs nothing, and is as long as its header says.
  private mutating func growWithHole(_ path: String, _ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
    guard bytes.number(4, at: 12) == 0 else { return }
    let groups = bytes.number(8, at: 56)
    // A file system has no room for more in one file.
    let postings = 1 << Int.random(in: 10...36, using: &generator)
    bytes.store(postings, 8, at: 64)
    if generator.oneIn(2) { bytes.store(generator.oneIn(2) ? postings : postings - 4, 8, at: 96) }
    bytes.store(Int(Checksum.crc32c(Array(bytes[..<124]))), 4, at: 124)
    if groups > 0 {
      bytes.store(Int(UInt32.max), 4, at: 128 + 24)
      Self.seal(&bytes, at: 128, number: 0)
    }
    tree.files[path] = bytes
    tree.holes[path] = 128 + 32 * groups + 32 * postings
    what.append("\(path): a hole of \(postings) postings, \(bytes.number(8, at: 96)) of them unreadable")
  }

  private mutating func rename(_ path: String, _ bytes: [UInt8], _ generator: inout SeededGenerator) {
    let names = [
      "00000000000000000000", "00000000000000000004", "00000000000000000008", "00000000000000000012",
      "00288230376151711743", "09223372036854775807", "99999999999999999999", "removed",
    ]
    let target = "\(Self.folder)/\(Self.index).\(names.randomElement(using: &generator) ?? "").keys"
    if target == path { return }
    tree.files[target] = bytes
    if generator.oneIn(2) { tree.remove(path) }
    what.append("\(path) is \(target)")
  }

  // MARK: The trial

  func run(in directory: String) async throws {
    try tree.write(to: directory)
    var configuration = Storage.Configuration()
    configuration.access = access
    for isFirst in [true, false] {
      let storage = try Storage(directory: directory, namespaces: [Self.namespace], configuration: configuration)
      defer { storage.close() }
      let log = try storage.log(Self.namespace)
      let index = try Self.keyed(log)
      try await look(index)
      if access == .readWrite, isFirst { try await append(index) }
      index.finishFiles()
      for key in Self.keys { try await check(index, key) }
    }
  }

  private func look(_ index: KeyedLog<String>) async throws {
    for key in Self.keys + ["", "nobody"] {
      // What was removed is counted by what the files say of it.
      let count = try await index.count(of: key)
      guard count >= 0 else { throw Finding("\(key) has \(count) records") }
      for number in [0, 1, 2, count / 2, count - 1, count, .max] {
        guard let record = try await index.record(number, of: key) else { continue }
        try check(record, key)
      }
      try await check(index, key)
    }
    for key in try await index.keys where !Self.keys.contains(key) { throw Finding("no record has the key \(key)") }
  }

  private func check(_ record: Record, _ key: String) throws {
    let said = isNumbered ? record.sequence : record.text.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    let isKnown = said.map { (0..<Self.count).contains($0) && record.text == Self.text($0) } ?? false
    guard isKnown || record.text == "a more" else { throw Finding("record \(record.sequence) is \(record.text)") }
    guard record.text.hasPrefix("\(key) ") else {
      throw Finding("record \(record.sequence), \(record.text), is no \(key)'s")
    }
  }

  private func check(_ index: KeyedLog<String>, _ key: String) async throws {
    var last = -1
    for try await record in index.records(of: key) {
      try check(record, key)
      guard record.sequence > last else { throw Finding("record \(record.sequence) of \(key) came after \(last)") }
      last = record.sequence
    }
    var stream = index.stream(key, from: .skipping(Self.count / 2))
    last = Self.count / 2 - 1
    while let record = try stream.nextAtOnce() {
      try check(record, key)
      guard record.sequence > last else { throw Finding("record \(record.sequence) of \(key) came after \(last)") }
      last = record.sequence
    }
  }

  /// Whatever the files count, the next record of a key can be expected.
  private func append(_ index: KeyedLog<String>) async throws {
    let count = try await index.count(of: "a")
    let receipt: Receipt
    do {
      receipt = try await index.append("a more", expecting: count)
    } catch ImmutaError.unexpectedCount {
      // What was removed was found to be damaged meanwhile, and counts no more.
      return
    }
    var last = -1
    for try await record in index.records(of: "a") { last = record.sequence }
    guard last == receipt.sequence else { throw Finding("record \(receipt.sequence) was appended, and is not there") }
  }
}
