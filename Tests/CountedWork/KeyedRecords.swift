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
      try await Self.measure("counted") {
        let count = try await accounts.count(of: Self.key)
        precondition(count == 100, "100 are there")
      }
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

/// The histories of accounts in a log of small segments, as those of a bank are: for counting what a record of one costs.
///
/// ```
/// CountedWork keyed DIRECTORY COUNT      appends COUNT records of 20 B, of COUNT/256 accounts, and makes their index
/// CountedWork history DIRECTORY COUNT    reads histories until COUNT records were read
/// ```
struct AccountHistories {
  let directory: String
  let count: Int

  private static let perAccount = 256

  func fill() throws {
    try withAccounts { accounts in
      let perCommit = 64
      let keys = max(1, count / Self.perAccount)
      for start in stride(from: 0, to: count, by: perCommit) {
        try accounts.log.transaction { transaction in
          for number in start..<min(start + perCommit, count) {
            // The accounts in another order each time.
            let account = (number % keys * 61 + number / keys) % keys
            try transaction.append("account-\(account) \(number)")
          }
        }
      }
      _ = try accounts.count(of: Self.key(0))
      accounts.finishFiles()
    }
  }

  func read() throws {
    try withAccounts { accounts in
      let keys = accounts.log.count / Self.perAccount
      var left = count
      var account = 0
      while left > 0 {
        var history = accounts.records(of: Self.key(account))
        while left > 0, let record = try history.next() {
          precondition(record.size > 8, "a record is as long as it was written")
          left -= 1
        }
        account = (account + 13) % keys
      }
    }
  }

  private static func key(_ account: Int) -> [UInt8] { Array("account-\(account)".utf8) }

  private func withAccounts(_ body: (KeyedLog<[UInt8]>) throws -> Void) throws {
    var configuration = Storage.Configuration()
    configuration.segments.maximumBytes = 256 << 10
    let storage = try Storage(directory: directory, namespaces: ["events"], configuration: configuration)
    defer { storage.close() }
    // The first word.
    let accounts = try storage.log("events").keyed("account") { payload -> [UInt8]? in
      payload.firstIndex(of: UInt8(ascii: " ")).map { Array(payload[..<$0]) }
    }
    try body(accounts)
  }
}
