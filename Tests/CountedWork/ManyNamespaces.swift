import Foundation
import Immuta
import ImmutaLibC

/// What many namespaces cost: the time to make, write, close and open them, and what they hold meanwhile. Beside it the
/// floor, of the same run: as many empty files, made and put on stable storage together.
///
/// ```
/// CountedWork many DIRECTORY COUNT          .buffered
/// CountedWork many-synced DIRECTORY COUNT   .synced
/// ```
struct ManyNamespaces {
  let directory: String
  let count: Int
  let durability: Durability

  private var names: [String] { (0..<count).map { "namespace-\($0)" } }

  func run() async throws {
    let floor = try measure(makeEmptyFiles)
    say("\(count) empty files and a sync", floor)
    var open: Storage?
    let names = names
    let configuration = Storage.Configuration(durability: durability)
    let all = directory + "/all"
    say("make", try measure { open = try Storage(directory: all, namespaces: names, configuration: configuration) })
    guard let made = open else { return }
    say("append one record to each", try measure { for name in names { try made.append("one", to: name) } })
    let start = ContinuousClock.now
    try await withThrowingTaskGroup(of: Void.self) { group in
      for name in names { group.addTask { try await made.append("two", to: name) } }
      try await group.waitForAll()
    }
    say("and another, from tasks", ContinuousClock.now - start)
    say("close", measure { made.close() })
    say("open", try measure { open = try Storage(directory: all, namespaces: names, configuration: configuration) })
    open?.close()
  }

  private func makeEmptyFiles() throws {
    let place = directory + "/floor"
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    for number in 0..<count {
      guard let file = fopen("\(place)/\(number)", "w") else { fatalError("no file could be made") }
      fclose(file)
    }
    sync()
  }

  private func measure(_ body: () throws -> Void) rethrows -> Duration {
    let start = ContinuousClock.now
    try body()
    return ContinuousClock.now - start
  }

  private func say(_ what: String, _ time: Duration) {
    defer { fflush(nil) }
    let seconds = String(format: "%.2f", time / .seconds(1))
    print(
      "\(what): \(seconds) s, \(entries(of: "/proc/self/fd")) descriptors, \(entries(of: "/proc/self/task")) threads, "
        + "\(residentMemory) KiB of memory")
  }

  private func entries(of place: String) -> Int {
    (try? FileManager.default.contentsOfDirectory(atPath: place).count) ?? 0
  }

  /// Anonymous pages: mapped files are the page cache's.
  private var residentMemory: Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") } ?? ""
    return Int(line.split(whereSeparator: { !$0.isNumber }).first ?? "") ?? 0
  }
}
