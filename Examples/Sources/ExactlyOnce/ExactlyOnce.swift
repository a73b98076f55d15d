import Foundation
import Immuta

/// Orders become invoices, each once, whatever becomes of the process: run it again and again, and end it as you like.
///
/// ```
/// exactly-once          takes orders, and writes invoices
/// exactly-once die      the same, and dies in the middle of a step
/// ```
@main struct ExactlyOnce {
  static func main() async throws {
    let dies = CommandLine.arguments.dropFirst().first == "die"
    let storage = try Storage(
      directory: "./log-data", namespaces: ["shop-orders", "shop-invoices", "shop-outbox"],
      configuration: .init(durability: .synced))
    defer { storage.close() }
    let orders = try storage.log("shop-orders")
    let invoices = try storage.log("shop-invoices")

    // An order, and the mail that confirms it: both or neither.
    for _ in 0..<100 {
      let number = orders.count
      try await storage.transaction(in: ["shop-orders", "shop-outbox"]) { step in
        try await step.append("order \(number)", to: "shop-orders")
        try await step.append("confirm order \(number)", to: "shop-outbox")
      }
    }

    // Each order becomes an invoice. The position and the invoices are committed in one step.
    let billing = try orders.consumer("billing")
    var written = 0
    while billing.lag > 0 {
      _ = try await billing.processNext(into: invoices, atMost: 10) { order, transaction in
        try await transaction.append("invoice for \(order.text)")
        written += 1
        // What is staged so far is nobody's: the next run writes these invoices.
        if dies, written == 55 { exit(0) }
      }
    }

    for number in 0..<orders.count {
      let invoice = try await invoices.record(at: number).text
      guard invoice == "invoice for order \(number)" else { fatalError("order \(number) has the \(invoice)") }
    }
    guard invoices.count == orders.count, try storage.log("shop-outbox").count == orders.count else {
      fatalError("\(orders.count) orders, and \(invoices.count) invoices")
    }
    print("\(orders.count) orders, and an invoice for each")
  }
}
