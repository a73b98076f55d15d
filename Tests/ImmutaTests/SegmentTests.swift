import ImmutaTestSupport
import Testing

@testable import Immuta

/// A segment is one log file with its companion: it is marked, appended to and sealed by itself, without a log around it.
@Suite struct SegmentTests {
  private let directory: TemporaryDirectory
  private let place: Directory
  private let log: Descriptor
  private let companion: Descriptor
  private let keeper: CompanionKeeper

  init() throws {
    directory = TemporaryDirectory()
    place = try Directory(opening: directory.path)
    log = try place.open("events.log", .readWriteCreating)
    try log.write(LogHeader(.v2, count: 0, lastIndex: 0).encoded(format: .v2), at: 0)
    companion = try place.open("events.idx", .readWriteCreating)
    var header = CompanionHeader(format: .v2)
    header.mark = .closed
    try companion.write([UInt8](repeating: 0, count: CompanionHeader.size), at: 0)
    try companion.write(header.encoded(), at: header.slotOffset)
    keeper = CompanionKeeper(companion, header: header)
  }

  private func segment() throws -> SegmentWriter {
    let names = NameCheck(try NameCheck.files(["events.log", "events.idx"], in: place))
    return SegmentWriter(
      files: SegmentFiles(
        .v2, log: log, companion: companion, count: 0, end: LogFormat.v2.headerSize,
        flushes: FlushPair(log: log, companion: companion), isFlushedOften: false),
      keeper: keeper, names: names, location: LogFiles(directory: place, namespace: "events"), count: 0,
      end: LogFormat.v2.headerSize)
  }

  private func write(_ text: String, to segment: inout SegmentWriter) throws -> SegmentWriter.Written {
    try Array(text.utf8).withUnsafeBytes { bytes in try segment.write(bytes) }
  }

  private func stage(_ text: String, to segment: inout SegmentWriter) throws -> Receipt {
    try Array(text.utf8).withUnsafeBytes { bytes in try segment.stage(bytes) }
  }

  @Test func itIsMarkedAppendedToAndSealed() throws {
    var segment = try segment()
    var phase = segment.phase
    #expect(phase == .opened && keeper.current.isClean)
    try segment.mark.set()
    segment.noteMarked()
    phase = segment.phase
    #expect(phase == .marked && !keeper.current.isClean)
    try segment.prepare()

    let written = try write("alone", to: &segment)
    let alone = try segment.commit(written, at: 7)
    let countAlone = segment.count
    #expect(alone.sequence == 0 && alone.index == 16 && countAlone == 1)
    let two = [try stage("first of two", to: &segment), try stage("second of two", to: &segment)]
    let countStaged = segment.count
    #expect(two.map(\.sequence) == [1, 2] && countStaged == 1)
    try segment.commit(at: 8)
    _ = try stage("taken back", to: &segment)
    segment.rollBack()
    let (count, next, tail) = (segment.count, segment.nextNumber, segment.tail)
    #expect(count == 3 && next == 3)

    try segment.seal()
    segment.letGo()
    let header = try #require(try log.logHeader(.v2))
    #expect(header.count == 3 && header.lastIndex == tail - 8 - "second of two".utf8.count)
    #expect(try log.size == tail)
    #expect(try companion.size == CompanionHeader.size + 3 * CompanionEntry.size)
    #expect(keeper.current.isClean && keeper.current.stableCount == 3)
  }

  @Test func oneThatWasNeverMarkedIsSealedAsItWas() throws {
    var segment = try segment()
    let before = keeper.current
    try segment.seal()
    segment.letGo()
    #expect(keeper.current == before)
  }

  @Test func oneThatRestsIsPreparedAgain() throws {
    var segment = try segment()
    try segment.mark.set()
    segment.noteMarked()
    try segment.prepare()
    let before = try write("before", to: &segment)
    _ = try segment.commit(before, at: 1)
    _ = segment.rest()
    let (phase, tail) = (segment.phase, segment.tail)
    #expect(phase == .resting)
    #expect(try log.size == tail)
    try segment.prepare()
    let after = try write("after", to: &segment)
    let receipt = try segment.commit(after, at: 2)
    #expect(receipt.sequence == 1 && receipt.index == tail)
  }

  @Test func oneThatFailedIsNotMarkedAsClosed() throws {
    var segment = try segment()
    try segment.mark.set()
    segment.noteMarked()
    try segment.prepare()
    segment.fail(.storageClosed)
    var failures = 0
    do throws(ImmutaError) { try segment.checkUsable() } catch { failures += 1 }
    do throws(ImmutaError) { try segment.seal() } catch { failures += 1 }
    #expect(failures == 2 && !keeper.current.isClean)
  }

  @Test func writingWithoutTheMarkTraps() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.exitStatus]) {
      var segment = try SegmentTests().segment()
      try segment.prepare()
    }
    expectTrap(result)
  }

  @Test func twoThreadsAtOneGateTrap() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.exitStatus]) {
      let gate = ThreadGate()
      for _ in 0..<2 { try Thread.start { gate.wait() } }
      ThreadGate().wait(nanoseconds: 30_000_000_000)
    }
    expectTrap(result)
  }

  /// An error that is thrown fails, too: only a trap ends with a signal.
  private func expectTrap(_ result: ExitTest.Result?) {
    guard case .signal? = result?.exitStatus else {
      Issue.record("it ended without a trap")
      return
    }
  }
}
