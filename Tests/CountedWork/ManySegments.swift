import Foundation
import Immuta
import ImmutaLibC

/// What segments cost beside one file, in one run: reading in order, opening, and appending while the log rolls.
///
/// ```
/// CountedWork segments DIRECTORY COUNT         streams ten million records of 100 B over COUNT segments and of one file in
///                                              turn, and opens both logs
/// CountedWork rolling DIRECTORY SECONDS        appends records of 100 B for so long to a log that rolls each second and to
///                                              one that does not, in turn, five times
/// CountedWork empty-segments DIRECTORY COUNT   opens a log of COUNT segments of one record each, five times
/// CountedWork retention DIRECTORY MEGABYTES    appends records of 1 KiB until so much was appended, to a log that keeps 256 MB
///                                              in segments of 32 MB, and prints a table of what the files take on the disk
/// ```
struct ManySegments {
  let directory: String
  let count: Int

  private static let records = 10_000_000
  private static let rounds = 5
  private static let payload = (0..<100).map { UInt8($0) &* 37 }

  // MARK: Reading and opening

  func run() async throws {
    let places = [(name: "one file", segments: 1), (name: "\(count) segments", segments: count)]
    for place in places { try fill(place.name, place.segments) }
    var (streams, opens): ([[Double]], [[Double]]) = ([[], []], [[], []])
    var processor: [[Double]] = [[], []]
    for _ in 0..<Self.rounds {
      for (number, place) in places.enumerated() {
        let before = Self.processorTime
        streams[number].append(try await stream(place.name))
        processor[number].append(Self.processorTime - before)
        opens[number].append(try open(place.name))
      }
    }
    for (number, place) in places.enumerated() {
      print(
        "\(place.name): a record in \(text(median(streams[number]) * 1e9 / Double(Self.records))) ns, "
          + "opened and closed in \(text(median(opens[number]) * 1e3)) ms, "
          + "\(try memory(of: place.name)) KiB of memory while open")
    }
    // Each round by itself: what else the machine does is the same for both then.
    let ratios = [streams, processor].map { kind in median(zip(kind[0], kind[1]).map { $1 / $0 }) }
    print("ratio of reading: \(text(ratios[0])), of the processor's time: \(text(ratios[1]))")
  }

  /// Opens a log of many small segments, which stay where they are for who wants to try commands on them.
  func runEmpty() throws {
    if !FileManager.default.fileExists(atPath: directory + "/events.segments") {
      let storage = try Storage(directory: directory, namespaces: ["events"])
      defer { storage.close() }
      let log = try storage.log("events")
      for number in 0..<count {
        try log.append(Self.payload)
        if number + 1 < count { try log.roll() }
      }
    }
    var (times, memories): ([Double], [Int]) = ([], [])
    for _ in 0..<Self.rounds {
      let before = Self.residentMemory
      let start = ContinuousClock.now
      let storage = try Storage(directory: directory, namespaces: ["events"])
      times.append((ContinuousClock.now - start) / .seconds(1))
      memories.append(max(0, Self.residentMemory - before))
      let found = try storage.log("events").count
      precondition(found == count, "each segment has a record")
      storage.close()
    }
    print(
      "\(count) segments opened in \(text(median(times) * 1e3)) ms; memory while open: \(memories.max() ?? 0) KiB the first "
        + "time, \(memories.last ?? 0) KiB the last")
  }

