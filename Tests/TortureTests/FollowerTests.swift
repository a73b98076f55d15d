import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Followers of a log whose files are repaired, put back, replaced, renamed, removed and cut short under them, at random:
/// no record is ever skipped, repeated, or put after another that it does not follow, unless an error says so; and in the
/// end every stream has what the log holds.
@Suite(.serialized) struct FollowerTests {
  @Test(arguments: LogFormat.allCases) func whateverBecomesOfItsFilesNothingIsSkippedInSilence(
    format: LogFormat
  ) async throws {
    try await Rounds.run(default: 5, "followers, \(format)", patience: .seconds(180)) { seed in
      let directory = TemporaryDirectory(inMemory: true)
      try await Self.round(seed, format, in: directory.path)
    }
  }

  @Test func onADisk() async throws {
    try await Rounds.run(default: 3, "followers on a disk", patience: .seconds(180)) { seed in
      let directory = TemporaryDirectory()
      try await Self.round(seed, .v2, in: directory.path)
    }
  }

  @Test func onAnOverlayWhoseLogIsCopiedUp() async throws {
    guard try Overlay().mount() else {
      return print("SKIPPED: no overlay file system can be mounted here; a log that is copied up is not followed")
    }
    try await Rounds.run(default: 3, "followers on an overlay", patience: .seconds(180)) { seed in
      let overlay = try Overlay()
      try await Self.round(seed, .v2, in: overlay.directory) {
        guard try overlay.mount() else { throw Finding("an overlay could be mounted a moment ago") }
      }
    }
  }

  /// Reads on until it is over, and then until nothing is left; returns how often an error was thrown.
  private static func read(
    _ log: Log, _ history: FollowedHistory, _ isOver: Flag
  ) -> Task<Int, any Error> {
    Task {
      var reader = FollowingReader(log.stream(), history)
      while !isOver.isSet { try await reader.step() }
      let end = ContinuousClock.now + .seconds(30)
      while reader.delivered != history.chain {
        if ContinuousClock.now > end {
          throw Finding(
            "a stream ended with \(reader.delivered.count) of \(history.chain.count) records, and stalls: "
              + (reader.lastError.map { "\($0)" } ?? "no error"))
        }
        try await reader.step()
      }
      return reader.reported
    }
  }

  /// - Parameter onceMade: done when there is a log, before it is followed.
  private static func round(
    _ seed: UInt64, _ format: LogFormat, in directory: String, onceMade: () throws -> Void = {}
  ) async throws {
    var program = try FollowedFilesProgram(directory: directory, format: format, seed: seed)
    try await program.append(10)
    program.close()
    try onceMade()
    let follower = try program.follower()
    defer { follower.close() }
    let log = try follower.log("log")
    let history = program.history
    let isOver = Flag()
    let readers = (0..<3).map { _ in Self.read(log, history, isOver) }
    do {
      for _ in 0..<40 { try await program.step() }
      try await program.append(5)
      program.close()
    } catch {
      for reader in readers { reader.cancel() }
      throw error
    }
    isOver.set()
    for reader in readers { _ = try await reader.value }
  }

  /// After a power cut the last record is torn, and COUNT counts it. A writer that comes back cuts it off, and with the
  /// next record COUNT is the same once more.
  @Test func aRecordInPlaceOfATornOneIsDelivered() async throws {
    let before = TemporaryDirectory()
    let directory = TemporaryDirectory()
    let files = ["log.log", "log.idx"]
    do {
      let storage = try Storage(directory: before.path, namespaces: ["log"])
      defer { storage.close() }
      for number in 0..<40 { try await storage.append("record \(number)", to: "log") }
      for name in files { try directory.write(before.bytes(of: name), to: name) }
    }
    try Reboot.mark(directory: directory.path)
    var log = try directory.bytes(of: "log.log")
    let last = log[8..<16].reversed().reduce(0) { $0 << 8 | Int($1) }
    log.replaceSubrange(last + 8..<last + 12, with: Array("TORN".utf8))
    try directory.write(log, to: "log.log")
    var companion = try directory.bytes(of: "log.idx")
    let entry = CompanionHeader.size + 39 * CompanionEntry.size
    companion.replaceSubrange(
      entry..<entry + CompanionEntry.size, with: [UInt8](repeating: 0, count: CompanionEntry.size))
    try directory.write(companion, to: "log.idx")

    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let reading = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    defer { reading.close() }
    var stream = reading.stream("log")
    for number in 0..<39 { #expect(try await stream.next(timeout: .seconds(20))?.text == "record \(number)") }
    #expect(try await stream.next(timeout: .milliseconds(20)) == nil)
    let writing = try Storage(directory: directory.path, namespaces: ["log"])
    defer { writing.close() }
    try await writing.append("new", to: "log")
    #expect(try await stream.next(timeout: .seconds(20))?.text == "new")
  }
}

/// A directory whose files lie in a layer that is only read: what writes one of them works on a copy, in another layer.
private final class Overlay {
  private let place: TemporaryDirectory
  let directory: String
  private var isMounted = false

  init() throws {
    place = TemporaryDirectory()
    directory = try place.subdirectory("merged")
  }

  /// Puts what is in the directory by now into the layer that is only read; false where that cannot be done.
  func mount() throws -> Bool {
    let (lower, upper, work) = (
      place.file("lower"), try place.subdirectory("upper"), try place.subdirectory("work")
    )
    try FileManager.default.moveItem(atPath: directory, toPath: lower)
    _ = try place.subdirectory("merged")
    isMounted = try run(
      "mount", "-t", "overlay", "overlay", "-o", "lowerdir=\(lower),upperdir=\(upper),workdir=\(work)", directory)
    return isMounted
  }

  private func run(_ command: String...) throws -> Bool {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus == 0
  }

  deinit {
    if isMounted { _ = try? run("umount", "-l", directory) }
  }
}
