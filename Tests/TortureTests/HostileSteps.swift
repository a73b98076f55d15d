import Foundation
import Immuta
import ImmutaTestSupport

/// Two sound logs whose writer was killed in a step, and what the step's intent says, which somebody made up.
struct HostileStep: CustomStringConvertible {
  var tree: FileTree
  private var what: [String] = []

  private static let names = ["a", "b"]
  private static let count = 3
  static let intents = ".intents/a"

  var description: String { what.joined(separator: "; ") }

  // MARK: Sound ones

  /// Of each log, one record is staged. The step moves a consumer, too.
  static func sound() async throws -> FileTree {
    let root = TemporaryDirectory(inMemory: true)
    defer { withExtendedLifetime(root) {} }
    let storage = try Storage(directory: root.path, namespaces: names)
    defer { storage.close() }
    for name in names {
      for number in 0..<count { try await storage.append(HostileLog.text(number), to: name) }
    }
    let consumer = try storage.log("a").consumer("reader")
    if let record = try consumer.nextAtOnce() { try await consumer.acknowledge(record) }
    var tree = try FileTree(of: root.path)
    var parts: [StepIntent.LogPart] = []
    for name in names {
      guard let identity = try storage.log(name).identity, var bytes = tree.files["\(name).log"] else {
        throw Finding("the log \(name) has no identity")
      }
      let start = end(of: count)
      let payload = Array(HostileLog.text(count).utf8)
      let record = littleEndian(payload.count) + payload
      bytes += [UInt8](repeating: 0, count: max(0, start + record.count - bytes.count))
      bytes.replaceSubrange(start..<start + record.count, with: record)
      tree.files["\(name).log"] = bytes
      parts.append(
        StepIntent.LogPart(
          name, identity, .v2, first: 0, counts: count..<count + 1, bytes: start..<start + record.count,
          time: Timestamp.now.nanosecondsSince1970,
          checksum: StepIntent.LogPart.extend(0, with: Checksum.crc32c(record))))
    }
    guard let position = tree.files["a.consumers/reader.position"],
      let current = position.withUnsafeBytes({ ConsumerMark.slots(in: $0).current })
    else { throw Finding("the consumer has no position") }
    let move = StepIntent.ConsumerPart(
      "a", "reader", made: current.mark.made, generation: current.generation, place: ConsumerMark.Place(2))
    let intent = StepIntent(
      logs: parts, consumers: [move], isStable: false, bootIdentity: BootIdentity.current)
    guard let slot = intent.encoded(generation: 2) else { throw Finding("the intent has no room") }
    tree.files[intents] = slot
    return tree
  }

  // MARK: Lies

  /// A slot of two logs and a consumer, whose names have the lengths that they have here.
  private static let fields: [HostilePart.Field] = {
    var fields: [HostilePart.Field] = [
      ("MAGIC", 0, 8), ("VERSION", 8, 4), ("LENGTH", 12, 4), ("GENERATION", 16, 8), ("BOOT ID", 24, 8),
      ("FLAGS", 32, 4), ("LOGS", 36, 4), ("CONSUMERS", 40, 4), ("ZEROS", 44, 4),
    ]
    var offset = 48
    let log = [
      ("NAME LENGTH", 2), ("NAME", 1), ("IDENTITY", 8), ("IDENTITY", 8), ("FORMAT", 4), ("FIRST", 8), ("BEFORE", 8),
      ("AFTER", 8), ("START", 8), ("END", 8), ("TIME", 8), ("RECORDS CRC", 4),
    ]
    let consumer = [
      ("LOG LENGTH", 2), ("LOG", 1), ("NAME LENGTH", 2), ("NAME", 4), ("NAME", 2), ("MADE", 8), ("GENERATION", 8),
      ("LAST", 8), ("LAST INDEX", 8), ("LAST TIME", 8),
    ]
    for (name, size) in log + log + consumer {
      fields.append((name, offset, size))
      offset += size
    }
    return fields
  }()

  /// One that was made up by somebody else.
  init(_ tree: FileTree) { self.tree = tree }

