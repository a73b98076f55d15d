import Immuta
import ImmutaCodable

enum StockEvent: Codable, Sendable {
  case arrived(item: String, count: Int)
  case sold(item: String, count: Int)
}

struct Stock {
  struct SoldOut: Error {}

  let events: TypedLog<StockEvent>
  let counts: Projection<[String: Int]>

  init(_ storage: Storage) throws {
    events = try storage.log("stock", of: StockEvent.self)
    counts = try events.projection(named: "counts", initial: [:]) {
      counts, event in
      switch event.value {
      case .arrived(let item, let count): counts[item, default: 0] += count
      case .sold(let item, let count): counts[item, default: 0] -= count
      }
    }
  }

  func arrive(_ count: Int, of item: String) async throws {
    try await events.append(.arrived(item: item, count: count))
  }

  func sell(_ count: Int, of item: String) async throws {
    while true {
      try await counts.catchUp()
      let (left, seen) = counts.withState { counts, seen in
        (counts[item] ?? 0, seen)
      }
      guard left >= count else { throw SoldOut() }
      do {
        try await events.append(
          .sold(item: item, count: count), expecting: seen)
        return
      } catch ImmutaError.unexpectedCount {
        // Somebody was faster: look again, and decide again.
      }
    }
  }
}

@main
struct Shop {
  static func main() async throws {
    let storage = try Storage(directory: "./shop", namespaces: ["stock"])
    defer { storage.close() }
    let stock = try Stock(storage)
    try await stock.arrive(5, of: "apple")

    let sold = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<10 {
        group.addTask {
          (try? await stock.sell(1, of: "apple")) != nil
        }
      }
      var sold = 0
      for await isSold in group where isSold { sold += 1 }
      return sold
    }

    try await stock.counts.catchUp()
    let left = stock.counts.withState { counts, _ in counts["apple"] ?? 0 }
    print("\(sold) of 10 got an apple, \(left) are left")
    print("the log has \(stock.events.count) events")
  }
}
