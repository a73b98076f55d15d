import ImmutaTestSupport
import Testing

@testable import Immuta

/// Records that no entry names are found by their size fields, in one way.
@Suite struct RecordWalkTests {
  let directory = TemporaryDirectory()

  private func scanner(_ bytes: [UInt8], _ format: LogFormat = .v2) throws -> LogScanner {
    try directory.write(bytes, to: "log.log")
    let log = try Descriptor(opening: directory.file("log.log"), .read)
    return LogScanner(log, format, end: bytes.count)
  }

  @Test func aWalkPassesOneRecordAfterTheOther() throws {
    let payloads = [pattern(5, seed: 1), [], pattern(70, seed: 2)]
    var log = try scanner(logBytes(payloads))
    var walk = RecordWalk(.v2)
    var places: [RecordPlace] = []
    while let place = try walk.next(in: &log) { places.append(place) }
    #expect(
      places == [
        RecordPlace(number: 0, index: 16, size: 5, end: 29), RecordPlace(number: 1, index: 29, size: 0, end: 37),
        RecordPlace(number: 2, index: 37, size: 70, end: 115),
      ])
    #expect(walk.number == 3 && walk.index == 115 && walk.lastIndex == 37)
    #expect(RecordWalk(.v2, after: places[1]).index == 37)
  }

  @Test func itStopsWhereNoRecordFitsTheFile() throws {
    let bytes = logBytes([pattern(5, seed: 1), pattern(70, seed: 2)])
    var log = try scanner(Array(bytes.dropLast()))
    var walk = RecordWalk(.v2)
    #expect(try walk.next(in: &log) != nil)
    #expect(try walk.next(in: &log) == nil)
    #expect(walk.number == 1 && walk.index == 29)
  }

  /// A hole reads as records of no bytes, however many: they are passed together, and the place looked for is found in it.
  @Test func aHoleIsPassedAtOnce() throws {
    try directory.write(logBytes([]), to: "log.log")
    let log = try Descriptor(opening: directory.file("log.log"), .readWrite)
    let size = 16 + 8 * (1 << 30)
    try log.truncate(to: size)
    // The header's block is none: the first records are looked at one by one until a hole is due.
    var scanner = LogScanner(log, .v2, end: size)
    var walk = RecordWalk(.v2)
    let wanted = 16 + 8 * 900_000_000
    let passed = try walk.run(in: &scanner, lookingFor: wanted)
    #expect(walk.number == 1 << 30 && walk.index == size && walk.lastIndex == size - 8)
    #expect(passed == RecordWalk.Passed(countWithBytes: 0, countThroughPlace: 900_000_001))
    var limited = RecordWalk(.v2)
    _ = try limited.run(in: &scanner, below: 1_000_000)
    #expect(limited.number == 1_000_000 && limited.index == 16 + 8 * 1_000_000)
  }
}
