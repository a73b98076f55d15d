import Immuta

/// Commits, takes back, ends by hand, and commits a record that never is in memory whole.
@main
struct Transactions {
  struct OutOfStock: Error {}

  static func main() async throws {
    let storage = try Storage(directory: "./log-data", namespaces: ["orders"])
    defer { storage.close() }
    let orders = try storage.log("orders")

    // Committed together when the closure returns. What it returns is what `transaction` returns.
    let last = try await orders.transaction { transaction in
      try await transaction.append("order 1: 3 apples")
      return try await transaction.append("order 1: paid")
    }
    print("committed through record \(last.sequence)")

    // Gone when it throws: nobody ever sees "order 2".
    do {
      try await orders.transaction { transaction in
        try await transaction.append("order 2: 900 apples")
        throw OutOfStock()
      }
    } catch is OutOfStock {
      print("taken back, still \(orders.count) records")
    }

    // What is at hand, all or nothing, without a closure.
    let receipts = try await orders.append(contentsOf: ["order 3: 1 apple", "order 3: paid"])
    print("committed records", receipts.sequences)

    // Only if nobody else has appended since the records were counted.
    let count = orders.count
    do {
      try await orders.append("order 3: cancelled", expecting: count)
    } catch ImmutaError.unexpectedCount {
      print("somebody else was faster")
    }

    // Begun in one place, ended in another.
    let transaction = try await orders.beginTransaction()
    try await transaction.append("order 4: 1 apple")
    try await transaction.commit()

    // A payload in pieces, in bounded memory: any asynchronous sequence of byte collections.
    let lines = AsyncStream<String.UTF8View> { continuation in
      for number in 1...1000 { continuation.yield("line \(number) of a long report\n".utf8) }
      continuation.finish()
    }
    let report = try await orders.append(lines)
    print("a report of \(report.size) bytes is record \(report.sequence)")

    for record in try orders.records(in: last.sequence - 1..<orders.count) {
      print(record.sequence, record.size, record.text.prefix(20))
    }
  }
}
