import Foundation
import Immuta
import ImmutaTestSupport

/// A sound log with a work queue, whose state log has right checksums and events and summaries that somebody made up.
struct HostileQueue: CustomStringConvertible {
  private(set) var tree: FileTree
  private var what: [String] = []

  private static let namespace = "jobs"
  private static let queue = "work"
  private static let count = 20
  private static let folder = "\(namespace).consumers"

  var description: String { what.joined(separator: "; ") }

  /// What the made-up state says is right.
  struct Sound {
    let tree: FileTree
    let identity: [UInt8]
    /// QUEUE of the position.
    let number: Int
    /// INDEX and TIME of each job's record.
    let entries: [(index: Int, time: Int)]
  }

  static func sound() async throws -> Sound {
    let tree = try await FileTree.made(by: [namespace]) { storage in
      let log = try storage.log(namespace)
      for number in 0..<count { try await log.append(HostileLog.text(number)) }
      let jobs = try log.workQueue(queue)
      for _ in 0..<3 { try await jobs.next(timeout: .zero)?.acknowledge() }
      jobs.close()
    }
    guard let position = tree.files["\(folder)/\(Self.queue).position"],
      let companion = tree.files["\(namespace).idx"],
      let header = companion.withUnsafeBytes({ CompanionHeader.current(in: $0) }), let identity = header.identity,
      let mark = position.withUnsafeBytes({ ConsumerMark.slots(in: $0).current?.mark })
    else { throw Finding("the queue has no position") }
    var bytes = [UInt8](repeating: 0, count: LogIdentity.size)
    bytes.withUnsafeMutableBytes { identity.encode(into: $0) }
    let entries = (0..<count).map { number in
      let start = CompanionEntry.offset(of: number)
      return (index: companion.number(8, at: start), time: companion.number(8, at: start + 8))
    }
    return Sound(
      tree: tree, identity: bytes, number: Int(truncatingIfNeeded: mark.queue), entries: entries)
  }

  // MARK: Records of the state, by the format's description

  private typealias Part = (fields: [HostilePart.Field], bytes: [UInt8])

  private static let eventFields: [HostilePart.Field] = [
    ("KIND", 0, 4), ("DELIVERIES", 4, 4), ("NUMBER", 8, 8), ("INDEX", 16, 8), ("TIME", 24, 8), ("STABLE", 32, 8),
    ("DUE", 40, 8), ("DELAY", 48, 8), ("ZEROS", 56, 8),
  ]

  private static func event(_ sound: Sound, _ generator: inout SeededGenerator) -> Part {
    let number = Int.random(in: 0..<count, using: &generator)
    var bytes = [UInt8](repeating: 0, count: 64)
    bytes.store(Int.random(in: 16...21, using: &generator), 4, at: 0)
    bytes.store(Int.random(in: 0...3, using: &generator), 4, at: 4)
    bytes.store(number, 8, at: 8)
    bytes.store(sound.entries[number].index, 8, at: 16)
    bytes.store(sound.entries[number].time, 8, at: 24)
    bytes.store(generator.oneIn(2) ? count : 0, 8, at: 32)
    if generator.oneIn(3) {
      bytes.store(HostileNumber.instead(of: 1, &generator), 8, at: 40)
      bytes.store(abs(HostileNumber.instead(of: 1, &generator) / 2), 8, at: 48)
    }
    return (eventFields, bytes)
  }

  private static let headerFields: [HostilePart.Field] = [
    ("KIND", 0, 4), ("VERSION", 4, 4), ("IDENTITY", 8, 8), ("IDENTITY", 16, 8), ("QUEUE", 24, 8), ("FRONT", 32, 8),
    ("FRONT INDEX", 40, 8), ("FRONT TIME", 48, 8), ("STABLE", 56, 8), ("BLOCKS", 64, 8), ("ZEROS", 72, 8),
  ]

