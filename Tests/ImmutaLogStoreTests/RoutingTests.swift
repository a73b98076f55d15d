import Foundation
import Immuta
import ImmutaLogStore
import ImmutaTestSupport
import Testing

/// Which partition a key is in, and that a directory remembers it.
@Suite struct RoutingTests {
  @Test func goCompatibleRoutesAsTheGoProgramDid() throws {
    let place = try Workplace(copyingGo: true)
    let store = try place.open()
    defer { store.close() }
    #expect(store.partitionCount == 4 && store.routing.name == "go-compatible")
    var seen = 0
    for number in 0..<4 {
      for text in try texts(store, number) {
        let key = try #require(text.split(separator: " ").last)
        #expect(store.partition(of: key) == number)
        #expect(store.partition(of: Array(key.utf8)) == number)
        seen += 1
      }
    }
    #expect(seen == 60)
  }

  /// FNV-1a's published values.
  @Test(arguments: [("", 0x811C_9DC5), ("a", 0xE40C_292C), ("foobar", 0xBF9C_F968)])
  func modIsOfTheWholeHash(key: String, hash: Int) throws {
    for count in [1, 2, 7, 10] {
      let place = try Workplace()
      let store = try place.open(count)
      defer { store.close() }
      #expect(store.partition(of: key) == hash % count)
      #expect(store.routing.name == "fnv1a-mod-n")
    }
  }

  private static let length = Routing(name: "by-length") { key, partitions in key.count % partitions }

