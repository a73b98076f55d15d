import Floors
import Foundation
import GRDB

/// The same work with SQLite through GRDB: WAL mode, prepared statements, and no call of GRDB's but what it needs.
struct SQLiteLog {
  enum Synchronous: String {
    case off = "OFF"
    case full = "FULL"
  }

  let queue: DatabaseQueue

  /// Opens the database, which must be there.
  init(_ directory: String, _ synchronous: Synchronous = .off) throws {
    var configuration = Configuration()
    configuration.journalMode = .wal
    queue = try DatabaseQueue(path: "\(directory)/events.sqlite", configuration: configuration)
    // After opening: going over to WAL, GRDB sets another value.
    try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = \(synchronous.rawValue)") }
  }

  init(creatingIn directory: String, _ synchronous: Synchronous) throws {
    try self.init(directory, synchronous)
    try queue.write {
      try $0.execute(sql: "CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, payload BLOB NOT NULL)")
    }
  }

  /// How many records there are; their numbers have no gaps.
  func count() throws -> Int {
    try queue.read { try Int.fetchOne($0, sql: "SELECT max(id) FROM records") ?? 0 }
  }

  /// Commits as many records at a time as said.
  func append(_ payloads: Payloads, _ records: Int, perCommit: Int = 1) throws {
    let datas = payloads.datas
    try queue.writeWithoutTransaction { database in
      let insert = try database.cachedStatement(sql: "INSERT INTO records (payload) VALUES (?)")
      for first in stride(from: 0, to: records, by: perCommit) {
        try database.inTransaction {
          for number in first..<min(first + perCommit, records) {
            insert.setUncheckedArguments([datas[number & (Payloads.variants - 1)]])
            try insert.execute()
          }
          return .commit
        }
      }
    }
  }

  /// The time of each commit of one record.
  func latencies(_ payloads: Payloads, _ records: Int) throws -> [Double] {
    let datas = payloads.datas
    return try queue.writeWithoutTransaction { database in
      let insert = try database.cachedStatement(sql: "INSERT INTO records (payload) VALUES (?)")
      return try LatencyWork.eachOf(records) { number in
        try database.inTransaction {
          insert.setUncheckedArguments([datas[number & (Payloads.variants - 1)]])
          try insert.execute()
          return .commit
        }
      }
    }
  }

  /// One record, as one of many tasks does it.
  func append(_ data: Data) async throws {
    try await queue.write { database in
      let insert = try database.cachedStatement(sql: "INSERT INTO records (payload) VALUES (?)")
      insert.setUncheckedArguments([data])
      try insert.execute()
    }
  }

  /// Reads all records in order and sums every byte.
  func readAll() throws -> UInt64 {
    try queue.read { database in
      var sum: UInt64 = 0
      let select = try database.cachedStatement(sql: "SELECT payload FROM records ORDER BY id")
      let rows = try Row.fetchCursor(select)
      while let row = try rows.next() { try sum &+= Self.sum(row) }
      return sum
    }
  }

  /// Reads the records with these numbers and sums every byte.
  func read(_ numbers: [Int]) throws -> UInt64 {
    try queue.read { database in
      var sum: UInt64 = 0
      let select = try database.cachedStatement(sql: "SELECT payload FROM records WHERE id = ?")
      for number in numbers {
        select.setUncheckedArguments([number + 1])
        // The row's bytes are there for as long as its cursor.
        let rows = try Row.fetchCursor(select)
        guard let row = try rows.next() else { throw BenchError("record \(number) is missing") }
        try withExtendedLifetime(rows) { try sum &+= Self.sum(row) }
      }
      return sum
    }
  }

  func close() throws { try queue.close() }

  private static func sum(_ row: Row) throws -> UInt64 {
    try row.withUnsafeData(atIndex: 0) { data in
      data?.withUnsafeBytes { floor_sum($0.baseAddress, $0.count) } ?? 0
    }
  }
}