  /// What a log takes on the disk that keeps a part of what is appended.
  func runRetention() throws {
    var configuration = Storage.Configuration()
    configuration.segments = SegmentLimits(maximumBytes: 32_000_000)
    configuration.retention = Retention(maximumBytes: 256_000_000)
    let storage = try Storage(directory: directory, namespaces: ["events"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("events")
    let payload = [UInt8](repeating: 37, count: 1_024)
    // As much as a disk takes, and not as fast as memory: who retains is not to lag behind for ever.
    let (perStep, start) = (4_000_000, ContinuousClock.now)
    print("appended MB,on disk MB,with all kept MB")
    for step in 1...max(1, count * 1_000_000 / perStep) {
      for _ in 0..<perStep / payload.count { try log.append(payload) }
      let pause = start + .milliseconds(20 * step) - ContinuousClock.now
      if pause > .zero { Thread.sleep(forTimeInterval: pause / .seconds(1)) }
      let size = try LogSurvey("events", in: directory).sizeOnDisk
      let appended = log.count * (payload.count + 8)
      // A companion's entry is 24 bytes.
      let all = log.count * (payload.count + 8 + 24)
      print("\(text(Double(appended) / 1e6)),\(text(Double(size) / 1e6)),\(text(Double(all) / 1e6))")
    }
  }

  /// Of all threads, in seconds.
  private static var processorTime: Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private func storage(_ name: String, _ configuration: Storage.Configuration = .init()) throws -> Storage {
    try Storage(directory: directory + "/" + name, namespaces: ["events"], configuration: configuration)
  }

  private func fill(_ name: String, _ segments: Int) throws {
    let storage = try storage(name)
    defer { storage.close() }
    let log = try storage.log("events")
    let each = Self.records / segments
    while log.count < Self.records {
      let end = min(Self.records, log.count + each)
      while log.count < end {
        let number = min(1000, end - log.count)
        try log.transaction { transaction in
          for _ in 0..<number { try transaction.append(Self.payload) }
        }
      }
      if end < Self.records { try log.roll() }
    }
  }

  private func stream(_ name: String) async throws -> Double {
    let storage = try storage(name)
    defer { storage.close() }
    let log = try storage.log("events")
    let start = ContinuousClock.now
    var left = Self.records
    for try await record in log.stream() {
      precondition(record.payload.count == Self.payload.count, "a record is as long as it was written")
      left -= 1
      if left == 0 { break }
    }
    return (ContinuousClock.now - start) / .seconds(1)
  }

  private func open(_ name: String) throws -> Double {
    let start = ContinuousClock.now
    try storage(name).close()
    return (ContinuousClock.now - start) / .seconds(1)
  }

  /// Anonymous pages that an open log has, once its opening needs none any more.
  private func memory(of name: String) throws -> Int {
    let before = Self.residentMemory
    let storage = try storage(name)
    defer { storage.close() }
    return max(0, Self.residentMemory - before)
  }

  private static var residentMemory: Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") } ?? ""
    return Int(line.split(whereSeparator: { !$0.isNumber }).first ?? "") ?? 0
  }

  // MARK: Appending

  /// How many appends took how many tenths of a microsecond.
  private struct Latencies {
    private var counts = [Int](repeating: 0, count: 1_000_000)
    private(set) var largest = 0
    private var total = 0

    mutating func add(_ nanoseconds: Int) {
      counts[min(nanoseconds / 100, counts.count - 1)] += 1
      largest = max(largest, nanoseconds)
      total += 1
    }

    /// Microseconds that this share of the appends takes no longer than.
    func time(at share: Double) -> Double {
      var left = Int(Double(total) * (1 - share))
      for place in counts.indices.reversed() {
        left -= counts[place]
        if left < 0 { return Double(place + 1) / 10 }
      }
      return 0
    }
  }

  func runRolling() throws {
    var rolling = Storage.Configuration()
    rolling.segments = SegmentLimits(maximumAge: .seconds(1))
    rolling.retention = Retention(maximumBytes: 256 << 20)
    let kinds = [("one file", Storage.Configuration()), ("rolls each second", rolling)]
    var (tails, largest): ([[Double]], [[Double]]) = ([[], []], [[], []])
    for round in 0..<Self.rounds {
      for (number, (name, configuration)) in kinds.enumerated() {
        let latencies = try append("\(name) \(round)", configuration)
        tails[number].append(latencies.time(at: 0.9999))
        largest[number].append(Double(latencies.largest) / 1e3)
      }
    }
    for (number, (name, _)) in kinds.enumerated() {
      print(
        "\(name): 99.99 % of the appends take no longer than \(text(median(tails[number]))) µs, "
          + "the longest \(text(median(largest[number]))) µs (medians of \(Self.rounds) rounds)")
    }
  }

  private func append(_ name: String, _ configuration: Storage.Configuration) throws -> Latencies {
    let storage = try storage(name, configuration)
    defer {
      storage.close()
      try? FileManager.default.removeItem(atPath: directory + "/" + name)
    }
    let log = try storage.log("events")
    try log.append(Self.payload)
    var latencies = Latencies()
    let end = ContinuousClock.now + .seconds(count)
    var last = ContinuousClock.now
    while last < end {
      try log.append(Self.payload)
      let now = ContinuousClock.now
      let time = (now - last).components
      latencies.add(Int(time.seconds) * 1_000_000_000 + Int(time.attoseconds / 1_000_000_000))
      last = now
    }
    return latencies
  }

  private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

  private func text(_ value: Double) -> String { String(format: "%.2f", value) }
}
