import Immuta
import ImmutaCodable

/// What can happen to an account: the only thing that is ever stored.
enum BankEvent: Codable, Sendable {
  case opened(account: String)
  case deposited(account: String, cents: Int)
  case withdrawn(account: String, cents: Int)
}

/// What people ask for. It is decided by the balances, and comes to events, or is refused.
enum Command {
  case open(account: String)
  case deposit(cents: Int, to: String)
  case transfer(cents: Int, from: String, to: String)

  enum Refusal: Error, Equatable {
    case unknown(account: String)
    case notEnough(balance: Int)
  }

  func decide(_ balances: [String: Int]) throws -> [BankEvent] {
    func balance(of account: String) throws -> Int {
      guard let balance = balances[account] else { throw Refusal.unknown(account: account) }
      return balance
    }
    switch self {
    case .open(let account):
      return balances[account] == nil ? [.opened(account: account)] : []
    case .deposit(let cents, let account):
      _ = try balance(of: account)
      return [.deposited(account: account, cents: cents)]
    case .transfer(let cents, let source, let target):
      let (available, _) = (try balance(of: source), try balance(of: target))
      guard available >= cents else { throw Refusal.notEnough(balance: available) }
      return [.withdrawn(account: source, cents: cents), .deposited(account: target, cents: cents)]
    }
  }
}

/// A bank whose accounts are what its events come to. Any number of tasks may ask it for something at once.
struct Bank {
  let events: TypedLog<BankEvent>
  /// Kept between two runs of the program, so that opening the bank does not read all that ever happened.
  let balances: Projection<[String: Int]>

  init(_ storage: Storage) throws {
    events = try storage.log("accounts", of: BankEvent.self)
    balances = try events.projection(named: "balances", initial: [:]) { balances, event in
      switch event.value {
      case .opened(let account): balances[account] = 0
      case .deposited(let account, let cents): balances[account, default: 0] += cents
      case .withdrawn(let account, let cents): balances[account, default: 0] -= cents
      }
    }
  }

  /// Decides by the balances after all events so far, and appends, unless another event came in between: then it decides again.
  func perform(_ command: Command) async throws {
    while true {
      try await balances.catchUp()
      let (decided, count) = try balances.withState { balances, count in (try command.decide(balances), count) }
      do {
        // All of the events, or none.
        try await events.append(contentsOf: decided, expecting: count)
        return
      } catch ImmutaError.unexpectedCount {}
    }
  }

  func balance(of account: String) async throws -> Int? {
    try await balances.catchUp()
    return balances.withState { balances, _ in balances[account] }
  }
}

@main struct EventSourcing {
  static func main() async throws {
    try await run { bank in
      for account in ["ada", "bob"] { try await bank.perform(.open(account: account)) }
      let before = bank.balances.withState { balances, _ in balances.values.reduce(0, +) }
      try await bank.perform(.deposit(cents: 1000, to: "ada"))
      // A hundred transfers at once: each sees what those before it did, and nobody spends what is not there.
      await withTaskGroup { group in
        for _ in 0..<100 {
          group.addTask { try? await bank.perform(.transfer(cents: 30, from: "ada", to: "bob")) }
        }
      }
      let (ada, bob) = (try await bank.balance(of: "ada") ?? 0, try await bank.balance(of: "bob") ?? 0)
      precondition((0..<30).contains(ada) && ada + bob == before + 1000)
    }
    try await run { bank in
      // All of it comes from the snapshot: no event was read yet.
      precondition(bank.balances.position == bank.events.count)
      print(
        "event sourcing: after \(bank.events.count) events, ada has \(try await bank.balance(of: "ada") ?? 0) cents")
      do {
        try await bank.perform(.transfer(cents: 30, from: "ada", to: "bob"))
      } catch Command.Refusal.notEnough(let balance) {
        print("event sourcing: 30 more are refused, as she has \(balance)")
      }
    }
  }

  /// Opens the bank, and saves the balances in the end. An event that was acknowledged survives a power cut.
  static func run(_ body: @Sendable (Bank) async throws -> Void) async throws {
    let storage = try Storage(
      directory: "./bank", namespaces: ["accounts"], configuration: Storage.Configuration(durability: .synced))
    defer { storage.close() }
    let bank = try Bank(storage)
    try await body(bank)
    try await bank.balances.save()
  }
}
