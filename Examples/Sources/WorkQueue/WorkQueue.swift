import Immuta

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A work queue: producers that append jobs, workers that share them, one that dies, and jobs that nobody can do.
///
/// `work-queue` runs it. It runs itself once more, as `work-queue die`, for the process that dies in the middle of its work.
@main struct Resizing {
  static let images = 40
  static let workers = 4

  static func main() async throws {
    if CommandLine.arguments.last == "die" { return try await die() }
    let storage = try open()
    let orders = try storage.log("images")
    // A later run goes on with the images of the ones before it.
    for number in orders.count..<orders.count + images {
      try await orders.append(number % 10 == 3 ? "broken-\(number)" : "image-\(number)")
    }
    storage.close()

    // A process takes jobs and dies: it has acknowledged only some of them.
    try runAgain("die")

    // The next one goes on: whatever the first one had in work is given again.
    let again = try open()
    defer { again.close() }
    let (images, thumbnails, dead) = (
      try again.log("images"), try again.log("thumbnails"), try again.log("dead-letters")
    )
    let jobs = try images.workQueue(
      "resize", .init(lease: .seconds(30), maximumDeliveries: 3, deadLetters: dead))
    print("all jobs before \(jobs.position) are done, and some after it")
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<workers { group.addTask { try await work(jobs, thumbnails) } }
      try await group.waitForAll()
    }
    precondition(jobs.position == images.count, "each job is done, or is a dead letter")

    // At least once: a thumbnail may be there twice, and none is missing.
    var made: Set<String> = []
    for try await thumbnail in thumbnails.history() { made.insert(thumbnail.text) }
    var broken = 0
    for try await record in dead.history() {
      guard let letter = DeadLetter(record) else { continue }
      print("job \(letter.sequence), given \(letter.deliveries) times: \(letter.reason)")
      broken += 1
    }
    precondition(made.count + broken == images.count && broken == images.count / 10)
    print("work queue: \(made.count) images were resized, \(broken) are dead letters")
  }

  static func open() throws -> Storage {
    try Storage(directory: "work-queue", namespaces: ["images", "thumbnails", "dead-letters"])
  }

  struct Broken: Error {}

  /// What a worker does until there are no jobs, also none that come back.
  static func work(_ jobs: WorkQueue, _ thumbnails: Log) async throws {
    while let job = try await jobs.next(timeout: .milliseconds(200)) {
      do {
        try await thumbnails.append(try resize(job.record.text))
        try await job.acknowledge()
      } catch is Broken {
        try await job.retry(after: .milliseconds(10), because: "\(job.record.text) is no image")
      }
    }
  }

  static func resize(_ image: String) throws -> String {
    if image.hasPrefix("broken") { throw Broken() }
    return "thumbnail of \(image)"
  }

  /// Works on some jobs, and dies while it has five of them.
  static func die() async throws {
    let storage = try open()
    let (images, thumbnails) = (try storage.log("images"), try storage.log("thumbnails"))
    let jobs = try images.workQueue("resize")
    var taken: [WorkQueue.Job] = []
    for _ in 0..<10 { if let job = try await jobs.next() { taken.append(job) } }
    for job in taken where job.record.sequence % 2 == 0 {
      try await thumbnails.append(try resize(job.record.text))
      try await job.acknowledge()
    }
    kill(getpid(), SIGKILL)
  }

  /// Runs this program with an argument, and waits for its end.
  static func runAgain(_ argument: String) throws {
    var arguments = [strdup(CommandLine.arguments[0]), strdup(argument), nil]
    defer { for argument in arguments { free(argument) } }
    var child = pid_t()
    precondition(posix_spawn(&child, CommandLine.arguments[0], nil, nil, &arguments, nil) == 0, "it starts")
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 {}
  }
}
