import Foundation
import ImmutaTestSupport
import Testing

@testable import Immuta

/// The files of an index of keys: never believed when they are not what they should be.
@Suite(.timeLimit(.minutes(3))) struct KeyFileTests {
  /// The test vectors of SipHash's authors, for 128 bits.
  @Test func hashesAreSipHash() {
    let hasher = KeyHasher((0..<16).map { UInt8($0) })
    func digits(_ count: Int) -> String {
      let hash = hasher.hash((0..<count).map { UInt8($0) })
      return [hash.high, hash.low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
        .map { String(format: "%02x", $0) }.joined()
    }
    #expect(digits(0) == "a3817f04ba25a8e66df67214c7550293")
    #expect(digits(1) == "da87c1d86b99af44347659119b22fc45")
  }

  /// Leaves a closed log of three sealed segments and a newest one, and the index's files.
  private static func fill(_ directory: TemporaryDirectory) async throws {
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    for number in 0..<40 {
      if number > 0, number % 10 == 0 { try await log.roll() }
      try await log.append("\(["a", "b", "c"][number % 3]) \(number)")
    }
    let accounts = try log.accounts()
    _ = try await accounts.count(of: "a")
    accounts.finishFiles()
  }

  private static let expected = stride(from: 0, to: 40, by: 3).map { "a \($0)" }

  private static func check(_ log: Log, _ accounts: KeyedLog<String>) async throws {
    #expect(try await accounts.count(of: "a") == expected.count)
    #expect(try await accounts.count(of: "b") == 13)
    #expect(try await accounts.count(of: "d") == 0)
    #expect(try await accounts.texts("a") == expected)
    for (place, key) in ["b", "c"].enumerated() {
      #expect(try await accounts.texts(key) == stride(from: place + 1, to: 40, by: 3).map { "\(key) \($0)" })
    }
    #expect(try await accounts.record(5, of: "a")?.text == expected[5])
    #expect(try await accounts.keys == ["a", "b", "c"])
  }

  /// Each byte of a file is changed, before the log is opened and after the file was.
  @Test(arguments: [true, false]) func aDamagedFileIsMadeAgain(beforeOpening: Bool) async throws {
    let directory = TemporaryDirectory(inMemory: true)
    try await Self.fill(directory)
    let name = "log.keys/account.\(LogFiles.digits(10)).keys"
    let whole = try directory.bytes(of: name)
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    for place in whole.indices {
      let accounts = try log.accounts()
      if !beforeOpening { _ = try await accounts.count(of: "zzz") }
      let file = try #require(FileHandle(forUpdatingAtPath: directory.file(name)))
      try file.seek(toOffset: UInt64(place))
      try file.write(contentsOf: [whole[place] ^ UInt8.random(in: 1...255)])
      try file.close()
      try await Self.check(log, accounts)
      accounts.finishFiles()
      // What is not looked at once it was opened may stay damaged.
      if beforeOpening || place >= KeyFileHeader.size {
        #expect(try directory.bytes(of: name) == whole, "byte \(place)")
      }
      try FileBytes.write(whole, to: directory.file(name))
    }
  }

  @Test func aFileOfAnyLengthIsMadeAgain() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    try await Self.fill(directory)
    let name = "log.keys/account.\(LogFiles.digits(10)).keys"
    let whole = try directory.bytes(of: name)
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    for length in Array(stride(from: 0, to: whole.count, by: 7)) + [whole.count + 1, whole.count + 32] {
      try directory.write(Array((whole + whole).prefix(length)), to: name)
      try await Self.check(log, log.accounts())
      #expect(try directory.bytes(of: name) == whole)
    }
  }

  @Test func anotherSegmentsOrIndexesOrLogsFileIsNotBelieved() async throws {
    let (directory, other) = (TemporaryDirectory(), TemporaryDirectory())
    try await Self.fill(directory)
    try await Self.fill(other)
    let names = try directory.keyFiles()
    let whole = try directory.bytes(of: "log.keys/\(names[1])")
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    for strange in [
      try directory.bytes(of: "log.keys/\(names[0])"), try other.bytes(of: "log.keys/\(names[1])"), [],
      Array("text".utf8),
    ] {
      try directory.write(strange, to: "log.keys/\(names[1])")
      try await Self.check(log, log.accounts())
      #expect(try directory.bytes(of: "log.keys/\(names[1])") == whole)
    }
    // Another closure, under another name.
    try directory.write(whole, to: "log.keys/number.\(LogFiles.digits(10)).keys")
    let numbers = try log.keyed("number") { $0.text.split(separator: " ").last.map(String.init) }
    #expect(try await numbers.count(of: "15") == 1)
    #expect(try await numbers.count(of: "a") == 0)
  }

  @Test func anotherVersionMakesItsOwn() async throws {
    let directory = TemporaryDirectory()
    try await Self.fill(directory)
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("log")
    let byNumber = try log.keyed("account", version: 2) { $0.text.split(separator: " ").last.map(String.init) }
    #expect(try await byNumber.count(of: "15") == 1)
    #expect(try await byNumber.count(of: "a") == 0)
    try await Self.check(log, log.accounts())
  }

  /// The version was not raised: records are missing then, and none is another's.
  @Test func aRecordIsDeliveredOnlyIfItHasTheKey() async throws {
    let directory = TemporaryDirectory()
    try await Self.fill(directory)
    let storage = try directory.open()
    defer { storage.close() }
    let byNumber = try storage.log("log").keyed("account") { payload -> String? in
      let words = payload.text.split(separator: " ")
      return words.last.map { Int($0) ?? 0 < 20 ? "a" : "b" }
    }
    for try await record in byNumber.records(of: "a") { #expect(record.sequence < 20) }
    for try await record in byNumber.records(of: "b") { #expect(record.sequence >= 20) }
  }

  /// All keys have one hash, or few.
  @Test(arguments: [0, 1, 0x8000_0000_0000_0000, 3]) func keysOfOneHashAreToldApart(mask: UInt64) async throws {
    let directory = TemporaryDirectory()
    var storage = try directory.open()
    for round in 0..<2 {
      let log = try storage.log("log")
      let accounts = try log.accounts(hashMask: mask)
      if round == 0 {
        for number in 0..<60 {
          if number > 0, number % 20 == 0 { try await log.roll() }
          try await log.append("\(number % 7) \(number)")
        }
      }
      for key in 0..<7 {
        let expected = stride(from: key, to: 60, by: 7).map { "\(key) \($0)" }
        #expect(try await accounts.texts("\(key)") == expected)
        #expect(try await accounts.count(of: "\(key)") == expected.count)
        #expect(try await accounts.record(4, of: "\(key)")?.text == expected[4])
      }
      #expect(try await accounts.count(of: "8") == 0)
      #expect(try await accounts.texts("8").isEmpty)
      accounts.finishFiles()
      storage.close()
      storage = try directory.open()
    }
    storage.close()
  }

  /// Segments are as many and begin where they did, and their last records are others.
  @Test func theFilesOfALogThatWasPutBackAreNotBelieved() async throws {
    let (directory, older) = (TemporaryDirectory(), TemporaryDirectory())
    func append(_ keys: [String], rolling: Bool) async throws {
      let storage = try directory.open()
      defer { storage.close() }
      let log = try storage.log("log")
      for key in keys { try await log.append("\(key) x") }
      if rolling { try await log.roll() }
      let accounts = try log.accounts()
      _ = try await accounts.count(of: "a")
      accounts.finishFiles()
    }
    try await append(["a", "a"], rolling: false)
    try FileBytes.copy(directory: directory.path, to: older.path)
    try await append(["a", "b"], rolling: true)
    let keys = try directory.bytes(of: "log.keys/account.\(LogFiles.digits(0)).keys")
    try FileBytes.copy(directory: older.path, to: directory.path)
    try FileManager.default.createDirectory(atPath: directory.file("log.keys"), withIntermediateDirectories: true)
    try directory.write(keys, to: "log.keys/account.\(LogFiles.digits(0)).keys")
    try await append(["b", "c"], rolling: true)
    let storage = try directory.open()
    defer { storage.close() }
    let accounts = try storage.log("log").accounts()
    #expect(try await accounts.count(of: "a") == 2)
    #expect(try await accounts.count(of: "b") == 1)
    #expect(try await accounts.count(of: "c") == 1)
  }

  @Test func aRecordThatCannotBeReadMayBeAnybodys() async throws {
    let directory = TemporaryDirectory()
    try await Self.fill(directory)
    try? FileManager.default.removeItem(atPath: directory.file("log.keys"))
    // A byte of record 13's payload.
    let name = "log.segments/\(LogFiles.digits(10)).log"
    var bytes = try directory.bytes(of: name)
    let place = try #require(bytes.firstRange(of: Array("b 13".utf8))?.lowerBound)
    bytes[place] ^= 1
    try directory.write(bytes, to: name)
    let storage = try directory.open()
    defer { storage.close() }
    let accounts = try storage.log("log").accounts()
    for _ in 0..<2 {
      await #expect(performing: { try await accounts.count(of: "a") }, throws: isDamaged(13))
      await #expect(performing: { try await accounts.keys }, throws: isDamaged(13))
      await #expect(performing: { try await accounts.append("a x", expecting: 1) }, throws: isDamaged(13))
      var stream = accounts.stream("a")
      var texts: [String] = []
      for _ in 0..<5 { texts.append(try await stream.next()?.text ?? "") }
      await #expect(performing: { try await stream.next() }, throws: isDamaged(13))
      #expect(stream.position == 13)
      stream.position = 14
      for _ in 0..<9 { texts.append(try await stream.next()?.text ?? "") }
      #expect(texts == Self.expected)
    }
    // It is put back: nothing was lost.
    bytes[place] ^= 1
    try directory.write(bytes, to: name)
    try await Self.check(storage.log("log"), accounts)
  }

  /// Bars: see the documentation.
  @Test func aHundredRecordsTakeNoMoreThanTwoHundredReads() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    let count = 40_000
    do {
      let storage = try directory.open()
      defer { storage.close() }
      let log = try storage.log("log")
      for start in stride(from: 0, to: count, by: 1000) {
        if start > 0, start % 10_000 == 0 { try await log.roll() }
        try await log.append(
          contentsOf: (start..<start + 1000).map { $0 % (count / 100) == 7 ? "a \($0)" : "\($0 % 5000) \($0)" })
      }
      let accounts = try log.accounts()
      _ = try await accounts.count(of: "a")
      accounts.finishFiles()
    }
    let injector = FaultInjector(directory: directory.path)
    try await injector.run {
      let storage = try directory.open()
      defer { storage.close() }
      let accounts = try storage.log("log").accounts()
      _ = try await accounts.count(of: "zzz")
      let before = injector.counts[.read] ?? 0
      #expect(try await accounts.texts("a").count == 100)
      let reads = (injector.counts[.read] ?? 0) - before
      #expect(reads <= 200, "\(reads) reads")
    }
  }

  private func isDamaged(_ sequence: Int) -> @Sendable (any Error) -> Bool {
    { error in
      guard case .corrupted(let damage) = error as? ImmutaError else { return false }
      return damage.sequence == sequence
    }
  }
}
