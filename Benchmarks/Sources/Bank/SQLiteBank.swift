import GRDB

struct SQLiteBank: Bank {
  private let database: DatabaseQueue

  init(_ directory: String, isSynced: Bool) throws {
    var configuration = Configuration()
    configuration.journalMode = .wal
    database = try DatabaseQueue(path: "\(directory)/bank.sqlite", configuration: configuration)
    // After opening: going over to WAL, GRDB sets another value.
    try database.writeWithoutTransaction { database in
      try database.execute(sql: "PRAGMA synchronous = \(isSynced ? "FULL" : "NORMAL")")
    }
    guard try !database.read({ try $0.tableExists("events") }) else { return }
    try database.write { database in
      try database.execute(
        sql: """
          CREATE TABLE events (id INTEGER PRIMARY KEY, account TEXT NOT NULL, cents INTEGER NOT NULL);
          CREATE INDEX events_by_account ON events (account);
          CREATE TABLE balances (account TEXT PRIMARY KEY, cents INTEGER NOT NULL) WITHOUT ROWID;
          """)
    }
  }

  func perform(_ command: Command) throws {
    try database.write { database in
      let balance = try Self.balance(of: command.account, database) ?? 0
      let insert = try database.cachedStatement(sql: "INSERT INTO events (account, cents) VALUES (?, ?)")
      let add = try database.cachedStatement(
        sql: """
          INSERT INTO balances (account, cents) VALUES (?, ?)
          ON CONFLICT (account) DO UPDATE SET cents = cents + excluded.cents
          """)
      for event in try command.decide(balance: balance) {
        try insert.execute(arguments: [event.account, event.cents])
        try add.execute(arguments: [event.account, event.cents])
      }
    }
  }

  func balance(of account: String) throws -> Int? {
    try database.read { database in try Self.balance(of: account, database) }
  }

  func history(of account: String) throws -> [Int] {
    try database.read { database in
      let select = try database.cachedStatement(sql: "SELECT cents FROM events WHERE account = ? ORDER BY id")
      return try Int.fetchAll(select, arguments: [account])
    }
  }

  func close() throws { try database.close() }

  private static func balance(of account: String, _ database: Database) throws -> Int? {
    let select = try database.cachedStatement(sql: "SELECT cents FROM balances WHERE account = ?")
    return try Int.fetchOne(select, arguments: [account])
  }
}