  private static func header(_ sound: Sound, blocks: Int, _ generator: inout SeededGenerator) -> Part {
    let front = Int.random(in: 0...3, using: &generator)
    var bytes = [UInt8](repeating: 0, count: 80)
    bytes.store(1, 4, at: 0)
    bytes.store(1, 4, at: 4)
    bytes.replaceSubrange(8..<24, with: sound.identity)
    bytes.store(sound.number, 8, at: 24)
    bytes.store(front, 8, at: 32)
    bytes.store(front > 0 ? sound.entries[front - 1].index : 0, 8, at: 40)
    bytes.store(front > 0 ? sound.entries[front - 1].time : 0, 8, at: 48)
    bytes.store(count, 8, at: 56)
    bytes.store(blocks, 8, at: 64)
    return (headerFields, bytes)
  }

  private static func block(_ sound: Sound, _ generator: inout SeededGenerator) -> Part {
    let first = Int.random(in: 0..<count, using: &generator)
    let end = Int.random(in: first + 1...count, using: &generator)
    let words = generator.oneIn(4) ? 0 : Int.random(in: 1...16, using: &generator)
    let entries = words == 0 ? 0 : Int.random(in: 0...3, using: &generator)
    var bytes = [UInt8](repeating: 0, count: 48 + 8 * words + 24 * entries)
    bytes.store(2, 4, at: 0)
    bytes.store(entries, 4, at: 4)
    bytes.store(first, 8, at: 8)
    bytes.store(end, 8, at: 16)
    bytes.store(sound.entries[end - 1].index, 8, at: 24)
    bytes.store(sound.entries[end - 1].time, 8, at: 32)
    bytes.store(words, 8, at: 40)
    var fields: [HostilePart.Field] = [
      ("KIND", 0, 4), ("COUNT", 4, 4), ("FIRST", 8, 8), ("END", 16, 8), ("INDEX", 24, 8), ("TIME", 32, 8),
      ("WORDS", 40, 8),
    ]
    for word in 0..<words {
      bytes.store(Int(truncatingIfNeeded: generator.next()), 8, at: 48 + 8 * word)
      fields.append(("DONE", 48 + 8 * word, 8))
    }
    for entry in 0..<entries {
      let start = 48 + 8 * words + 24 * entry
      bytes.store(Int.random(in: 0..<end - first, using: &generator), 2, at: start)
      bytes.store(1, 4, at: start + 4)
      fields += [
        ("OFFSET", start, 2), ("ZEROS", start + 2, 2), ("DELIVERIES", start + 4, 4), ("DUE", start + 8, 8),
        ("DELAY", start + 16, 8),
      ]
    }
    return (fields, bytes)
  }

  // MARK: Lies

  init(_ sound: Sound, using generator: inout SeededGenerator) {
    tree = sound.tree
    var parts: [Part] = []
    for _ in 0..<Int.random(in: 1...2, using: &generator) {
      let blocks = Int.random(in: 0...3, using: &generator)
      parts.append(Self.header(sound, blocks: blocks, &generator))
      for _ in 0..<blocks { parts.append(Self.block(sound, &generator)) }
      for _ in 0..<Int.random(in: 0...8, using: &generator) { parts.append(Self.event(sound, &generator)) }
    }
    for _ in 0..<Int.random(in: 0...3, using: &generator) {
      let place = Int.random(in: 0..<parts.count, using: &generator)
      guard let field = parts[place].fields.randomElement(using: &generator),
        field.offset + field.size <= parts[place].bytes.count
      else { continue }
      let value = HostileNumber.lie(about: parts[place].bytes.number(field.size, at: field.offset), &generator)
      parts[place].bytes.store(value, field.size, at: field.offset)
      what.append("record \(place), \(field.name): \(value)")
    }
    if generator.oneIn(8) {
      let place = Int.random(in: 0..<parts.count, using: &generator)
      parts[place].bytes.removeLast(Int.random(in: 0...parts[place].bytes.count, using: &generator))
      what.append("record \(place) has \(parts[place].bytes.count) bytes")
    }
    put(parts.map(\.bytes))
    what.append("kinds \(parts.map { $0.bytes.count >= 4 ? $0.bytes.number(4, at: 0) : -1 })")
    lieInFiles(&generator)
  }

