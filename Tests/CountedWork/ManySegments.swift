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
    for _ in 0..<Self.rounds {
      for (number, place) in places.enumerated() {
        streams[number].append(try await stream(place.name))
        opens[number].append(try open(place.name))
      }
    }
    for (number, place) in places.enumerated() {
      print(
        "\(place.name): a record in \(text(median(streams[number]) * 1e9 / Double(Self.records))) ns, "
          + "opened and closed in \(text(median(opens[number]) * 1e3)) ms, "
          + "\(try memory(of: place.name)) KiB of memory while open")
    }
    print("ratio of reading: \(text(median(streams[1]) / median(streams[0])))")
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
