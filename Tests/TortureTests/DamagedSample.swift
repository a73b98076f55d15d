import Immuta
import ImmutaTestSupport
import Testing

/// The files of a log, and what is in them: what damage tests damage.
struct DamagedSample: Sendable {
  /// How the log was left.
  enum Ending: String, CaseIterable, CustomTestStringConvertible, Sendable {
    /// It was closed.
    case closed
    /// Its process died.
    case unclosed
    /// Its machine went down, having lost nothing.
    case rebooted

    var testDescription: String { rawValue }
  }

  /// One of the two files.
  enum File: String, CaseIterable, Sendable {
    case log, companion
  }

  let ending: Ending
  let format: LogFormat
  let contents: [Content]
  /// Records that were committed together.
  let commits: [Range<Int>]
  /// Where each record begins; one more: where the last ends.
  let places: [Int]
  /// Records known to be on stable storage.
  let stable: Int
  let log: [UInt8]
  let companion: [UInt8]

  /// Appends `count` records, half of them before the last `sync`, the rest behind it.
  ///
  /// - Parameter sizes: what payload sizes are drawn from; nil for small ones and a single large one.
  init(
    count: Int, sizes: [Int]? = nil, ending: Ending, format: LogFormat = .v2, seed: UInt64
  ) async throws {
    var generator = SeededGenerator(seed: seed)
    let directory = TemporaryDirectory(inMemory: true)
    let live = try directory.subdirectory("live")
    let storage = try Storage(
      directory: live, namespaces: ["events"], configuration: TestedDurability.buffered.configuration(format))
    defer { storage.close() }
    let log = try storage.log("events")
    let large = sizes == nil ? Int.random(in: 0..<count, using: &generator) : nil
    var contents: [Content] = []
    var places: [Int] = []
    for number in 0..<count {
      let small = (sizes ?? [0, 1, 8, 30, 120, 120, 700]).randomElement(using: &generator) ?? 0
      contents.append(Content(identity: generator.next(), size: number == large ? 310 << 10 : small))
    }
    var commits: [Range<Int>] = []
    var number = 0
    while number < count {
      let together = min(count - number, generator.oneIn(4) ? Int.random(in: 2...5, using: &generator) : 1)
      let batch = contents[number..<number + together]
      places += try await log.transaction { transaction in
        var places: [Int] = []
        for content in batch { places.append(try await transaction.append(content.bytes).index) }
        return places
      }
      if number < count / 2, number + together >= count / 2 { try await log.sync() }
      commits.append(number..<number + together)
      number += together
    }
    self.commits = commits
    places.append(try log.details.byteCount)
    let copy = directory.file("copy")
    if ending == .closed { storage.close() }
    stable = ending == .closed ? count : try log.details.stableCount
    try FileBytes.copy(directory: live, to: copy)
    if ending == .rebooted { try Reboot.mark(directory: copy) }
    self.ending = ending
    self.contents = contents
    self.places = places
    self.format = format
    self.log = try FileBytes.read(Self.path(of: .log, format, in: copy)) ?? []
    companion = try FileBytes.read(Self.path(of: .companion, format, in: copy)) ?? []
  }

  /// Where a file of such a log is.
  static func path(of file: File, _ format: LogFormat, in directory: String) -> String {
    let files = format.testFiles(of: "events", in: directory)
    return file == .log ? files.log : files.companion
  }

  var count: Int { contents.count }

  /// Bytes of a file that mean something.
  func size(of file: File) -> Int {
    switch file {
    case .log: places[count]
    case .companion: companion.count
    }
  }

  /// Where a slot of the companion's header has fields: what lies between them is a name, or zeros.
  private static let fields = [0..<56, 1_088..<1_128, 2_008..<CompanionHeader.slotSize]

  /// Whether a byte of the companion belongs to an entry, or to a field of the header other than the name.
  func isField(_ offset: Int) -> Bool {
    offset >= CompanionHeader.size
      || Self.fields.contains { $0.contains(offset % CompanionHeader.slotSize) }
  }

  /// The records whose bytes, or whose companion entries, damage of a file may have changed.
  func touched(by damage: Damage, of file: File) -> Set<Int> {
    let ranges = ranges(of: damage)
    return Set(
      (0..<count).filter { number in
        let own: Range<Int>
        switch file {
        case .log: own = places[number]..<places[number + 1]
        case .companion:
          let start = CompanionHeader.size + number * CompanionEntry.size
          own = start..<start + CompanionEntry.size
        }
        return ranges.contains { $0.overlaps(own) }
      })
  }

  /// The records that damage may have taken from a log that was not closed: where the entries tell what was committed,
  /// all of a commit goes with the entry of its last.
  func lost(with touched: Set<Int>) -> Set<Int> {
    if format.hasCount { return touched }
    return Set(commits.filter { $0.contains(where: touched.contains) }.joined())
  }

  /// Whether damage of the companion may have hit what it says of all records, and what it says of some, at once: then
  /// nothing is left that knows how many of them were stable.
  func forgetsWhatWasStable(by damage: Damage, of file: File) -> Bool {
    guard file == .companion else { return false }
    let ranges = ranges(of: damage)
    return ranges.contains { $0.lowerBound < CompanionHeader.size }
      && ranges.contains { $0.upperBound > CompanionHeader.size }
  }

  private func ranges(of damage: Damage) -> [Range<Int>] {
    let ranges: [Range<Int>]
    switch damage {
    case .flippedBit(let offset, _), .flippedByte(let offset): ranges = [offset..<offset + 1]
    case .cut(let length): ranges = [length..<Int.max]
    case .zeroed(let range): ranges = [range]
    case .duplicated(let range, let target): ranges = [target..<target + range.count]
    case .swapped(let left, let right): ranges = [left, right]
    }
    return ranges.filter { !$0.isEmpty }
  }

  /// Offsets of a file worth damaging: every byte that means something, but of long payloads a few.
  func offsets(of file: File, using generator: inout SeededGenerator) -> [Int] {
    var offsets: [Int] = []
    switch file {
    case .log:
      offsets += 0..<format.headerSize
      for number in 0..<count {
        let start = places[number]
        let end = places[number + 1]
        offsets += start..<min(end, start + 24)
        offsets += (0..<8).map { _ in Int.random(in: start..<end, using: &generator) }
        offsets.append(end - 1)
      }
      // Behind the end: nobody's bytes.
      offsets += places[count]..<min(log.count, places[count] + 24)
    case .companion:
      for slot in [0, CompanionHeader.slotSize] {
        for field in Self.fields { offsets += field.map { slot + $0 } }
        offsets += (0..<8).map { _ in slot + Int.random(in: 0..<CompanionHeader.slotSize, using: &generator) }
      }
      offsets += CompanionHeader.size..<min(companion.count, CompanionHeader.size + (count + 2) * CompanionEntry.size)
    }
    return Set(offsets).sorted()
  }
}