  init(_ sound: FileTree, using generator: inout SeededGenerator) {
    tree = sound
    guard var bytes = tree.files[Self.intents] else { return }
    // What is staged was on stable storage.
    if generator.oneIn(3) { bytes.store(1, 4, at: 32) }
    for _ in 0..<Int.random(in: 1...3, using: &generator) {
      guard let field = Self.fields.randomElement(using: &generator) else { continue }
      let sound = bytes.number(field.size, at: field.offset)
      var value = HostileNumber.lie(about: sound, &generator)
      // Other places in the log, which a record might begin or end at.
      if ["START", "END"].contains(field.name), generator.oneIn(2) {
        value = Int.random(in: 0...100, using: &generator)
      }
      if field.name == "FORMAT", generator.oneIn(2) { value = Int.random(in: 0...4, using: &generator) }
      bytes.store(value, field.size, at: field.offset)
      what.append("\(field.name) at \(field.offset): \(value)")
    }
    let isRepeated = generator.oneIn(4)
    let saysFormat = what.contains { $0.hasPrefix("FORMAT") }
    if isRepeated { stageAgain(in: &bytes, Int.random(in: 0..<Self.names.count, using: &generator)) }
    seal(&bytes, sound: sound.files[Self.intents]?.number(4, at: 12) ?? 0)
    tree.files[Self.intents] = bytes
    if generator.oneIn(10) { tree.holes[Self.intents] = 1 << Int.random(in: 10...17, using: &generator) }
    // Without its companion nothing says what the layout is, and where the last record ends, but what a commit may have been
    // changing.
    let companions = isRepeated || saysFormat ? [] : tree.paths(ending: ".idx")
    if generator.oneIn(6), let other = companions.randomElement(using: &generator) {
      tree.remove(other)
      what.append("no \(other)")
    }
  }

  /// The step is to commit the last record of a log once more: its bytes are whole, and have the checksum.
  mutating func stageAgain(in bytes: inout [UInt8], _ log: Int) {
    let payload = Array(HostileLog.text(Self.count - 1).utf8)
    let record = littleEndian(payload.count) + payload
    let part = 48 + 75 * log
    let end = Self.end(of: Self.count)
    bytes.store(end - record.count, 8, at: part + 47)
    bytes.store(end, 8, at: part + 55)
    bytes.store(Int(StepIntent.LogPart.extend(0, with: Checksum.crc32c(record))), 4, at: part + 71)
    what.append("the last record of \(Self.names[log]) is staged")
  }

  /// Where a log of so many records ends.
  private static func end(of count: Int) -> Int {
    LogFormat.v2.headerSize + (0..<count).reduce(0) { $0 + 8 + HostileLog.text($1).utf8.count }
  }

  /// The checksum is where LENGTH says, if it can be there.
  func seal(_ bytes: inout [UInt8], sound: Int) {
    let said = bytes.number(4, at: 12)
    let length = (52...bytes.count).contains(said) ? said : sound
    bytes.store(Int(Checksum.crc32c(Array(bytes[..<(length - 4)]))), 4, at: length - 4)
  }

  // MARK: The trial

  func run(in directory: String) async throws {
    try tree.write(to: directory)
    for name in Self.names { try await looking { try await read(name, directory) } }
    do {
      try await append(directory)
    } catch ImmutaError.unsupportedVersion {
      return
    } catch let error as ImmutaError {
      // The logs are sound, and have all entries but where a companion is missing.
      throw Finding("the logs cannot be opened, or read: \(error)")
    }
    let storage = try Storage(directory: directory, namespaces: Self.names)
    defer { storage.close() }
    try await looking { _ = try storage.log("a").consumer("reader").nextAtOnce() }
    try await looking { _ = try LogCut(of: Self.names.map { try storage.log($0) }) }
  }

  private func looking(_ body: () async throws -> Void) async throws {
    do { try await body() } catch let error as ImmutaError { _ = "\(error)" }
  }

  private func read(_ name: String, _ directory: String) async throws {
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let storage = try Storage(directory: directory, namespaces: [name], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log(name)
    for details in try log.consumers { _ = "\(details)" }
    try check(log)
  }

  private func check(_ log: Log) throws {
    guard (Self.count...Self.count + 2).contains(log.count) else {
      throw Finding("\(log.namespace) has \(log.count) records")
    }
    var stream = log.stream()
    var number = 0
    while let record = try stream.nextAtOnce() {
      guard record.sequence == number, record.text == HostileLog.text(number) || record.text == HostileLog.appended
      else {
        throw Finding("record \(number) of \(log.namespace) is \(record.sequence), \(record.text)")
      }
      number += 1
    }
    guard number == log.count else { throw Finding("\(number) of \(log.count) records of \(log.namespace) came") }
  }

  private func append(_ directory: String) async throws {
    for _ in 0..<2 {
      let storage = try Storage(directory: directory, namespaces: Self.names)
      defer { storage.close() }
      for name in Self.names {
        let log = try storage.log(name)
        try check(log)
        guard try await log.verify().records == log.count else { throw Finding("\(name) does not verify") }
        if log.count < Self.count + 2 { try await log.append(HostileLog.appended) }
      }
    }
  }
}
