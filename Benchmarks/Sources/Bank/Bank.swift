/// A bank whose accounts are what has happened to them: the program of the documentation's article, once on Immuta and once on
/// SQLite.
protocol Bank {
  /// Opens what is in a directory; makes it if nothing is.
  init(_ directory: String, isSynced: Bool) throws

  /// Does what somebody asks for, or refuses it.
  func perform(_ command: Command) async throws
  func balance(of account: String) async throws -> Int?
  /// All that ever happened to an account, in order.
  func history(of account: String) async throws -> [Int]
  func close() async throws
}

/// What happens to an account: so many cents come, or go.
struct Event {
  let account: String
  let cents: Int
}

/// What people ask for. It is decided by the balances, and comes to events that are stored together, or is refused.
enum Command {
  case deposit(cents: Int, to: String)
  case transfer(cents: Int, from: String, to: String)

  struct Refusal: Error { let balance: Int }

  /// Whose balances it is decided by.
  var account: String {
    switch self {
    case .deposit(_, let account), .transfer(_, let account, _): account
    }
  }

  func decide(balance: Int) throws -> [Event] {
    switch self {
    case .deposit(let cents, let account): return [Event(account: account, cents: cents)]
    case .transfer(let cents, let source, let target):
      guard balance >= cents else { throw Refusal(balance: balance) }
      return [Event(account: source, cents: -cents), Event(account: target, cents: cents)]
    }
  }
}
