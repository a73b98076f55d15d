import Immuta

/// How many records, and how many bytes, came in each part of a span of time: an answer.
struct Rates: Encodable {
  struct Part: Encodable {
    /// When it begins: milliseconds since the beginning of 1970.
    let start: Int
    let records: Int
    /// Nil where the bytes are not known.
    let bytes: Int?
  }

  /// How long each part is.
  let milliseconds: Int
  let parts: [Part]

  /// Of the whole log, or of a span of time. O(parts × log records) small reads.
  init(_ log: Log, from start: Timestamp?, until end: Timestamp?, parts count: Int) throws {
    let details = try log.details
    guard let first = start ?? details.firstTimestamp, let last = end ?? details.lastTimestamp else {
      (milliseconds, parts) = (0, [])
      return
    }
    // To whole milliseconds, and past the last record.
    let begin = Int(first.nanosecondsSince1970.flooredToMilliseconds)
    let span = max(0, Int(last.nanosecondsSince1970.flooredToMilliseconds) - begin) + 1
    let length = max(1, (span + count - 1) / count)
    let places = try Places(log)
    var from = try log.sequence(at: Timestamp(milliseconds: begin))
    var parts: [Part] = []
    for part in 0..<count where part * length < span {
      let start = begin + part * length
      let until = try max(from, log.sequence(at: Timestamp(milliseconds: start + length)))
      parts.append(Part(start: start, records: until - from, bytes: places?.bytes(of: from..<until)))
      from = until
    }
    (milliseconds, self.parts) = (length, parts)
  }

  /// Where records are, over all segments.
  private struct Places {
    private let log: Log
    /// Each segment's first record, and how many bytes there are before it.
    private var segments: [(first: Int, before: Int)] = []
    private var end = (number: 0, bytes: 0)

    /// Nil where there are too many segments to look at.
    init?(_ log: Log) throws {
      self.log = log
      guard try log.details.segmentCount <= LogReport.mostSegments else { return nil }
      var bytes = 0
      for segment in try log.segments() {
        segments.append((segment.records.lowerBound, bytes))
        bytes += segment.byteCount
        end = (segment.records.upperBound, bytes)
      }
    }

    func bytes(of numbers: Range<Int>) -> Int? {
      if numbers.isEmpty { return 0 }
      guard let start = offset(of: numbers.lowerBound), let end = offset(of: numbers.upperBound) else { return nil }
      return max(0, end - start)
    }

    /// Nil for a record that cannot be read.
    private func offset(of number: Int) -> Int? {
      if number >= end.number { return end.bytes }
      guard let segment = segments.last(where: { $0.first <= number }) else { return 0 }
      return (try? log.record(at: number)).map { segment.before + $0.index }
    }
  }
}

/// How large the newest records are: an answer.
struct Sizes: Encodable {
  struct Part: Encodable {
    /// The largest size in it: 0, or one less than a power of two.
    let atMost: Int
    let records: Int
  }

  /// Records that were looked at, the newest ones.
  let records: Int
  let smallest: Int?
  let largest: Int?
  let median: Int?
  /// From the smallest to the largest, without gaps.
  let parts: [Part]

  static let mostRecords = 10_000

  /// O(bytes of the records), and half a second at most.
  init(_ log: Log, time: Duration = .milliseconds(500)) throws {
    let sizes = try Self.newest(of: log, time: time).sorted()
    (records, smallest, largest) = (sizes.count, sizes.first, sizes.last)
    median = sizes.isEmpty ? nil : sizes[sizes.count / 2]
    let widths = sizes.map { Int.bitWidth - $0.leadingZeroBitCount }
    let counts = Dictionary(widths.map { ($0, 1) }, uniquingKeysWith: +)
    parts =
      widths.isEmpty
      ? []
      : (widths[0]...widths[widths.count - 1]).map { width in
        Part(atMost: (1 << min(width, Int.bitWidth - 2)) - 1, records: counts[width] ?? 0)
      }
  }

  /// Damaged records are left out.
  private static func newest(of log: Log, time: Duration) throws -> [Int] {
    let numbers = log.numbers
    let begin = ContinuousClock.now
    var sizes: [Int] = []
    var place = max(numbers.lowerBound, numbers.upperBound - mostRecords)
    var history = log.history(from: .skipping(place))
    while place < numbers.upperBound, ContinuousClock.now - begin < time {
      do {
        guard let record = try history.next() else { break }
        place = record.sequence + 1
        sizes.append(record.size)
      } catch {
        guard case ImmutaError.corrupted = error else { throw error }
        place = max(place, history.position) + 1
        history = log.history(from: .skipping(place))
      }
    }
    return sizes
  }
}

extension Timestamp {
  /// The moment so many milliseconds after the beginning of 1970; the latest one that there is, where that is too much.
  init(milliseconds: Int) {
    let (nanoseconds, overflows) = Int64(milliseconds).multipliedReportingOverflow(by: 1_000_000)
    self.init(nanosecondsSince1970: overflows ? (milliseconds < 0 ? .min : .max) : nanoseconds)
  }
}

extension Int64 {
  /// Nanoseconds as whole milliseconds, rounded down.
  fileprivate var flooredToMilliseconds: Int64 {
    let (quotient, rest) = quotientAndRemainder(dividingBy: 1_000_000)
    return rest < 0 ? quotient - 1 : quotient
  }
}
