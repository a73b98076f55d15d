import Foundation
import Immuta
import ImmutaTestSupport

/// A log of several segments of which somebody has changed files, with checksums that are right, and names.
struct HostileSegments: CustomStringConvertible {
  let format: LogFormat
  private(set) var tree: FileTree
  private(set) var belief = HostileLog.Belief.numbered
  let isCopied: Bool
  /// What the files were before; nil where nobody reads them while they are changed.
  let before: FileTree?
  private var what: [String] = []

  private static let namespace = HostileFiles.namespace
  private static let folder = "\(namespace).segments"
  private static let recordsOfSegment = 3

  var description: String { "\(format): " + what.joined(separator: "; ") }

  // MARK: Sound ones

  /// Logs that nothing is wrong with: closed ones, of all layouts, with and without what was removed, and one whose writer
  /// was killed.
  static func sound() async throws -> [Sound] {
    var sound: [Sound] = []
    for format in LogFormat.allCases {
      for kind in Kind.allCases { sound.append(Sound(format: format, tree: try await make(format, kind))) }
    }
    return sound
  }

  struct Sound {
    let format: LogFormat
    let tree: FileTree
  }

  private enum Kind: CaseIterable {
    case closed, withoutFront, killed
  }

  private static func make(_ format: LogFormat, _ kind: Kind) async throws -> FileTree {
    let root = TemporaryDirectory(inMemory: true)
    defer { withExtendedLifetime(root) {} }
    var configuration = Storage.Configuration()
    configuration.format = format
    let storage = try Storage(directory: root.path, namespaces: [namespace], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log(namespace)
    for number in 0..<4 * recordsOfSegment {
      if number > 0, number % recordsOfSegment == 0 { try await log.roll() }
      try await log.append(HostileLog.text(number))
    }
    if kind == .withoutFront { _ = try await log.removeRecords(before: recordsOfSegment) }
    if kind == .killed { return try FileTree(of: root.path) }
    storage.close()
    return try FileTree(of: root.path)
  }

  // MARK: Lies

  init(_ sound: [Sound], using generator: inout SeededGenerator) throws {
    guard let model = sound.randomElement(using: &generator) else { throw Finding("there is no sound log") }
    (format, tree) = (model.format, model.tree)
    isCopied = generator.oneIn(4)
    before = generator.oneIn(4) ? model.tree : nil
    for _ in 0..<Int.random(in: 1...3, using: &generator) { lie(&generator) }
  }

  private mutating func lie(_ generator: inout SeededGenerator) {
    switch Int.random(in: 0..<16, using: &generator) {
    case 0..<6: lieInCompanion(&generator)
    case 6, 7: lieInEntry(&generator)
    case 8, 9: lieInMeta(&generator)
    case 10: lieInLog(&generator)
    case 11: rename(&generator)
    case 12: swap(&generator)
    case 13: addStray(&generator)
    case 14: removeFile(&generator)
    default: cut(&generator)
    }
  }

  private var logs: [String] { tree.paths(ending: format == .bilog ? ".bilog" : ".log") }
  private var companions: [String] { tree.paths(ending: format == .bilog ? ".bilog.companion" : ".idx") }
  private func companion(of log: String) -> String {
    format == .bilog ? log + ".companion" : String(log.dropLast(4)) + ".idx"
  }

  private mutating func believe(_ belief: HostileLog.Belief) {
    if belief.rawValue < self.belief.rawValue { self.belief = belief }
  }

  private mutating func lieInCompanion(_ generator: inout SeededGenerator) {
    guard let path = companions.randomElement(using: &generator), var bytes = tree.files[path] else { return }
    for slot in generator.oneIn(2) ? [0, 1] : [0] {
      let part = HostilePart.companionSlot
      guard let said = part.lie(in: &bytes, at: slot * TwoSlots.slotSize, &generator) else { continue }
      // The same bytes are other records in another layout, and space that was reserved reads as records of no bytes.
      if said.contains("FORMAT") || said.contains("STABLE") { believe(.any) }
      what.append("\(path), slot \(slot): \(said)")
    }
    tree.files[path] = bytes
  }

  private mutating func lieInEntry(_ generator: inout SeededGenerator) {
    guard let path = companions.randomElement(using: &generator), var bytes = tree.files[path] else { return }
    let number = Int.random(in: 0...Self.recordsOfSegment, using: &generator)
    let start = CompanionEntry.offset(of: number)
    let sound = Array(bytes.dropFirst(start).prefix(CompanionEntry.size))
    guard sound.count == CompanionEntry.size,
      var entry = sound.withUnsafeBytes({ CompanionEntry(decoding: $0, number: number) })
    else { return }
    switch Int.random(in: 0..<4, using: &generator) {
    case 0: entry.index = HostileNumber.lie(about: entry.index, &generator)
    case 1: entry.time = Int64(HostileNumber.lie(about: Int(entry.time), &generator))
    case 2: entry.recordChecksum ^= 1 << UInt32.random(in: 0..<32, using: &generator)
    default: entry.endsCommit.toggle()
    }
    var encoded = sound
    encoded.withUnsafeMutableBytes { entry.encode(into: $0, number: number) }
    bytes.replaceSubrange(start..<start + CompanionEntry.size, with: encoded)
    tree.files[path] = bytes
    what.append("\(path): entry \(number) is \(entry)")
  }

  private mutating func lieInMeta(_ generator: inout SeededGenerator) {
    guard let path = tree.paths(ending: ".meta").first, var bytes = tree.files[path] else { return }
    for slot in 0...1 {
      guard let said = HostilePart.metaSlot.lie(in: &bytes, at: slot * TwoSlots.slotSize, &generator) else { continue }
      what.append("\(path), slot \(slot): \(said)")
    }
    tree.files[path] = bytes
  }

  private mutating func lieInLog(_ generator: inout SeededGenerator) {
    guard let path = logs.randomElement(using: &generator), var bytes = tree.files[path] else { return }
    // COUNT, LAST INDEX, and the first record's size or LENGTH.
    let fields = stride(from: 0, through: format.headerSize, by: 8).filter { $0 + 8 <= bytes.count }
    guard let field = fields.randomElement(using: &generator) else { return }
    let value = HostileNumber.lie(about: bytes.number(8, at: field), &generator)
    let number = littleEndian(value)
    bytes.replaceSubrange(field..<field + 8, with: format == .bilog ? number.reversed() : number)
    tree.files[path] = bytes
    believe(.any)
    what.append("\(path), \(field): \(value)")
  }

  // MARK: Names

  /// First records as the names of segments say them: some that no log can have, and some that no number is.
  private func hostileName(_ generator: inout SeededGenerator) -> String {
    let numbers = [
      "00000000000000000000", "00000000000000000001", "00000000000000000004", "00000000000000000005",
      "00000000000000000006", "00000000000000000012", "00000000000000000013", "00288230376151711742",
      "00288230376151711743", "00288230376151711744", "00288230376151711745", "02305843009213693951",
      "04611686018427387904", "09223372036854775805", "09223372036854775806", "09223372036854775807",
      "09223372036854775808", "99999999999999999999", "-0000000000000000001", "next",
    ]
    return numbers.randomElement(using: &generator) ?? ""
  }

  private func path(_ name: String) -> String { "\(Self.folder)/\(name)" + (format == .bilog ? ".bilog" : ".log") }

  private mutating func move(_ path: String, to target: String, copying: Bool) {
    tree.files[target] = tree.files[path]
    tree.holes[target] = tree.holes[path]
    if !copying { tree.remove(path) }
  }

  /// A segment, or one of its files, gets another name.
  private mutating func rename(_ generator: inout SeededGenerator) {
    guard let log = logs.randomElement(using: &generator) else { return }
    let target = path(hostileName(&generator))
    let choice = Int.random(in: 0..<4, using: &generator)
    if choice != 0 { move(log, to: target, copying: false) }
    if choice != 1 { move(companion(of: log), to: companion(of: target), copying: false) }
    believe(.known)
    what.append("\(log) is \(target), \(choice)")
  }

  /// Files that come from somewhere.
  private mutating func addStray(_ generator: inout SeededGenerator) {
    for _ in 0..<Int.random(in: 1...2, using: &generator) {
      guard let log = logs.randomElement(using: &generator) else { return }
      let target = path(hostileName(&generator))
      if tree.files[target] != nil { continue }
      move(log, to: target, copying: true)
      if !generator.oneIn(3), var bytes = tree.files[companion(of: log)] {
        // FIRST of one that was made ahead, or what else it may say.
        if generator.oneIn(2), bytes.count >= TwoSlots.size {
          let first = generator.oneIn(2) ? CompanionHeader.unnamedFirst : HostileNumber.instead(of: 12, &generator)
          for slot in [0, TwoSlots.slotSize] where bytes[slot] != 0 {
            bytes.store(first, 8, at: slot + 1104)
            bytes.store(
              Int(Checksum.crc32c(Array(bytes[slot..<slot + TwoSlots.checksumOffset]))), 4,
              at: slot + TwoSlots.checksumOffset)
          }
          what.append("FIRST \(first)")
        }
        tree.files[companion(of: target)] = bytes
      }
      believe(.known)
      what.append("a copy of \(log) is \(target)")
    }
  }

  private mutating func swap(_ generator: inout SeededGenerator) {
    let paths = generator.oneIn(2) ? logs : companions
    guard let one = paths.randomElement(using: &generator), let other = paths.randomElement(using: &generator),
      one != other
    else { return }
    (tree.files[one], tree.files[other]) = (tree.files[other], tree.files[one])
    (tree.holes[one], tree.holes[other]) = (tree.holes[other], tree.holes[one])
    believe(.known)
    what.append("\(one) and \(other) are swapped")
  }

  private mutating func removeFile(_ generator: inout SeededGenerator) {
    guard let path = tree.paths.randomElement(using: &generator) else { return }
    tree.remove(path)
    what.append("no \(path)")
  }

  private mutating func cut(_ generator: inout SeededGenerator) {
    guard let path = tree.paths.randomElement(using: &generator), var bytes = tree.files[path] else { return }
    if generator.oneIn(2) {
      bytes.removeLast(Int.random(in: 0...bytes.count, using: &generator))
      tree.holes[path] = nil
    } else {
      tree.holes[path] = bytes.count + Int.random(in: 0...100_000, using: &generator)
    }
    if logs.contains(path) { believe(.any) }
    tree.files[path] = bytes
    what.append("\(path) has \(tree.holes[path] ?? bytes.count) bytes")
  }
}
