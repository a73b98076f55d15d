import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Logs of LogStore's layout: no header, big-endian lengths, a checksum of its own.
@Suite(.timeLimit(.minutes(3))) struct PartitionFormatTests {
  private func goFile(_ number: Int = 0) throws -> [UInt8] { try fixture("\(number).bilog", of: "logstore") }

  /// A record as the Go program writes it, from the description of the format.
  private func goRecord(_ payload: [UInt8]) -> [UInt8] {
    let checksum = payload.withUnsafeBytes { RecordHeader.extend(0, $0) }
    return littleEndian(12 + payload.count).reversed() + littleEndian(Int(checksum))[..<4].reversed() + payload
  }

  /// Where the records of a file of the Go program begin.
  private func goIndexes(_ bytes: [UInt8]) throws -> [Int] {
    var indexes: [Int] = []
    var index = 0
    while index < bytes.count {
      indexes.append(index)
      index += bytes[index..<index + 8].reduce(0) { $0 << 8 | Int($1) }
    }
    return indexes
  }

  @Test(arguments: [Storage.Access.readWrite, .readOnly], 0..<4)
  func whatGoWroteIsReadAndVerified(access: Storage.Access, number: Int) async throws {
    let directory = TemporaryDirectory()
    try directory.write(try goFile(number), to: "log.bilog")
    let storage = try directory.open(access: access, format: .bilog)
    defer { storage.close() }
    let log = try storage.log("log")
    let texts = try texts(log)
    #expect(texts.count == [17, 16, 27, 0][number])
    #expect(texts.allSatisfy { $0.hasPrefix("payload ") && $0.contains(" for key-") })
    #expect(try await log.verify().records == texts.count)
    #expect(try log.details.format == .bilog)
    if let last = try log.records(in: 0..<log.count).suffix(1).first {
      #expect(last.index + 12 + last.size == (try goFile(number).count))
    }
  }

  @Test func whatIsAppendedIsWhatGoWrites() async throws {
    let directory = TemporaryDirectory()
    try directory.write(try goFile(), to: "log.bilog")
    var stored: [[UInt8]] = []
    do {
      let storage = try directory.open(access: .readOnly, format: .bilog)
      defer { storage.close() }
      stored = try payloads(storage.log("log"))
    }
    let other = TemporaryDirectory()
    let storage = try other.open(format: .bilog)
    for payload in stored { try await storage.append(payload, to: "log") }
    storage.close()
    #expect(try other.bytes(of: "log.bilog") == goFile())
  }

  @Test func whatGoWroteIsExtendedAsGoWould() async throws {
    let directory = TemporaryDirectory()
    var expected = try goFile()
    try directory.write(expected, to: "log.bilog")
    let appended = [[], pattern(1), pattern(5000), pattern(40_000), pattern(3 << 20)]
    for payload in appended {
      let storage = try directory.open(format: .bilog)
      defer { storage.close() }
      #expect(try await storage.append(payload, to: "log").index == expected.count)
      expected += goRecord(payload)
    }
    do {
      let storage = try directory.open(format: .bilog)
      defer { storage.close() }
      try await storage.append(ChunkSource(chunks: [pattern(7), [], pattern(30_000)]), to: "log")
      expected += goRecord(pattern(7) + pattern(30_000))
    }
    #expect(try directory.bytes(of: "log.bilog") == expected)
    let storage = try directory.open(format: .bilog)
    defer { storage.close() }
    #expect(try payloads(storage.log("log")).suffix(6).dropLast() == appended[...])
    #expect(try await storage.verify("log").records == 23)
  }

  @Test func whatGoAppendsBetweenTwoOpeningsIsThere() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(format: .bilog)
    try await storage.append("ours", to: "log")
    storage.close()
    var bytes = try directory.bytes(of: "log.bilog")
    bytes += goRecord(Array("theirs".utf8)) + goRecord([])
    try directory.write(bytes, to: "log.bilog")
    for access in [Storage.Access.readOnly, .readWrite] {
      let storage = try directory.open(access: access, format: .bilog)
      defer { storage.close() }
      #expect(try texts(storage.log("log")) == ["ours", "theirs", ""])
      if access == .readWrite { #expect(try await storage.append("again", to: "log").sequence == 3) }
    }
    #expect(try directory.bytes(of: "log.bilog") == bytes + goRecord(Array("again".utf8)))
  }

  @Test(arguments: [8, 9, 11, 12, 13, 30])
  func aRecordThatGoDidNotFinishIsCutOffAndKept(length: Int) async throws {
    let directory = TemporaryDirectory()
    let whole = try goFile()
    let rest = Array(goRecord(pattern(40))[..<length])
    try directory.write(whole + rest, to: "log.bilog")
    do {
      let storage = try directory.open(access: .readOnly, format: .bilog)
      defer { storage.close() }
      #expect(try storage.log("log").count == 17)
      #expect(try storage.details(of: "log").openingNote?.contains("cut off") ?? false)
    }
    #expect(try directory.bytes(of: "log.bilog") == whole + rest)
    try directory.open(format: .bilog).close()
    #expect(try directory.bytes(of: "log.bilog") == whole)
    let saved = try directory.allFiles().filter { $0.key.contains(".tail.saved-") }
    #expect(Array(saved.values) == [rest])
  }

  @Test(arguments: [8, 11, 12, 4096, 70_000]) func zerosAtTheEndAreNoRecords(count: Int) async throws {
    let directory = TemporaryDirectory()
    let whole = try goFile()
    try directory.write(whole + [UInt8](repeating: 0, count: count), to: "log.bilog")
    for access in [Storage.Access.readOnly, .readWrite] {
      let storage = try directory.open(access: access, format: .bilog)
      defer { storage.close() }
      #expect(try storage.log("log").count == 17)
    }
    #expect(try directory.bytes(of: "log.bilog") == whole)
    #expect(try directory.allFiles().count == 2)
  }

  @Test(arguments: [Storage.Access.readWrite, .readOnly], [2, 16])
  func damageInWhatGoWroteIsNamed(access: Storage.Access, number: Int) async throws {
    let directory = TemporaryDirectory()
    var bytes = try goFile()
    let index = try goIndexes(bytes)[number]
    bytes[index + 12 + 3] ^= 1
    try directory.write(bytes, to: "log.bilog")
    let damage: Corruption?
    if number == 16 {
      // Behind the last record nothing bears its LENGTH out.
      damage = await corruption { try directory.open(access: access, format: .bilog) }
    } else {
      let storage = try directory.open(access: access, format: .bilog)
      defer { storage.close() }
      let log = try storage.log("log")
      damage = await corruption { _ = try await log.record(at: number) }
      #expect(try await log.record(at: number + 1).index > index)
      #expect(await corruption { try await log.verify() } == damage)
    }
    #expect(damage?.sequence == number && damage?.index == index)
    #expect(try directory.bytes(of: "log.bilog") == bytes)
  }

  @Test(arguments: [0, 6, 7]) func aDamagedLengthIsNoTornEnd(byte: Int) async throws {
    let directory = TemporaryDirectory()
    var bytes = try goFile()
    bytes[62 + byte] ^= 0x41
    try directory.write(bytes, to: "log.bilog")
    let damage = await corruption { try directory.open(format: .bilog) }
    #expect(damage?.index ?? 0 >= 62)
    #expect(try directory.bytes(of: "log.bilog") == bytes)
  }

  /// The first bytes of a LENGTH are zeros: so few are no space that was reserved.
  @Test(arguments: [1, 7]) func zerosThatMayBeginARecordAreKept(count: Int) async throws {
    let directory = TemporaryDirectory()
    let bytes = try goFile()
    try directory.write(bytes + [UInt8](repeating: 0, count: count), to: "log.bilog")
    let storage = try directory.open(format: .bilog)
    defer { storage.close() }
    #expect(try storage.details(of: "log").openingNote?.contains("of a record that was cut off") == true)
    let saved = try #require(try directory.allFiles().first { $0.key.contains("tail.saved") })
    #expect(saved.value == [UInt8](repeating: 0, count: count))
  }

  /// A record that is all there but for its LENGTH was not cut off.
  @Test(arguments: [0, 5, 6], [Storage.Access.readWrite, .readOnly])
  func theLastLengthDamagedIsNoTornEnd(byte: Int, access: Storage.Access) async throws {
    let directory = TemporaryDirectory()
    var bytes = try goFile()
    let index = try #require(try goIndexes(bytes).last)
    bytes[index + byte] ^= 0x41
    try directory.write(bytes, to: "log.bilog")
    let damage = await corruption { try directory.open(access: access, format: .bilog) }
    #expect(damage?.index == index && damage?.reason.code == .sizeField)
    #expect(try directory.bytes(of: "log.bilog") == bytes)
    let report = try Storage.repair("log", in: directory.path, format: .bilog)
    #expect(report.lost.first?.index == index && !report.isHealthy)
  }

  @Test(arguments: [12, 0]) func repairKeepsWhatIsWholeOfADamagedLog(byte: Int) async throws {
    let directory = TemporaryDirectory()
    var bytes = try goFile()
    bytes[62 + byte] ^= 1
    try directory.write(bytes, to: "log.bilog")
    let report = try Storage.repair("log", in: directory.path, format: .bilog, applying: true)
    let storage = try directory.open(format: .bilog)
    defer { storage.close() }
    let log = try storage.log("log")
    #expect(try await log.record(at: 1).text.hasPrefix("payload 3 "))
    if byte == 12 {
      #expect(report.sound == 16 && report.lost.map(\.sequences) == [2..<3])
      #expect(await corruption { _ = try await log.record(at: 2) }?.sequence == 2)
      for number in 3..<17 { _ = try await log.record(at: number) }
    } else {
      // Behind a record whose LENGTH is not sound nothing tells where the next begins.
      #expect(report.sound == 2 && log.count == 2)
    }
  }

  @Test func aReaderFollowsAWriterOfTheSameFile() async throws {
    let directory = TemporaryDirectory()
    let writing = try directory.open(format: .bilog)
    try await writing.append("before", to: "log")
    let reading = try directory.open(access: .readOnly, format: .bilog)
    defer { reading.close() }
    var stream = reading.stream("log")
    #expect(try await stream.next()?.text == "before")
    let log = try writing.log("log")
    let transaction = try await log.beginTransaction()
    try await transaction.append("staged")
    #expect(try await stream.next(timeout: .milliseconds(30)) == nil)
    try await transaction.append("staged too")
    try await transaction.commit()
    #expect(try await stream.next()?.text == "staged")
    #expect(try await stream.next()?.text == "staged too")
    writing.close()
    // The next writer uses the same companion.
    let again = try directory.open(format: .bilog)
    defer { again.close() }
    for number in 0..<300 { try await again.append("\(number)", to: "log") }
    for number in 0..<300 { #expect(try await stream.next()?.text == "\(number)") }
  }

  @Test func aReaderFollowsTheGoProgram() async throws {
    let directory = TemporaryDirectory()
    try directory.write(try goFile(), to: "log.bilog")
    let storage = try directory.open(access: .readOnly, format: .bilog)
    defer { storage.close() }
    var stream = storage.stream("log", from: .latest)
    #expect(try await stream.next(timeout: .zero) == nil)
    let file = try FileHandle(forWritingTo: URL(filePath: directory.file("log.bilog")))
    try file.seekToEnd()
    let record = goRecord(pattern(100))
    try file.write(contentsOf: record[..<50])
    #expect(try await stream.next(timeout: .milliseconds(30)) == nil)
    try file.write(contentsOf: record[50...])
    #expect(try await stream.next()?.payload.elementsEqual(pattern(100)) ?? false)
    // Another writer comes: what it stages is nobody's until it commits.
    let writing = try directory.open(format: .bilog)
    defer { writing.close() }
    let transaction = try await writing.log("log").beginTransaction()
    try await transaction.append("staged")
    #expect(try await stream.next(timeout: .milliseconds(30)) == nil)
    try await transaction.commit()
    #expect(try await stream.next()?.text == "staged")
  }

  @Test func whatWasStagedWhenTheProcessDiedIsGone() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(format: .bilog)
    try await storage.append("committed", to: "log")
    let transaction = try await storage.log("log").beginTransaction()
    try await transaction.append("ghost")
    let files = try directory.allFiles()
    _ = consume transaction
    storage.close()
    let copy = TemporaryDirectory()
    for (name, bytes) in files { try copy.write(bytes, to: name) }
    for access in [Storage.Access.readOnly, .readWrite] {
      let storage = try copy.open(access: access, format: .bilog)
      defer { storage.close() }
      #expect(try texts(storage.log("log")) == ["committed"])
      if access == .readWrite { #expect(try await storage.append("next", to: "log").sequence == 1) }
    }
  }

  @Test func anotherProgramsAppendWhileTheLogWasOpenIsNotOverwritten() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open(format: .bilog)
    defer { storage.close() }
    try directory.write(goRecord([1, 2, 3]), to: "log.bilog")
    await #expect(corruption { try await storage.append("x", to: "log") } != nil)
    #expect(try directory.bytes(of: "log.bilog") == goRecord([1, 2, 3]))
  }

  @Test func aNamespaceAndAPartitionOfOneNameDoNotMeet() async throws {
    let directory = TemporaryDirectory()
    let namespace = try directory.open()
    let partition = try directory.open(format: .bilog)
    try await namespace.append("a", to: "log")
    try await partition.append("b", to: "log")
    namespace.close()
    partition.close()
    #expect(Set(try directory.allFiles().keys) == ["log.log", "log.idx", "log.bilog", "log.bilog.companion"])
    // Nor do they where the namespace is called as the partition's file.
    let third = try Storage(directory: directory.path, namespaces: ["log.bilog", "log.bilog.companion"])
    try await third.append("c", to: "log.bilog")
    try await third.append("d", to: "log.bilog.companion")
    third.close()
    for (format, name, text) in [
      (LogFormat?.none, "log", "a"), (.bilog, "log", "b"), (nil, "log.bilog", "c"), (nil, "log.bilog.companion", "d"),
    ] {
      var configuration = Storage.Configuration()
      configuration.format = format
      let storage = try Storage(directory: directory.path, namespaces: [name], configuration: configuration)
      defer { storage.close() }
      #expect(try texts(storage.log(name)) == [text])
    }
  }
}
