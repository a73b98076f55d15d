import Immuta

@main
struct Mail {
  struct NoAddress: Error {}

  static func main() async throws {
    let storage = try Storage(
      directory: "./mail", namespaces: ["letters", "dead-letters"])
    defer { storage.close() }
    let letters = try storage.log("letters")
    let dead = try storage.log("dead-letters")

    for address in CommandLine.arguments.dropFirst() {
      try await letters.append(address)
    }

    let jobs = try letters.workQueue(
      "send",
      .init(lease: .seconds(30), maximumDeliveries: 3, deadLetters: dead))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 1...2 {
        group.addTask { try await work(worker, jobs) }
      }
      try await group.waitForAll()
    }

    for try await record in dead.history() {
      guard let letter = DeadLetter(record) else { continue }
      print("given up: letter \(letter.sequence), \(letter.reason)")
    }
  }

  static func work(_ worker: Int, _ jobs: WorkQueue) async throws {
    while let job = try await jobs.next(timeout: .seconds(1)) {
      let address = job.record.text
      do {
        try await send(to: address)
        try await job.acknowledge()
        print("worker \(worker) sent a letter to \(address)")
      } catch is NoAddress {
        try await job.retry(
          after: .milliseconds(100), because: "\(address) has no @")
      }
    }
  }

  static func send(to address: String) async throws {
    guard address.contains("@") else { throw NoAddress() }
    try await Task.sleep(for: .milliseconds(500))  // the slow part
  }
}
