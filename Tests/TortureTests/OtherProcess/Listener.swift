import Foundation
import Immuta
import ImmutaTestSupport

/// Follows logs as a program does that has nothing else to do.
enum Listener {
  static func listen(_ directory: String, _ format: LogFormat, _ count: Int, _ how: String) async throws {
    if how == "looking" { FileWaiting.stopWaitingForWords() }
    var configuration = Storage.Configuration()
    configuration.format = format
    configuration.access = .readOnly
    let storage = try Storage(
      directory: directory, namespaces: (0..<count).map { "log\($0)" }, configuration: configuration)
    let logs = try (0..<count).map { try storage.log("log\($0)") }
    for log in logs { Task { await follow(log) } }
    OtherProcess.say("open")
    while let question = readLine() {
      switch question {
      case "asleep": OtherProcess.say(await areAsleep(logs) ? "asleep" : "awake")
      case "counts": OtherProcess.say(try counts())
      default: OtherProcess.say("what is \(question)?")
      }
    }
    storage.close()
    // The thread ends by itself.
    for _ in 0..<2_000 where FileWaiting.threads > 0 { try await Task.sleep(for: .milliseconds(1)) }
    OtherProcess.say("closed, \(FileWaiting.threads) threads")
  }

  private static func follow(_ log: Log) async {
    do {
      for try await record in log.stream() where record.text == "last" { OtherProcess.say("\(record.sequence)") }
    } catch ImmutaError.storageClosed {
    } catch {
      OtherProcess.say("\(error)")
    }
  }

  /// What a busy machine delays looks like a writer that wakes nobody: then it takes ten quiet seconds to fall asleep.
  private static func areAsleep(_ logs: [Log]) async -> Bool {
    let end = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < end {
      if logs.allSatisfy(\.isAsleep) { return true }
      try? await Task.sleep(for: .milliseconds(1))
    }
    return false
  }

  /// Wake-ups of the threads that wait for others, by their own count; of all threads that this process has or had, by the
  /// kernel's; threads that follow; and all threads.
  private static func counts() throws -> String {
    var usage = rusage()
    // RUSAGE_SELF, which is an enumeration in some C libraries and a number in others.
    guard getrusage(0, &usage) == 0 else { throw Finding("no usage: error \(errno)") }
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count) ?? 0
    return "\(FileWaiting.wakeUps) \(usage.ru_nvcsw) \(FileWaiting.threads) \(threads)"
  }
}
