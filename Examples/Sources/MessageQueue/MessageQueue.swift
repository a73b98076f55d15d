import Immuta
import ImmutaLogStore

/// A message queue: producers that append, and workers that take over from each other where the last one was.
@main struct MessageQueue {
  static let jobs = 400

  static func main() async throws {
    let queue = try LogStore(directory: "queue/", partitions: 4)
    defer { queue.close() }
    // How far the workers are is a log, too: the last record of it counts.
    let progress = try Storage(directory: "queue-progress", namespaces: ["workers"])
    defer { progress.close() }
    let done = try progress.log("workers")

    for number in 0..<jobs { try await queue.append("job \(number)", key: "customer-\(number % 20)") }

    // The first workers stop half-way, as if their process had died; the second take over where they were.
    let first = try await work(queue, done, most: jobs / 2)
    let second = try await work(queue, done, most: jobs)
    precondition(first == jobs / 2 && first + second == jobs)
    print("message queue: \(first) jobs were done, then \(second), each once")
  }

  /// Does jobs, from where the last worker was, until there are none or enough were done; returns how many.
  static func work(_ queue: LogStore, _ done: Log, most: Int) async throws -> Int {
    var stream = queue.stream(from: try await positions(done, queue.partitionCount))
    var count = 0
    while count < most, let message = try await stream.next(timeout: .zero) {
      // Here the job would be done. It is noted after that: a worker that dies in between does it once more.
      count += 1
      try await done.append("\(message.partition) \(message.sequence + 1)")
    }
    return count
  }

  /// By partition, how many of its jobs were done.
  static func positions(_ done: Log, _ partitions: Int) async throws -> [Int: StreamPosition] {
    var positions = Dictionary(uniqueKeysWithValues: (0..<partitions).map { ($0, StreamPosition.beginning) })
    var stream = done.stream()
    while let record = try await stream.next(timeout: .zero) {
      let numbers = record.text.split(separator: " ").compactMap { Int($0) }
      positions[numbers[0]] = .skipping(numbers[1])
    }
    return positions
  }
}
