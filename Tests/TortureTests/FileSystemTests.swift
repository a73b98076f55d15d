import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// File systems of each kind are filled to the last block under the tool's feet: it must end with an error, not by a
/// signal, and every record that it gave a receipt for must be there.
@Suite(.timeLimit(.minutes(30))) struct FileSystemTests {
  @Test(arguments: MountedDisk.Kind.allCases)
  func aFullDiskIsAnErrorAndLosesNothing(_ kind: MountedDisk.Kind) async throws {
    try await fill(kind, "full disk", rounds: 3)
  }

  /// Writing to blocks that a copy shares takes new ones, of which there are none.
  @Test(arguments: MountedDisk.Kind.allCases.filter(\.shares))
  func aLogThatWasCopiedByReferenceIsAnErrorOnAFullDisk(_ kind: MountedDisk.Kind) async throws {
    try await fill(kind, "full disk and a copy", rounds: 2, copied: true)
  }

  private func fill(
    _ kind: MountedDisk.Kind, _ name: String, rounds: Int, copied: Bool? = nil
  ) async throws {
    // A pipe whose reader has ended is an error to be told, not the end of the tests.
    _ = Foundation.signal(SIGPIPE, SIG_IGN)
    let tool = try BuiltTool.path()
    try await Rounds.run(default: rounds, most: 100, "\(name), \(kind)") { seed in
      let directory = TemporaryDirectory(inMemory: true)
      guard let disk = try MountedDisk(kind, in: directory) else { return }
      defer { disk.close() }
      var round = FullDiskRound(seed, kind, disk, directory, tool, copied: copied)
      try await round.run()
    }
  }

  /// A step that finds no room is tried again at half its size; where the file system keeps as much of the first as there
  /// was room for, the rest of it must be given back.
  @Test(arguments: [MountedDisk.Kind.tmpfs, .ext4, .xfsWithoutReflink])
  func halfAStepLeavesTheOtherHalf(_ kind: MountedDisk.Kind) async throws {
    let directory = TemporaryDirectory(inMemory: true)
    guard let disk = try MountedDisk(kind, in: directory) else { return }
    defer { disk.close() }
    let storage = try Storage(directory: "\(disk.path)/logs", namespaces: ["e"])
    defer { storage.close() }
    let log = try storage.log("e")
    let size = kind == .tmpfs ? 2 << 20 : 9 << 20
    while try log.details.byteCount < size { _ = try await log.append([UInt8](repeating: 7, count: 4096)) }
    // The next step is half of what is reserved by now: there is room for half a step, and for half of that besides.
    var status = stat()
    guard stat("\(disk.path)/logs/e.log", &status) == 0 else { throw Finding("the log is not there") }
    let reserved = Int(status.st_size)
    try disk.fill(leaving: reserved / 8 * 3)
    let room = try disk.room
    for _ in 0..<10_000 where try disk.room > room - 256 << 10 {
      _ = try await log.append([UInt8](repeating: 7, count: 4096))
    }
    let rest = try disk.room
    #expect(rest < room - 256 << 10, "no step was taken")
    #expect(rest > reserved / 16, "of \(room) bytes \(rest) are left")
  }

  /// Some file systems keep as much of a reservation as there was room for.
  @Test(arguments: [MountedDisk.Kind.tmpfs, .ext4, .xfsWithoutReflink, .xfs])
  func whatHasNoRoomTakesNone(_ kind: MountedDisk.Kind) async throws {
    let directory = TemporaryDirectory(inMemory: true)
    guard let disk = try MountedDisk(kind, in: directory) else { return }
    defer { disk.close() }
    let storage = try Storage(directory: "\(disk.path)/logs", namespaces: ["e"])
    defer { storage.close() }
    let log = try storage.log("e")
    try await log.append("a record")
    try disk.fill(leaving: 3 << 20)
    let room = try disk.room
    await #expect(throws: ImmutaError.self) { _ = try await log.append([UInt8](repeating: 7, count: 6 << 20)) }
    let left = try disk.room
    #expect(left > room - 256 << 10, "of \(room) bytes \(left) are left")
    try await log.append([UInt8](repeating: 7, count: 1 << 20))
  }

  /// What has no room for a large step has room for small ones; that is found out once, not before each record.
  @Test(arguments: [MountedDisk.Kind.tmpfs, .ext4, .xfsWithoutReflink], [8, 300, 5_000])
  func anAlmostFullDiskIsNotAskedForRoomBeforeEachRecord(_ kind: MountedDisk.Kind, size: Int) async throws {
    let directory = TemporaryDirectory(inMemory: true)
    guard let disk = try MountedDisk(kind, in: directory) else { return }
    defer { disk.close() }
    try disk.fill(leaving: 3 << 20)
    let storage = try Storage(directory: "\(disk.path)/logs", namespaces: ["e"])
    defer { storage.close() }
    let log = try storage.log("e")
    let injector = FaultInjector(directory: "\(disk.path)/logs")
    let bytes = [UInt8](repeating: 7, count: size)
    _ = await injector.run {
      await #expect(throws: ImmutaError.self) {
        for _ in 0..<1_000_000 { _ = try await log.append(bytes) }
      }
    }
    let calls = injector.counts[.reserve, default: 0]
    // What one of the two files had reserved ahead, the other could use.
    #expect(log.count * (size + 32) > 5 << 19, "only \(log.count) records found room")
    #expect(calls < 200, "\(calls) reservations for \(log.count) records")
    // Each attempt takes a call or two for each file, not one for each size that was tried.
    let failed = FaultInjector(directory: "\(disk.path)/logs")
    await failed.run {
      for _ in 0..<10 {
        await #expect(throws: ImmutaError.self) { _ = try await log.append([UInt8](repeating: 7, count: 9_000)) }
      }
    }
    #expect(failed.counts[.reserve, default: 0] <= 40)
    #expect(try await log.verify().records == log.count)
    try disk.makeRoom()
    for _ in 0..<1_000 { try await log.append(bytes) }
  }
}

