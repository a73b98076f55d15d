import Foundation
import Immuta

/// What a program finds while the system gives it no thread. It says so, a line for each step.
enum Threadless {
  static func run(_ what: String, _ directory: String) async throws {
    switch what {
    case "flush": try await flush(directory)
    case "interval": try await interval(directory)
    case "first": try await first(directory)
    case "open": try open(directory)
    case "follow": try await follow(directory)
    default: fatalError("unknown: \(what)")
    }
  }

  private static func storage(_ directory: String, _ durability: Durability = .buffered) throws -> Storage {
    try Storage(directory: directory, namespaces: ["log"], configuration: Storage.Configuration(durability: durability))
  }

  /// On the caller's thread.
  private static func appendBlocking(_ text: String, to log: Log) throws { _ = try log.append(text) }

  private static func say<R>(_ step: String, _ body: () async throws -> R) async {
    do {
      _ = try await body()
      OtherProcess.say("\(step): done")
    } catch ImmutaError.io(_, let operation, _) {
      OtherProcess.say("\(step): \(operation)")
    } catch {
      OtherProcess.say("\(step): \(error)")
    }
  }

  /// A flush that cannot be had is an error for those who wait, and no failure of the log.
  private static func flush(_ directory: String) async throws {
    let storage = try storage(directory, .synced)
    let log = try storage.log("log")
    try appendBlocking("one", to: log)
    ThreadShortage.begin()
    await say("append") { try await log.append("two") }
    OtherProcess.say("\(log.count) records")
    ThreadShortage.end()
    await say("sync") { try await log.sync() }
    await say("append") { try await log.append("three") }
    OtherProcess.say("\(try log.details.stableCount) stable")
    try await storage.shutdown()
  }

  /// An interval that cannot be kept ends appending.
  private static func interval(_ directory: String) async throws {
    let storage = try storage(directory, .interval(.milliseconds(1)))
    let log = try storage.log("log")
    try appendBlocking("one", to: log)
    await say("sync") { try await log.sync() }
    ThreadShortage.begin()
    // The thread that looks after the log may stay for a moment, and takes these with it.
    var failed: String?
    for _ in 0..<10_000 where failed == nil {
      do { try appendBlocking("more", to: log) } catch ImmutaError.io(_, let operation, _) { failed = operation }
      if failed == nil { try await Task.sleep(for: .milliseconds(1)) }
    }
    OtherProcess.say("append: \(failed ?? "done")")
    let count = log.count
    ThreadShortage.end()
    await say("append") { try await log.append("never") }
    storage.close()
    let again = try self.storage(directory)
    OtherProcess.say("\(try again.log("log").count == count ? "all" : "not all") records")
    again.close()
  }

  /// The first append needs a thread, and may be tried again.
  private static func first(_ directory: String) async throws {
    let storage = try storage(directory)
    let log = try storage.log("log")
    ThreadShortage.begin()
    await say("append") { try await log.append("one") }
    ThreadShortage.end()
    await say("append") { try await log.append("two") }
    OtherProcess.say("\(log.count) records")
    storage.close()
  }

  /// Many logs are opened, flushed and closed by the caller's thread alone.
  private static func open(_ directory: String) throws {
    ThreadShortage.begin()
    let names = (0..<60).map { "log\($0)" }
    for round in 1...2 {
      let storage = try Storage(directory: directory, namespaces: names)
      for name in names { try appendBlocking("\(round)", to: storage.log(name)) }
      storage.close()
      OtherProcess.say("round \(round)")
    }
    ThreadShortage.end()
    let storage = try Storage(directory: directory, namespaces: names)
    let counts = try Set(names.map { try storage.log($0).count })
    OtherProcess.say("\(counts.sorted()) records each")
    storage.close()
  }

  /// Nobody can follow; and who does, and finds other files, opens them where it waits.
  private static func follow(_ directory: String) async throws {
    let writer = try storage(directory)
    for number in 0..<3 { try appendBlocking("\(number)", to: writer.log("log")) }
    writer.close()
    let copy = directory + "/copy"
    try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
    let names = ["log.idx", "log.log"]
    for name in names { try FileManager.default.copyItem(atPath: "\(directory)/\(name)", toPath: "\(copy)/\(name)") }
    let longer = try storage(copy)
    try appendBlocking("3", to: longer.log("log"))
    longer.close()
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    let following = try Storage(directory: directory, namespaces: ["log"], configuration: configuration)
    let log = try following.log("log")
    ThreadShortage.begin()
    await say("wait") { try await log.record(from: 3) }
    ThreadShortage.end()
    let next = Task { try await log.record(from: 3) }
    while !log.isAsleep { try await Task.sleep(for: .milliseconds(1)) }
    ThreadShortage.begin()
    for name in names { _ = rename("\(copy)/\(name)", "\(directory)/\(name)") }
    OtherProcess.say("\(try await next.value ?? "nothing")")
    ThreadShortage.end()
    following.close()
  }
}

extension Log {
  fileprivate func record(from number: Int) async throws -> String? {
    var stream = stream(from: .skipping(number))
    return try await stream.next()?.text
  }
}
