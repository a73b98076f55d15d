import Foundation
import Harness

/// The same commands for both banks, in turn.
struct BankBench {
  let directory: String
  let isQuick: Bool

  private static let accounts = 1_000
  private var transfers: Int { isQuick ? 5_000 : 100_000 }
  private var syncedTransfers: Int { isQuick ? 100 : 1_000 }
  private var rounds: Int { isQuick ? 1 : 3 }
  private static let asked = 500

  /// What was measured of one bank, in nanoseconds.
  struct Times {
    var write: [Double] = []
    var writeSynced: [Double] = []
    var open: [Double] = []
    var openHistory: [Double] = []
    var balance: [Double] = []
    var history: [Double] = []
    var bytes = 0
  }

  /// - Returns: the times, and how many events each bank has.
  func run(progress: (String) -> Void) async throws -> (immuta: Times, sqlite: Times, events: Int) {
    var (immuta, sqlite) = (Times(), Times())
    for round in 0..<rounds {
      progress("round \(round + 1) of \(rounds)")
      let commands = self.commands(transfers, seed: UInt64(round + 1))
      let sums: [Int]
      if round % 2 == 0 {
        sums = [
          try await measure(ImmutaBank.self, commands, &immuta), try await measure(SQLiteBank.self, commands, &sqlite),
        ]
      } else {
        sums = [
          try await measure(SQLiteBank.self, commands, &sqlite), try await measure(ImmutaBank.self, commands, &immuta),
        ]
      }
      guard sums[0] == sums[1] else { throw BankError("the banks do not agree: \(sums)") }
    }
    return (immuta, sqlite, Self.accounts + 2 * transfers)
  }

  /// One deposit for each account, and transfers that all go through.
  private func commands(_ transfers: Int, seed: UInt64) -> [Command] {
    var state = seed
    func random(_ count: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(count))
    }
    let deposits = (0..<Self.accounts).map { Command.deposit(cents: 1_000_000, to: "account-\($0)") }
    return deposits
      + (0..<transfers).map { _ in
        let (source, step) = (random(Self.accounts), 1 + random(Self.accounts - 1))
        return .transfer(
          cents: 1 + random(500), from: "account-\(source)", to: "account-\((source + step) % Self.accounts)")
      }
  }

  /// - Returns: a sum over what was read, which must be the same for both.
  private func measure<B: Bank>(_ type: B.Type, _ commands: [Command], _ times: inout Times) async throws -> Int {
    let directory = try makeDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try PageCache.warm(64 << 20, in: self.directory)
    var bank = try B(directory, isSynced: false)
    times.write.append(
      try await nanoseconds { for command in commands { try await bank.perform(command) } } / Double(commands.count))
    try await bank.close()
    var sum = 0
    // What somebody asks first after opening.
    for ask in 0..<20 {
      let account = "account-\(ask * 7)"
      times.open.append(
        try await nanoseconds {
          bank = try B(directory, isSynced: false)
          sum += try await bank.balance(of: account) ?? 0
        })
      try await bank.close()
      times.openHistory.append(
        try await nanoseconds {
          bank = try B(directory, isSynced: false)
          sum += try await bank.history(of: account).count
        })
      try await bank.close()
    }
    bank = try B(directory, isSynced: false)
    _ = try await bank.history(of: "account-0")
    times.balance.append(
      try await nanoseconds {
        for ask in 0..<Self.asked { sum += try await bank.balance(of: "account-\(ask * 13 % Self.accounts)") ?? 0 }
      } / Double(Self.asked))
    // One by one: the median then says the same on a busy machine.
    for ask in 0..<Self.asked {
      times.history.append(
        try await nanoseconds {
          sum += try await bank.history(of: "account-\(ask * 13 % Self.accounts)").reduce(0, +)
        })
    }
    try await bank.close()
    // With the index of accounts, which is made when somebody first asks for one.
    times.bytes = try size(of: directory)
    times.writeSynced.append(try await writeSynced(type, Array(commands.prefix(Self.accounts + syncedTransfers))))
    return sum
  }

  private func writeSynced<B: Bank>(_ type: B.Type, _ commands: [Command]) async throws -> Double {
    let directory = try makeDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let bank = try B(directory, isSynced: true)
    let time = try await nanoseconds { for command in commands { try await bank.perform(command) } }
    try await bank.close()
    return time / Double(commands.count)
  }

  private func makeDirectory() throws -> String {
    let path = "\(directory)/\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }

  private func size(of directory: String) throws -> Int {
    let files = try FileManager.default.subpathsOfDirectory(atPath: directory)
    return try files.reduce(0) { sum, file in
      let attributes = try FileManager.default.attributesOfItem(atPath: "\(directory)/\(file)")
      return attributes[.type] as? FileAttributeType == .typeRegular ? sum + (attributes[.size] as? Int ?? 0) : sum
    }
  }
}

private func nanoseconds(_ body: () async throws -> Void) async rethrows -> Double {
  let start = ContinuousClock.now
  try await body()
  return (ContinuousClock.now - start) / .nanoseconds(1)
}

struct BankError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
