import Foundation
import Immuta

/// What can happen to an account: the only thing that is ever stored.
enum Event: Codable {
  case opened(account: String)
  case deposited(account: String, cents: Int)
  case withdrawn(account: String, cents: Int)
}

/// The accounts' balances, computed from the events. An actor: one event is decided on at a time.
actor Bank {
  enum Refusal: Error {
    case unknown(account: String)
    case notEnough(balance: Int)
  }

  private let events: Log
  private var balances: [String: Int] = [:]

  /// Replays the log: the balances are in memory only.
  init(_ events: Log) throws {
    self.events = events
    for record in try events.records(in: 0..<events.count) {
      Self.apply(try Self.event(of: record), to: &balances)
    }
  }

  func open(_ account: String) async throws {
    if balances[account] == nil { try commit([.opened(account: account)]) }
    try await events.sync()
  }

  func deposit(_ cents: Int, to account: String) async throws {
    guard balances[account] != nil else { throw Refusal.unknown(account: account) }
    try commit([.deposited(account: account, cents: cents)])
    try await events.sync()
  }

  func transfer(_ cents: Int, from source: String, to target: String) async throws {
    guard let balance = balances[source] else { throw Refusal.unknown(account: source) }
    guard balances[target] != nil else { throw Refusal.unknown(account: target) }
    guard balance >= cents else { throw Refusal.notEnough(balance: balance) }
    try commit([.withdrawn(account: source, cents: cents), .deposited(account: target, cents: cents)])
    // Acknowledged only once it is on stable storage. Meanwhile others decide and commit, and share the flush.
    try await events.sync()
  }

  func balance(of account: String) -> Int? { balances[account] }

  /// Commits all of the events or none.
  ///
  /// Not async, so that between deciding and committing nobody else gets in; a `.buffered`
  /// commit is quick, and this actor is the log's only writer, so there is nothing to wait for.
  private func commit(_ decided: [Event]) throws {
    try events.transaction { transaction in
      for event in decided { try transaction.append(JSONEncoder().encode(event)) }
    }
    for event in decided { Self.apply(event, to: &balances) }
  }

  static func event(of record: Record) throws -> Event {
    try JSONDecoder().decode(Event.self, from: Data(record.payload))
  }

  private static func apply(_ event: Event, to balances: inout [String: Int]) {
    switch event {
    case .opened(let account): balances[account] = 0
    case .deposited(let account, let cents): balances[account, default: 0] += cents
    case .withdrawn(let account, let cents): balances[account, default: 0] -= cents
    }
  }
}

@main
struct EventStore {
  static func main() async throws {
    let storage = try Storage(directory: "./log-data", namespaces: ["bank"])
    defer { storage.close() }
    let log = try storage.log("bank")
    let bank = try Bank(log)

    // Another view of the same events, kept by somebody else: it follows the log.
    let audit = Task { [stream = log.stream(from: .latest)] in
      for try await record in stream {
        print("audit:", record.timestamp, try Bank.event(of: record))
      }
    }

    try await bank.open("ada")
    try await bank.open("bob")
    try await bank.deposit(1000, to: "ada")
    try await bank.transfer(400, from: "ada", to: "bob")
    do {
      try await bank.transfer(1_000_000, from: "bob", to: "ada")
    } catch Bank.Refusal.notEnough(let balance) {
      print("refused: bob has", balance)
    }
    print("ada has", await bank.balance(of: "ada") ?? 0, "after", log.count, "events")

    storage.close()  // ends the audit
    do { try await audit.value } catch ImmutaError.storageClosed { print("audit: end") }
  }
}