/// One disk that is filled while the tool appends to a log on it.
private struct FullDiskRound {
  private var generator: SeededGenerator
  private let kind: MountedDisk.Kind
  private let disk: MountedDisk
  private let directory: TemporaryDirectory
  private let tool: String
  private let isCopied: Bool
  private let isSynced: Bool
  private var lines: [String] = []
  private var receipts = 0

  private var logs: String { "\(disk.path)/logs" }

  /// - Parameter copied: whether the log is copied by reference while it is appended to, and not synced, so that stores
  ///   would go through a mapping; nil for any of it.
  init(
    _ seed: UInt64, _ kind: MountedDisk.Kind, _ disk: MountedDisk, _ directory: TemporaryDirectory, _ tool: String,
    copied: Bool?
  ) {
    generator = SeededGenerator(seed: seed)
    let isAny = (synced: generator.oneIn(2), copied: generator.oneIn(2))
    isSynced = copied == nil ? isAny.synced : false
    isCopied = kind.shares && (copied ?? isAny.copied)
    self.kind = kind
    self.disk = disk
    self.directory = directory
    self.tool = tool
  }

  mutating func run() async throws {
    // No backtrace: where a signal ends it, that is all there is to say.
    let child = try ChildProcess(
      "/bin/sh",
      [
        "-c", "SWIFT_BACKTRACE=enable=no exec \"$@\" 2>\"$0\"", directory.file("errors"), tool, "append", "e", "--dir",
        logs, "--receipts", "--durability", isSynced ? "synced" : "buffered",
      ])
    for _ in 0..<Int.random(in: 1...3, using: &generator) {
      guard try feed(child) else { throw Finding("the tool ended on a disk with room: \(try errors())") }
    }
    // From here on the log's blocks are a copy's too: writing to them takes new ones.
    if isCopied { try copyByReference() }
    let room = generator.oneIn(2) ? 0 : Int.random(in: 1...1 << 20, using: &generator)
    try disk.fill(leaving: room)
    if room == 0, generator.oneIn(4) {
      _ = try feed(child)
      _ = kill(child.identifier, SIGTERM)
      receipts += child.readLines(within: .seconds(20)).count
      let status = child.wait()
      // It may have found the disk full before.
      guard status == 128 + SIGTERM || status == 1 else {
        throw Finding("told to stop, it ended with \(ending(status))")
      }
    } else {
      var batches = 0
      while try feed(child) {
        batches += 1
        if batches > 1_000 { throw Finding("the disk is never full") }
      }
      child.closeInput()
      let status = child.wait()
      guard status == 1 else { throw Finding("on the full disk it ended with \(ending(status)): \(try errors())") }
      let said = try errors()
      guard said.contains("No space left on device") else { throw Finding("it said: \(said)") }
      // There the error comes before anything was changed.
      let isReserving = [.ext4, .tmpfs, .xfsWithoutReflink].contains(kind)
      if isReserving, !said.contains("fallocate") {
        throw Finding("it found no room where it had reserved it: \(said)")
      }
    }
    let count = try await check(.readOnly)
    try disk.makeRoom()
    guard try await check(.readWrite) >= count else { throw Finding("records are gone after opening") }
  }

