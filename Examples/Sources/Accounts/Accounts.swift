import Immuta
import ImmutaCodable

/// What can happen to an account. All accounts are in one log, in the order in which things happened.
enum AccountEvent: Codable, Sendable {
  case opened(account: String)
  case moved(account: String, cents: Int)

  var account: String {
    switch self {
    case .opened(let account), .moved(let account, _): account
    }
  }
}

/// One account as its own events tell it: nothing of the others is read.
struct Account {
  var isOpen = false
  var balance = 0

  mutating func add(_ event: AccountEvent) {
    switch event {
    case .opened: isOpen = true
    case .moved(_, let cents): balance += cents
    }
  }
}

struct Bank {
  enum Refusal: Error { case notEnough(balance: Int), unknown }

  let accounts: TypedKeyedLog<AccountEvent, String>

  init(_ storage: Storage) throws {
    accounts = try storage.log("accounts", of: AccountEvent.self).keyed("account") { $0.account }
  }

  /// An account, and how many events it has. The count comes first: what is appended in between is then not overlooked.
  func account(_ name: String) async throws -> (account: Account, count: Int) {
    let count = try await accounts.count(of: name)
    var account = Account()
    for try await event in accounts.records(of: name) { account.add(event.value) }
    return (account, count)
  }

  func open(_ name: String) async throws {
    do {
      try await accounts.append(.opened(account: name), expecting: 0)
    } catch ImmutaError.unexpectedCount {}  // it is open
  }

  /// Decides by the account's events, and appends if the account has got no others meanwhile. Others' events do not matter.
  func move(_ cents: Int, _ name: String) async throws {
    while true {
      let (account, count) = try await account(name)
      guard account.isOpen else { throw Refusal.unknown }
      guard account.balance + cents >= 0 else { throw Refusal.notEnough(balance: account.balance) }
      do {
        try await accounts.append(.moved(account: name, cents: cents), expecting: count)
        return
      } catch ImmutaError.unexpectedCount {}  // somebody was faster: look again
    }
  }
}

@main struct Accounts {
  static func main() async throws {
    var configuration = Storage.Configuration()
    // A segment that is full gets a file of its keys: what is asked of one account reads that account's records.
    configuration.segments.maximumBytes = 16 << 10
    let storage = try Storage(directory: "./accounts", namespaces: ["accounts"], configuration: configuration)
    defer { storage.close() }
    let bank = try Bank(storage)
    for number in 0..<20 {
      try await bank.open("account-\(number)")
      try await bank.move(1000, "account-\(number)")
    }
    let (before, known) = try await bank.account("account-3")
    // Many at once, some on the same account: nobody spends what is not there.
    await withTaskGroup { group in
      for task in 0..<400 {
        group.addTask { try? await bank.move(-30, "account-\(task % 5)") }
      }
    }
    let (account, count) = try await bank.account("account-3")
    precondition(account.balance == before.balance - 30 * (count - known) && account.balance < 30)
    do {
      try await bank.move(-30, "account-3")
    } catch Bank.Refusal.notEnough(let balance) {
      print(
        "accounts: account-3 has \(balance) cents after \(count) of \(bank.accounts.log.count) events; 30 are refused")
    }
  }
}
