import Foundation
import Immuta
import ImmutaLogStore
import ImmutaTestSupport
import Testing

/// Damage in one partition stays in that partition, and in its message where that is possible.
@Suite(.timeLimit(.minutes(3))) struct DamagedPartitionTests {
  /// Where messages begin in a partition's bytes.
  private func offsets(_ bytes: [UInt8]) throws -> [Int] {
    try LogStore.unmarshal(bytes).messages.map(\.offset)
  }

  private func damage(_ body: () throws -> Void) -> Corruption? {
    do {
      try body()
    } catch ImmutaError.corrupted(let damage) {
      return damage
    } catch {
      Issue.record(error)
    }
    return nil
  }

  @Test(arguments: [Storage.Access.readWrite, .readOnly], [1, 2])
  func damagedMessagesOfTheGoProgramLeaveTheOthersReadable(access: Storage.Access, count: Int) async throws {
    let place = try Workplace(copyingGo: true)
    var bytes = try goPartition(2)
    let (all, offsets) = (try LogStore.unmarshal(bytes).messages.map(\.text), try offsets(bytes))
    for number in 3..<3 + count { bytes[offsets[number] + 12] ^= 1 }
    try FileBytes.write(bytes, to: "\(place.path)/2.bilog")
    // What the first opening found, the next ones find.
    for opening in 0..<2 {
      let store = try place.open(access: access)
      defer { store.close() }
      let log = try store.partition(2).log
      for (number, text) in all.enumerated() where !(3..<3 + count).contains(number) {
        #expect(try await log.record(at: number).text == text)
      }
      for number in 3..<3 + count {
        let found = damage { _ = try log.records(in: number..<number + 1).map(\.text) }
        #expect(found?.sequence == number && found?.index == offsets[number])
      }
      await #expect {
        try await store.verify()
      } throws: { error in
        if case ImmutaError.corrupted(let damage) = error { damage.sequence == 3 } else { false }
      }
      if opening == 0 || access == .readOnly { #expect(try log.details.damage?.sequence == 3) }
      if access == .readWrite { try await log.append("more \(opening)") }
    }
    let stored = try place.bytes(of: "2.bilog")
    #expect(stored.prefix(bytes.count).elementsEqual(bytes))
    #expect(stored.count == bytes.count + (access == .readWrite ? 2 * (12 + 6) : 0))
  }

  @Test(arguments: [Storage.Access.readWrite, .readOnly])
  func aPartitionThatCannotBeOpenedLeavesTheOthersUsable(access: Storage.Access) async throws {
    let place = try Workplace(copyingGo: true)
    var bytes = try goPartition(1)
    let offset = try offsets(bytes)[4]
    bytes[offset] = 0x7F
    try FileBytes.write(bytes, to: "\(place.path)/1.bilog")
    let store = try place.open(access: access)
    defer { store.close() }
    #expect(damage { _ = try store.partition(1) }?.index == offset)
    #expect(damage { _ = try store.details }?.index == offset)
    var buffer = [UInt8](repeating: 0, count: 10)
    #expect(damage { _ = try store.read(partition: 1, offset: 0, into: &buffer) } != nil)
    var stream = store.stream()
    await #expect(throws: ImmutaError.self) { try await stream.next() }
    #expect(try texts(store, 0).count == 17)
    if access == .readWrite {
      for number in 0..<40 {
        let key = "key-\(number)"
        if store.partition(of: key) == 1 {
          await #expect(throws: ImmutaError.self) { try await store.append("x", key: key) }
        } else {
          try await store.append("x", key: key)
        }
      }
      try await store.sync()
    }
    #expect(try place.bytes(of: "1.bilog") == bytes)
    store.close()

    #expect(try LogStore.repair(partition: 1, in: place.path).sound == 4)
    #expect(try place.bytes(of: "1.bilog") == bytes)
    let report = try LogStore.repair(partition: 1, in: place.path, applying: true)
    #expect(report.isApplied && !report.saved.isEmpty)
    let mended = try place.open(access: access)
    defer { mended.close() }
    #expect(try texts(mended, 1).count == 4)
  }

  @Test(arguments: [Storage.Access.readWrite, .readOnly])
  func aLostPartitionIsNoEmptyOne(access: Storage.Access) async throws {
    let place = try Workplace(copyingGo: true)
    try place.open().close()
    for name in ["1.bilog", "1.bilog.companion"] { try FileManager.default.removeItem(atPath: "\(place.path)/\(name)") }
    let store = try place.open(access: access)
    defer { store.close() }
    let missing = damage { _ = try store.partition(1) }?.reason
    #expect(missing?.code == .layout && missing?.description.contains("1.bilog is missing") == true)
    await #expect(throws: ImmutaError.self) { try await store.verify() }
    #expect(try texts(store, 0).count == 17)
    #expect(try !place.files.contains("1.bilog"))
  }

  /// A LENGTH whose damage leaves nothing that could be walked: the sound messages behind it are lost by cutting, too.
  @Test(arguments: [0, 6, 7]) func repairTellsOfWhatItCutsOff(byte: Int) throws {
    let place = try Workplace(copyingGo: true)
    var bytes = try goPartition(0)
    let offset = try offsets(bytes)[8]
    bytes[offset + byte] = 0xFF
    try FileBytes.write(bytes, to: "\(place.path)/0.bilog")
    let report = try LogStore.repair(partition: 0, in: place.path, applying: true)
    #expect(report.sound == 8 && report.lost.first?.sequences.lowerBound == 8 && report.lost.first?.index == offset)
    #expect(report.promised > 8 && !report.saved.isEmpty && !report.isHealthy)
  }

  @Test func aStoreOfWhichNothingCanBeOpenedIsNotOpened() throws {
    let place = try Workplace(copyingGo: true)
    for number in 0..<4 { try FileBytes.write([0xFF] + (try goPartition(0)), to: "\(place.path)/\(number).bilog") }
    #expect(damage { _ = try place.open() }?.path.hasSuffix("0.bilog") == true)
  }

  @Test func aPartitionThatIsNotUsedNeedsNoDescriptorOfItsOwn() throws {
    let place = try Workplace()
    #if canImport(Glibc)
      let openFiles = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
      let openFiles = RLIMIT_NOFILE
    #endif
    var before = rlimit()
    let isKnown = getrlimit(openFiles, &before) == 0
    var few = before
    few.rlim_cur = 300
    let isSet = setrlimit(openFiles, &few) == 0
    defer { _ = setrlimit(openFiles, &before) }
    try #require(isKnown && isSet)
    // Each had five, and was taken to need them.
    let store = try place.open(64)
    defer { store.close() }
    for number in 0..<64 { try store.partition(number).log.append("x") }
    for number in 0..<64 where number % 8 == 0 { #expect(try texts(store, number) == ["x"]) }
  }
}
