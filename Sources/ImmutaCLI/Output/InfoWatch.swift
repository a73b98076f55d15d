import Immuta

/// How fast logs grow: what `info --watch` adds to what is known of them, from one look to the next.
struct InfoWatch {
  /// What the last looks at a log found.
  private struct History {
    var last: (count: Int, bytes: Int, time: ContinuousClock.Instant)
    /// Records a second, of the last looks.
    var rates: [Double] = []
  }

  /// How many rates a spark line shows.
  private static let length = 20

  private var histories: [String: History] = [:]
  private let kind: LogKind
  private let sizes: ByteWords

  init(_ kind: LogKind, _ sizes: ByteWords) { (self.kind, self.sizes) = (kind, sizes) }

  /// Takes note of another look.
  mutating func note(_ rows: [InfoRow], at time: ContinuousClock.Instant = .now) -> [Rate?] {
    let names = Set(rows.map(\.name))
    histories = histories.filter { names.contains($0.key) }
    return rows.map { row in
      guard let (count, bytes) = row.growth else {
        histories[row.name] = nil
        return nil
      }
      guard var history = histories[row.name] else {
        histories[row.name] = History(last: (count, bytes, time))
        return nil
      }
      let seconds = (time - history.last.time) / .seconds(1)
      // A log that became shorter was repaired, or is another one; one of fewer bytes has lost its front.
      let records = max(0, Double(count - history.last.count)) / seconds
      let written = bytes < history.last.bytes ? nil : Double(bytes - history.last.bytes) / seconds
      history.last = (count, bytes, time)
      history.rates = (history.rates + [records]).suffix(Self.length)
      histories[row.name] = history
      return Rate(records: records, bytes: written)
    }
  }

  /// How fast a log grew since it was last looked at.
  struct Rate: Equatable {
    /// A second.
    var records: Double
    /// A second; nil where its front was removed meanwhile.
    var bytes: Double?
  }

  /// A line for each log, and then what is wrong.
  mutating func print(_ rows: [InfoRow], asJSON: Bool, to output: Output) throws {
    let rates = note(rows)
    if asJSON {
      for (row, rate) in zip(rows, rates) {
        var object = row.object(kind)
        object.add("recordsPerSecond", rate?.records)
        object.add("bytesPerSecond", rate?.bytes)
        object.add("lag", row.lag)
        output.bytes += object.line
      }
      return
    }
    // The spark lines go where they do not fit.
    let wide = lines(rows, rates, withSparks: true)
    let isNarrow = wide.allSatisfy { $0.count <= Paragraph.width }
    for line in isNarrow ? wide : lines(rows, rates, withSparks: false) { try output.line(line) }
    for row in rows where !row.isPassedOver {
      for message in row.failures.compactMap(\.message) {
        for line in Paragraph.lines("\(kind.label(row.name)): \(message)".printable) { try output.line(line) }
      }
    }
  }

  private func lines(_ rows: [InfoRow], _ rates: [Rate?], withSparks: Bool) -> [String] {
    var table = Table(
      [
        (kind.title, .left), ("RECORDS", .right), ("REC/S", .right),
        ("\(sizes == .exact ? "BYTES" : "SIZE")/S", .right),
        ("SEGMENTS", .right), ("LAG", .right), ("HEALTH", .left),
      ] + (withSparks ? [("RATE", .left)] : []))
    for (row, rate) in zip(rows, rates) {
      table.add(
        [
          row.name, row.recordsInWords, rate.map { Quantities.rounded($0.records, digits: 0) } ?? "-",
          rate?.bytes.map { sizes.of(Int($0)) } ?? "-", row.segmentsInWords,
          row.lag.map { Quantities.grouped($0) } ?? "-",
          row.health,
        ] + (withSparks ? [Self.spark(histories[row.name]?.rates ?? [])] : []))
    }
    return table.lines
  }

  /// A bar for each number, the highest for the greatest; none where nothing came.
  static func spark(_ values: [Double]) -> String {
    let bars: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    guard let most = values.max(), most > 0 else { return String(repeating: "▁", count: values.count) }
    return String(values.map { bars[Int(($0 / most * Double(bars.count - 1)).rounded())] })
  }
}
