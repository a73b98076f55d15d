import Foundation
import Immuta

/// What a key's records cost to find, beside millions of others.
///
/// ```
/// CountedWork keys DIRECTORY SEGMENTS      ten million records of 100 B in so many segments, a hundred of them of one key: making
///                                          the index, opening it, counting and reading the hundred
/// ```
struct KeyedRecords {
  let directory: String
  let segments: Int

  private static let records = 10_000_000
  private static let keys = 100_000
  private static let rounds = 21
  private static let key = Array("account-7".utf8)

  func run() async throws {
    try fill()
    let start = ContinuousClock.now
    try await withAccounts { accounts in
      _ = try await accounts.count(of: Self.key)
      accounts.finishFiles()
    }
    print("made in \(Self.milliseconds(since: start)) ms")
    try await withAccounts { accounts in
      let start = ContinuousClock.now
      let reads = Self.reads
      _ = try await accounts.count(of: Array("none".utf8))
      print("opened, with the newest segment, in \(Self.milliseconds(since: start)) ms, \(Self.reads - reads) reads")
      try await Self.measure("counted") { precondition(try await accounts.count(of: Self.key) == 100, "100 are there") }
      try await Self.measure("read, a history") {
        var count = 0
        for try await record in accounts.records(of: Self.key) { count += record.size > 0 ? 1 : 0 }
        precondition(count == 100, "100 are there")
      }
    }
  }

  private static func measure(_ name: String, _ work: () async throws -> Void) async throws {
    try await work()
    let before = reads
    var times: [Duration] = []
    for _ in 0..<rounds {
      let start = ContinuousClock.now
      try await work()
      times.append(ContinuousClock.now - start)
    }
    let read = (reads - before) / rounds
    print("\(name): \(times.sorted()[rounds / 2] / .microseconds(1)) µs, \(read) reads")
  }

  private static func milliseconds(since start: ContinuousClock.Instant) -> Int {
    Int((ContinuousClock.now - start) / .milliseconds(1))
  }

  /// Calls that read, of this process so far; the kernel counts them.
  private static var reads: Int {
    let text = (try? String(contentsOfFile: "/proc/self/io", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("syscr: ") }
    return line.flatMap { Int($0.dropFirst(7)) } ?? 0
  }

  private func withAccounts(_ body: (KeyedLog<[UInt8]>) async throws -> Void) async throws {
    let storage = try Storage(directory: directory, namespaces: ["events"])
    defer { storage.close() }
    // The first word.
    let accounts = try storage.log("events").keyed("account") { payload -> [UInt8]? in
      payload.firstIndex(of: UInt8(ascii: " ")).map { Array(payload[..<$0]) }
    }
    try await body(accounts)
  }

  private func fill() throws {
    let storage = try Storage(directory: directory, namespaces: ["events"])
    defer { storage.close() }
    let log = try storage.log("events")
    let each = Self.records / segments
    while log.count < Self.records {
      let end = min(Self.records, log.count + each)
      while log.count < end {
        let start = log.count
        try log.transaction { transaction in
          for number in start..<min(end, start + 1000) {
            let text = "account-\(number % Self.keys) \(number) "
            try transaction.append(text + String(repeating: "x", count: 100 - text.utf8.count))
          }
        }
      }
      if end < Self.records { try log.roll() }
    }
  }
}
