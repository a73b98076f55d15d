import Immuta

/// A kind of work, which Immuta and the floor do in turn: a row of the table.
struct BenchWork {
  /// What is counted, and timed.
  enum Unit: String {
    /// One record appended or read.
    case record
    /// A log opened and closed.
    case opening
    /// A record's way from before its commit to the last waiter.
    case delivery
  }

  /// Does the work so many times, on new files in a directory; nanoseconds per unit.
  typealias Measurement = (_ directory: String, _ count: Int) async throws -> Double

  let name: String
  var unit = Unit.record
  /// Payload bytes of a record.
  let size: Int
  /// How many times it is done at least and at most; always a multiple of the least.
  let counts: ClosedRange<Int>
  /// The log that is read.
  var fixture: BenchFixture?
  /// What the floor does, in a few words.
  let floorName: String
  let ours: Measurement
  /// Nil where this machine does not let it: for want of threads.
  let floor: (_ directory: String, _ count: Int) async throws -> Double?
}

extension BenchWork {
  private static let perCommit = 64
  private static let tasks = 16
  private static let fixtureBytes = 128 << 20

  /// All of them, in the order of the table; works that share a fixture stand together.
  static func all(in directory: String) -> [BenchWork] {
    let small = BenchFixture("\(directory)/fixture-small", size: 100, most: 500_000)
    let large = BenchFixture("\(directory)/fixture-large", size: 1024, most: fixtureBytes / 1024)
    return [
      append(100, 1024...1_000_000), append(1024, 256...200_000), append(4096, 64...50_000), append(65_536, 16...3_000),
      transactions, synced, syncedTogether,
      stream(small), stream(large), random(large), opening(large),
      waiting(1), waiting(100), waiting(1_000), following,
    ]
  }

  private static func append(_ size: Int, _ counts: ClosedRange<Int>) -> BenchWork {
    let payloads = BenchPayloads(size: size)
    return BenchWork(
      name: "append, \(sizeName(size))", size: size, counts: counts, floorName: "pwrite",
      ours: { try BenchLog.append(payloads, $1, to: $0) }, floor: { try Floor.append(payloads, $1, to: $0) })
  }

  private static var transactions: BenchWork {
    let payloads = BenchPayloads(size: 100)
    return BenchWork(
      name: "append, \(perCommit) × 100 B a transaction", size: 100, counts: 16 * perCommit...1_500_000,
      floorName: "pwrite of \(perCommit) records",
      ours: { try BenchLog.append(payloads, $1, perCommit: perCommit, to: $0) },
      floor: { try Floor.append(payloads, $1, perCommit: perCommit, to: $0) })
  }

  private static var synced: BenchWork {
    let payloads = BenchPayloads(size: 1024)
    return BenchWork(
      name: "append, synced, 1 KiB", size: 1024, counts: 8...50_000, floorName: "pwrite, fdatasync",
      ours: { try BenchLog.append(payloads, $1, durability: .synced, to: $0) },
      floor: { try Floor.append(payloads, $1, flushes: true, to: $0) })
  }

  private static var syncedTogether: BenchWork {
    let payloads = BenchPayloads(size: 1024)
    return BenchWork(
      name: "append, synced, 1 KiB, \(tasks) tasks", size: 1024, counts: 2 * tasks...100_000,
      floorName: "pwrite, fdatasync",
      ours: { try await BenchLog.appendTogether(payloads, $1, tasks: tasks, to: $0) },
      floor: { try Floor.append(payloads, $1, flushes: true, to: $0) })
  }

  private static func stream(_ fixture: BenchFixture) -> BenchWork {
    let size = fixture.contents.payloads.size
    return BenchWork(
      name: "stream, verified, \(sizeName(size))", size: size, counts: 1024...1_000_000, fixture: fixture,
      floorName: "pread of 1 MiB, sum",
      ours: { try await BenchLog.stream($1, of: fixture.contents) },
      floor: { try Floor.stream($1, of: fixture.contents) })
  }

  private static func random(_ fixture: BenchFixture) -> BenchWork {
    let size = fixture.contents.payloads.size
    return BenchWork(
      name: "record at a random number, \(sizeName(size))", size: size, counts: 256...100_000, fixture: fixture,
      floorName: "pread, sum",
      ours: { try await BenchLog.read(fixture.contents.randomNumbers($1), of: fixture.contents) },
      floor: { try Floor.read(fixture.contents.randomNumbers($1), of: fixture.contents) })
  }

  private static func opening(_ fixture: BenchFixture) -> BenchWork {
    BenchWork(
      name: "open and close a log", unit: .opening, size: fixture.contents.payloads.size, counts: 4...1_000,
      fixture: fixture,
      floorName: "open, pread, close",
      ours: { try BenchLog.open($1, of: fixture.contents) }, floor: { try Floor.open($1, of: fixture.contents) })
  }

  private static func waiting(_ streams: Int) -> BenchWork {
    let payloads = BenchPayloads(size: 100)
    let audience = streams == 1 ? "1 waiting stream has" : "\(Quantities.grouped(streams)) waiting streams have"
    return BenchWork(
      name: "commit, until \(audience) it", unit: .delivery,
      size: 100, counts: 8...200, floorName: "pwrite, wake threads, pread",
      ours: { try await WaitingStreams.measure(payloads, streams: streams, records: $1, in: $0) },
      floor: { try WaitingThreads.measure(payloads, threads: streams, records: $1, in: $0) })
  }

  private static var following: BenchWork {
    let payloads = BenchPayloads(size: 100)
    return BenchWork(
      name: "commit, until 1 follower has it", unit: .delivery, size: 100, counts: 8...200,
      floorName: "pwrite, wake threads, pread",
      ours: { try await WaitingStreams.measure(payloads, streams: 1, records: $1, isFollowing: true, in: $0) },
      floor: { try WaitingThreads.measure(payloads, threads: 1, records: $1, in: $0) })
  }

  /// A size as it stands in names: `100 B`, `4 KiB`.
  private static func sizeName(_ bytes: Int) -> String { bytes % 1024 == 0 ? "\(bytes / 1024) KiB" : "\(bytes) B" }
}