  @Test func aRoutingOfOnesOwnIsRememberedByName() async throws {
    let place = try Workplace()
    let store = try place.open(3, routing: Self.length)
    #expect(try await store.append("x", key: "four").partition == 1)
    store.close()
    #expect(
      try String(decoding: place.bytes(of: "logstore.layout"), as: UTF8.self)
        == "LogStore 1\npartitions 3\nrouting by-length\n")
    #expect(performing: { try place.open() }, throws: isMismatch)
    #expect(performing: { try place.open(3, routing: .modulo) }, throws: isMismatch)
    let again = try place.open(routing: Self.length)
    defer { again.close() }
    #expect(try texts(again, 1) == ["x"])
  }

  @Test func aGoDirectoryRemembersHowItWasOpened() throws {
    let place = try Workplace(copyingGo: true)
    #expect(performing: { try place.open(3) }, throws: isMismatch)
    try place.open(access: .readOnly).close()
    #expect(try place.files == ["0.bilog", "1.bilog", "2.bilog", "3.bilog"])
    try place.open(4, routing: .modulo).close()
    #expect(performing: { try place.open(routing: .goCompatible) }, throws: isMismatch)
    let store = try place.open()
    defer { store.close() }
    #expect(store.routing.name == "fnv1a-mod-n")
  }

  @Test func aStoreWhosePartitionsWereNotMadeInTimeIsNoGoDirectory() throws {
    let place = try Workplace()
    try place.open(3).close()
    for name in try place.files where name != "logstore.layout" && name != "0.bilog" {
      try FileManager.default.removeItem(atPath: "\(place.path)/\(name)")
    }
    let store = try place.open()
    defer { store.close() }
    #expect(store.routing.name == "fnv1a-mod-n" && store.partitionCount == 3)
  }

  /// Where keys are cannot be told from the partitions: a guess would send the next ones elsewhere.
  @Test func aLostLayoutIsNotGuessed() async throws {
    let place = try Workplace()
    let store = try place.open(4)
    let partition = try await store.append("x", key: "k1").partition
    store.close()
    try FileManager.default.removeItem(atPath: "\(place.path)/logstore.layout")
    for partitions in [nil, 4] {
      #expect {
        try place.open(partitions)
      } throws: {
        "\($0)".contains("lost its logstore.layout") && "\($0)".contains("give the routing")
      }
    }
    // Reading needs no keys.
    let reader = try place.open(access: .readOnly)
    #expect(try texts(reader, partition) == ["x"])
    reader.close()
    let again = try place.open(4, routing: .modulo)
    #expect(again.partition(of: "k1") == partition)
    again.close()
    let remembered = try place.open()
    defer { remembered.close() }
    #expect(remembered.routing.name == "fnv1a-mod-n")
  }

  @Test func whoOnlyReadsAppendsNothingWhateverTheRouting() async throws {
    let place = try Workplace()
    try place.open(2, routing: Routing(name: "mine") { _, _ in 0 }).close()
    let reader = try place.open(access: .readOnly)
    defer { reader.close() }
    await #expect(throws: ImmutaError.readOnly) { try await reader.append("x", key: "k") }
    await #expect(throws: ImmutaError.readOnly) { try await reader.append([1], key: [2]) }
    func blocking() throws { try reader.append("x", key: "k") }
    #expect(throws: ImmutaError.readOnly) { try blocking() }
  }

  /// The Go program's last partition has no messages: one that has is not the last.
  @Test func aGoDirectoryThatLostItsLastPartitionIsNotExtended() throws {
    let place = try Workplace(copyingGo: true)
    try FileManager.default.removeItem(atPath: "\(place.path)/3.bilog")
    let before = try place.files
    #expect {
      try place.open()
    } throws: { error in
      "\(error)".contains("has 3 partitions, and the last of them has messages")
    }
    #expect(try place.files == before)
    let reader = try place.open(access: .readOnly)
    #expect(reader.partitionCount == 3)
    reader.close()
    // Whoever says so knows better.
    try place.open(3).close()
  }

  @Test func aLayoutThatHidesPartitionsIsNotBelieved() throws {
    let place = try Workplace()
    try place.open(4).close()
    let layout = "LogStore 1\npartitions 3\nrouting fnv1a-mod-n\n"
    try FileBytes.write(Array(layout.utf8), to: "\(place.path)/logstore.layout")
    for access in [Storage.Access.readWrite, .readOnly] {
      #expect {
        try place.open(access: access)
      } throws: { error in
        "\(error)".contains("logstore.layout: it says that there are 3 partitions") && "\(error)".contains("3.bilog")
      }
    }
  }

  @Test func whereThereIsNoStoreNoneIsMadeForNothing() throws {
    let place = try Workplace()
    #expect {
      try place.open()
    } throws: { error in
      "\(error)".contains("is no store: it has no partitions; to make one there, say how many")
    }
    #expect(!FileManager.default.fileExists(atPath: place.path))
  }

  @Test func aLostLastPartitionIsMissedByItsCompanion() throws {
    let place = try Workplace()
    try place.open(4).close()
    for name in ["logstore.layout", "3.bilog"] { try FileManager.default.removeItem(atPath: "\(place.path)/\(name)") }
    #expect(throws: ImmutaError.self) { try place.open(routing: .modulo) }
  }

  @Test func aMissingPartitionIsNoEmptyOne() throws {
    let place = try Workplace(copyingGo: true)
    try FileManager.default.removeItem(atPath: "\(place.path)/1.bilog")
    #expect(throws: ImmutaError.self) { try place.open() }
    #expect(try place.files.count == 3)
  }

  @Test(arguments: [
    "", "LogStore 1\n", "LogStore 02\npartitions 3\nrouting a\n", "LogStore 1\npartitions 0\nrouting a\n",
    "LogStore 1\npartitions 3\nrouting a b\n",
  ])
  func aDamagedLayoutIsReported(text: String) throws {
    let place = try Workplace()
    try place.open(3).close()
    try FileBytes.write(Array(text.utf8), to: "\(place.path)/logstore.layout")
    #expect {
      try place.open(3)
    } throws: { error in
      if case ImmutaError.corrupted = error { true } else { false }
    }
  }

  @Test(arguments: [Storage.Access.readWrite, .readOnly]) func aNewerLayoutIsRefused(_ access: Storage.Access) throws {
    let place = try Workplace()
    try place.open(3).close()
    let text = "LogStore 2\nwhatever it says\n"
    try FileBytes.write(Array(text.utf8), to: "\(place.path)/logstore.layout")
    var configuration = Storage.Configuration()
    configuration.access = access
    let error = #expect(throws: ImmutaError.self) {
      try LogStore(directory: place.path, configuration: configuration).close()
    }
    #expect(error?.description.contains("version 2") == true && error?.description.contains("up to 1") == true)
    #expect(try FileBytes.read("\(place.path)/logstore.layout") == Array(text.utf8))
  }

  /// However many digits it has.
  @Test(arguments: ["0", "9223372036854775807", "9223372036854775808", "99999999999999999999999999"])
  func anAbsurdVersionIsANewerOne(_ version: String) throws {
    let place = try place(ofVersion: version)
    #expect {
      try place.open()
    } throws: { error in
      if case ImmutaError.unsupportedVersion = error { true } else { false }
    }
  }

  @Test(arguments: ["01", "-2", "+2", "2x", ""]) func whatIsNoVersionIsDamage(_ version: String) throws {
    let place = try place(ofVersion: version)
    #expect {
      try place.open()
    } throws: { error in
      if case ImmutaError.corrupted = error { true } else { false }
    }
  }

  /// A store whose layout says that it is of a version.
  private func place(ofVersion version: String) throws -> Workplace {
    let place = try Workplace()
    try place.open(3).close()
    try FileBytes.write(Array("LogStore \(version)\n".utf8), to: "\(place.path)/logstore.layout")
    return place
  }

  @Test func anEmptyDirectoryNeedsACount() throws {
    let place = try Workplace()
    #expect(throws: ImmutaError.self) { try place.open() }
  }

  @Test func aCodecIsRefused() throws {
    let place = try Workplace()
    var configuration = Storage.Configuration()
    let nothing = WholePayloadTransformer(name: "nothing") { bytes, _ in bytes }
    configuration.codec = Codec(writing: nothing, reading: nothing)
    #expect(throws: ImmutaError.self) {
      try LogStore(directory: place.path, partitions: 1, configuration: configuration)
    }
  }
}
