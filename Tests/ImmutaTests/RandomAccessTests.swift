import Immuta
import ImmutaTestSupport
import Testing

/// Records by number, and ranges of them.
@Suite struct RandomAccessTests {
  @Test func everyRecordIsFoundByItsNumberWhileOpenAndAfterwards() async throws {
    let directory = TemporaryDirectory()
    let sizes = (0..<300).map { $0 % 50 == 49 ? 300_000 : ($0 * 211) % 5_000 }
    for isReopened in [false, true] {
      let storage = try directory.open()
      defer { storage.close() }
      let log = try storage.log("log")
      if !isReopened {
        for (number, size) in sizes.enumerated() { try await log.append(pattern(size, seed: number)) }
      }
      for number in sizes.indices.shuffled() {
        let record = try await log.record(at: number)
        #expect(record.sequence == number && holds(record.payload, pattern(sizes[number], seed: number)))
      }
      for number in [-1, Int.min, 300, 301, Int.max] {
        await #expect(throws: ImmutaError.recordNotFound(number)) { try await log.record(at: number) }
      }
    }
  }

  @Test(arguments: [10, 5_000, 300_000, 2 << 20]) func aRangeOfRecordsIsAnOrdinarySequence(size: Int) async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    // Up to 6 MiB: more than is held in memory, and less.
    let count = size < 1 << 20 ? max(20, min(600, (6 << 20) / size)) : 4
    for number in 0..<count { try await log.append(pattern(size, seed: number)) }
    for range in [0..<count, 1..<count - 1, 3..<4, 0..<1, count - 1..<count] {
      let records = try log.records(in: range)
      #expect(records.count == range.count && records.underestimatedCount == range.count)
      for _ in 0..<2 {
        var expected = range.lowerBound
        for record in records {
          #expect(record.sequence == expected && holds(record.payload, pattern(size, seed: expected)))
          expected += 1
        }
        #expect(expected == range.upperBound)
      }
    }
  }

  @Test func rangesThatAreEmptyOrBeyondTheLog() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    let log = try storage.log("log")
    #expect(Array(try log.records(in: 0..<0)).isEmpty)
    #expect(throws: ImmutaError.recordNotFound(0)) { try log.records(in: 0..<1) }
    for number in 0..<5 { try await log.append("\(number)") }
    #expect(Array(try log.records(in: 0..<0)).isEmpty)
    #expect(Array(try log.records(in: 5..<5)).isEmpty)
    #expect(throws: ImmutaError.recordNotFound(5)) { try log.records(in: 0..<6) }
    #expect(throws: ImmutaError.recordNotFound(7)) { try log.records(in: 7..<9) }
    #expect(throws: ImmutaError.recordNotFound(-1)) { try log.records(in: -1..<3) }
    storage.close()
    #expect(throws: ImmutaError.storageClosed) { try log.records(in: 0..<0) }
  }

  @Test func aRangeDoesNotGrowWithTheLog() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<5 { try await log.append("\(number)") }
    let records = try log.records(in: 2..<5)
    try await log.append("5")
    #expect(records.map(\.text) == ["2", "3", "4"])
  }
}
