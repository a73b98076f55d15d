// Records one at a time, in a program without @main, and in an actor that keeps its place.
import Immuta

actor Worker {
  let orders: RecordReader

  init(_ orders: RecordReader) { self.orders = orders }

  /// Takes one record, or gives up after a second. The next call takes the record after it.
  func takeOne() async throws -> String? {
    try await orders.next(timeout: .seconds(1))?.text
  }
}

let storage = try Storage(directory: "./log-data", namespaces: ["orders"])
defer { storage.close() }
for number in 1...4 { try storage.append("order \(number)", to: "orders") }

// A reader keeps its place: after `break`, the next loop goes on where this one stopped.
let reader = storage.reader("orders", from: .last(4))
while let record = try await reader.next() {
  print(record.sequence, record.text)
  if record.text == "order 2" { break }
}

let worker = Worker(reader)
while let order = try await worker.takeOne() { print("worked on \(order)") }

// What is there and no more. Unlike a stream it ends, and unlike a sequence it can throw.
for try await record in storage.history("orders", from: .last(2)) { print(record.text) }