  private func ending(_ status: Int32?) -> String { status.map { "status \($0)" } ?? "a signal" }

  private func errors() throws -> String {
    String(decoding: try FileBytes.read(directory.file("errors")) ?? [], as: UTF8.self)
  }

  /// Sends lines that fit a pipe, and reads their receipts. False when the tool has ended.
  private mutating func feed(_ child: ChildProcess) throws -> Bool {
    let size = generator.oneIn(4) ? 20_000 : 1_500
    var left = 50_000
    while left > size {
      let text = "\(lines.count) " + String(repeating: "z", count: Int.random(in: 0...size, using: &generator))
      left -= text.utf8.count + 1
      lines.append(text)
      do { try child.write(line: text) } catch { break }
    }
    while receipts < lines.count {
      guard child.readLine(within: .seconds(60)) != nil else { return false }
      receipts += 1
    }
    return true
  }

  private func copyByReference() throws {
    let copies = "\(disk.path)/copies"
    try FileManager.default.createDirectory(atPath: copies, withIntermediateDirectories: false)
    if kind == .btrfsNoCopyOnWrite { try MountedDisk.run("chattr", ["+C", copies]) }
    guard try MountedDisk.run("cp", ["--reflink=always", "\(logs)/e.log", "\(logs)/e.idx", copies]) == 0 else {
      throw Finding("cannot copy by reference")
    }
    try MountedDisk.run("sync", ["-f", disk.path])
  }

  /// What is there must be what was sent, from the first line on, and all that had receipts. Returns how many.
  private func check(_ access: Storage.Access) async throws -> Int {
    var configuration = Storage.Configuration(durability: isSynced ? .synced : .buffered)
    configuration.access = access
    let storage = try Storage(directory: logs, namespaces: ["e"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("e")
    guard (receipts...lines.count).contains(log.count) else {
      throw Finding("\(log.count) records, with \(receipts) receipts for \(lines.count) lines")
    }
    let count = log.count
    for number in 0..<count {
      guard try await log.record(at: number).text == lines[number] else {
        throw Finding("record \(number) is not line \(number)")
      }
    }
    guard access == .readWrite else { return count }
    for number in 0..<20 {
      let receipt = try await log.append("there is room again \(number)")
      guard receipt.sequence == count + number else { throw Finding("record \(receipt.sequence) follows \(count)") }
    }
    guard try await log.verify().records == count + 20 else { throw Finding("not all records are verified") }
    return count
  }
}
