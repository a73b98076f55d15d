import Immuta
import ImmutaLogStore

/// A message queue on partitions: producers append, and workers that share one name do each customer's jobs in their order.
/// Workers join and leave while the others go on.
@main struct MessageQueue {
  static let jobs = 400
  static let customers = 20

  static func main() async throws {
    let queue = try LogStore(directory: "queue/", partitions: 4)
    defer { queue.close() }
    let done = Done()

    // A producer for each half of the customers; jobs of one customer are in one partition, in order.
    async let first: Void = produce(0..<customers / 2, queue)
    async let second: Void = produce(customers / 2..<customers, queue)

    // The first worker gets all partitions. It dies half-way, with a job that it had begun.
    let worker = try queue.consumer("workers")
    precondition(worker.partitions == [0, 1, 2, 3])
    try await work(worker, until: jobs / 4, done)
    let begun = try await worker.next()
    worker.close()

    // Two others share the partitions; they could as well be in two processes. A third joins them for a while.
    let others = [try queue.consumer("workers"), try queue.consumer("workers")]
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in others {
        group.addTask { try await work(worker, until: jobs, done) }
      }
      group.addTask {
        let guest = try queue.consumer("workers")
        defer { guest.close() }
        try await work(guest, until: jobs / 2, done)
      }
      try await group.waitForAll()
    }
    _ = try await (first, second)

    // The job that was begun was done by another worker: it was not acknowledged.
    let isBegunJobDone = await done.has(begun)
    let lag = try queue.consumers[0].lag
    precondition(isBegunJobDone && lag == 0)
    print("message queue: \(await done.count) jobs of \(customers) customers were done, each customer's in order")
  }

  /// Appends the jobs of some customers.
  static func produce(_ customers: Range<Int>, _ queue: LogStore) async throws {
    for number in 0..<jobs / Self.customers {
      for customer in customers { try await queue.append("\(customer) \(number)", key: "customer-\(customer)") }
    }
  }

  /// Does jobs until so many are done, by whomever.
  static func work(_ worker: MessageConsumer, until count: Int, _ done: Done) async throws {
    while await done.count < count {
      guard let message = try await worker.next(timeout: .milliseconds(10)) else { continue }
      // Here the job would be done. A worker that dies before it acknowledges leaves it to another one.
      await done.add(message)
      try await worker.acknowledge(message)
    }
  }
}

/// What was done, and that it was done in order.
actor Done {
  private var next: [Int: Int] = [:]

  var count: Int { next.values.reduce(0, +) }

  func add(_ message: StoredMessage) {
    let (customer, number) = Self.job(message)
    precondition(number == next[customer, default: 0], "customer \(customer)'s jobs are done in order, each once")
    next[customer] = number + 1
  }

  func has(_ message: StoredMessage?) -> Bool {
    guard let message else { return false }
    let (customer, number) = Self.job(message)
    return number < next[customer, default: 0]
  }

  private static func job(_ message: StoredMessage) -> (customer: Int, number: Int) {
    let numbers = message.text.split(separator: " ").compactMap { Int($0) }
    return (numbers[0], numbers[1])
  }
}