  /// The state log, closed.
  private mutating func put(_ payloads: [[UInt8]]) {
    for path in tree.paths where path.hasPrefix("\(Self.folder)/\(Self.queue).") && !path.hasSuffix(".position") {
      tree.remove(path)
    }
    var header = CompanionHeader(format: .v2)
    header.stableCount = payloads.count
    header.mark = .closed
    header.bootIdentity = BootIdentity.current
    header.identity = .random()
    var companion = header.encoded() + [UInt8](repeating: 0, count: TwoSlots.slotSize)
    var index = LogFormat.v2.headerSize
    for (number, payload) in payloads.enumerated() {
      let entry = CompanionEntry(
        index: index, time: Int64(number) + 1, recordChecksum: Checksum.crc32c(littleEndian(payload.count) + payload))
      var encoded = [UInt8](repeating: 0, count: CompanionEntry.size)
      encoded.withUnsafeMutableBytes { entry.encode(into: $0, number: number) }
      companion += encoded
      index += 8 + payload.count
    }
    tree.files["\(Self.folder)/\(Self.queue).log"] = logBytes(payloads)
    tree.files["\(Self.folder)/\(Self.queue).idx"] = companion
  }

  /// The position's file says something else, too, or one of the files is not there.
  private mutating func lieInFiles(_ generator: inout SeededGenerator) {
    let position = "\(Self.folder)/\(Self.queue).position"
    if generator.oneIn(4), var bytes = tree.files[position] {
      for slot in 0...1 {
        let said = HostilePart.positionSlot.lie(in: &bytes, at: slot * TwoSlots.slotSize, &generator)
        if let said { what.append("position \(slot): \(said)") }
      }
      tree.files[position] = bytes
    }
    if generator.oneIn(12), let path = tree.paths.filter({ $0.hasPrefix(Self.folder) }).randomElement(using: &generator)
    {
      tree.remove(path)
      what.append("no \(path)")
    }
  }

  // MARK: The trial

  func run(in directory: String) async throws {
    try tree.write(to: directory)
    let storage = try Storage(directory: directory, namespaces: [Self.namespace])
    defer { storage.close() }
    let log = try storage.log(Self.namespace)
    for details in try log.consumers { _ = "\(details)" }
    try await looking { try await work(log) }
    try await looking { _ = try LogCut(of: [log]) }
    // Wherever it was, it can be moved: then all jobs are given.
    do {
      try log.seekConsumer(Self.queue, to: .beginning)
    } catch ImmutaError.unsupportedVersion {
      return
    }
    do {
      let queue = try log.workQueue(Self.queue)
      let jobs = try await take(queue, acknowledging: 0)
      guard jobs == Array(0..<Self.count) else { throw Finding("jobs \(jobs) are given after the queue was moved") }
      queue.close()
    } catch ImmutaError.otherKindOfConsumer {
      // Its position does not say that it is a queue's.
    }
    try log.removeConsumer(Self.queue)
    guard try log.consumers.isEmpty else { throw Finding("the queue was removed, and is there") }
  }

  private func looking(_ body: () async throws -> Void) async throws {
    do { try await body() } catch let error as ImmutaError { _ = "\(error)" }
  }

  private func work(_ log: Log) async throws {
    let queue = try log.workQueue(Self.queue, creating: false)
    guard (0...Self.count).contains(queue.position) else { throw Finding("the queue is at \(queue.position)") }
    let jobs = try await take(queue, acknowledging: 2)
    queue.close()
    let again = try log.workQueue(Self.queue, creating: false)
    let others = try await take(again, acknowledging: 0)
    again.close()
    let done = Set(jobs.prefix(2))
    guard done.isDisjoint(with: others) else { throw Finding("\(others) are given, and \(done) are done") }
  }

  /// Takes all jobs that can be given, each of which is one of the log's.
  private func take(_ queue: WorkQueue, acknowledging most: Int) async throws -> [Int] {
    var jobs: [Int] = []
    while let job = try await queue.next(timeout: .zero) {
      let number = job.record.sequence
      guard job.record.text == HostileLog.text(number), !jobs.contains(number) else {
        throw Finding("job \(number), \(job.record.text), is given after \(jobs)")
      }
      if jobs.count < most { try await job.acknowledge() }
      jobs.append(number)
    }
    return jobs
  }
}
