import Immuta
import ImmutaCodable

struct ImmutaBank: Bank {
  private let storage: Storage
  private let events: Log
  private let accounts: KeyedLog<[UInt8]>
  private let balances: Projection<[String: Int]>

  init(_ directory: String, isSynced: Bool) throws {
    var configuration = Storage.Configuration(durability: isSynced ? .synced : .buffered)
    configuration.segments.maximumBytes = 256 << 10
    storage = try Storage(directory: directory, namespaces: ["events"], configuration: configuration)
    events = try storage.log("events")
    accounts = try events.keyed("account") { Array($0.prefix { $0 != UInt8(ascii: " ") }) }
    balances = try events.projection(named: "balances", initial: [:]) { balances, record in
      let event = Event(record.text)
      balances[event.account, default: 0] += event.cents
    }
  }

  func perform(_ command: Command) async throws {
    while true {
      try await balances.catchUp()
      let (balance, count) = balances.withState { balances, count in (balances[command.account] ?? 0, count) }
      do {
        try await events.append(contentsOf: command.decide(balance: balance).map(\.text), expecting: count)
        return
      } catch ImmutaError.unexpectedCount {}
    }
  }

  func balance(of account: String) async throws -> Int? {
    try await balances.catchUp()
    return balances.withState { balances, _ in balances[account] }
  }

  func history(of account: String) async throws -> [Int] {
    var history: [Int] = []
    for try await record in accounts.records(of: Array(account.utf8)) { history.append(Event(record.text).cents) }
    return history
  }

  func close() async throws {
    try await balances.save()
    storage.close()
  }
}

extension Event {
  /// What a record says.
  fileprivate init(_ text: String) {
    let space = text.utf8.firstIndex(of: UInt8(ascii: " ")) ?? text.endIndex
    self.init(account: String(text[..<space]), cents: Int(text[space...].dropFirst()) ?? 0)
  }

  fileprivate var text: String { "\(account) \(cents)" }
}
