import Foundation
import Immuta
import ImmutaCodable
import ImmutaTestSupport
import Testing

// The other files of a log: segments, positions of consumers, intents of steps, states of work queues, indexes of keys and
// snapshots.

extension HostileFilesTests {
  /// A round of some files, each of which takes longer to try.
  private static let inputsOfARound = 250

  @Test func hostileSegmentsAreHeldToWhatTheyHold() async throws {
    let sound = try await HostileSegments.sound()
    try await HostileInputs.run("hostile segments", Self.inputsOfARound) { generator in
      try HostileSegments(sound, using: &generator)
    } _: { input, directory in
      let log = HostileLog(
        directory: directory, format: input.format, belief: input.belief, isCopied: input.isCopied)
      if let before = input.before {
        try before.write(to: directory)
        try await log.follow { try input.tree.overwrite(in: directory) }
      }
      try input.tree.write(to: directory)
      try await log.run()
    }
  }

  @Test func hostilePositionsAreHeldToTheLog() async throws {
    let sound = try await HostileConsumer.sound()
    try await HostileInputs.run("hostile positions of consumers", Self.inputsOfARound) { generator in
      HostileConsumer(sound, using: &generator)
    } _: { input, directory in
      try await input.run(in: directory)
    }
  }

  @Test func hostileIntentsAddNothingToALog() async throws {
    let sound = try await HostileStep.sound()
    try await HostileInputs.run("hostile intents of steps", Self.inputsOfARound) { generator in
      HostileStep(sound, using: &generator)
    } _: { input, directory in
      try await input.run(in: directory)
    }
  }

  @Test func hostileStatesOfQueuesLoseNoJob() async throws {
    let sound = try await HostileQueue.sound()
    try await HostileInputs.run("hostile states of work queues", Self.inputsOfARound) { generator in
      HostileQueue(sound, using: &generator)
    } _: { input, directory in
      try await input.run(in: directory)
    }
  }

  @Test func hostileIndexesDeliverWhatHasTheKey() async throws {
    let sound = try await HostileKeys.sound()
    try await HostileInputs.run("hostile indexes of keys", Self.inputsOfARound) { generator in
      HostileKeys(sound, using: &generator)
    } _: { input, directory in
      try await input.run(in: directory)
    }
  }

  @Test func hostileSnapshotsAreNoErrors() async throws {
    let sound = try await HostileSnapshot.sound()
    try await HostileInputs.run("hostile snapshots", Self.inputsOfARound) { generator in
      HostileSnapshot(sound, using: &generator)
    } _: { input, directory in
      try await input.run(in: directory)
    }
  }

  // MARK: What was found

  /// Two of them, and the one in front says that it ends where no number is.
  @Test func aSegmentBeginsWhereALogCanHaveARecord() async throws {
    let closed = try #require(try await HostileSegments.sound().first(where: { $0.format == .v2 }))
    let directory = TemporaryDirectory(inMemory: true)
    var tree = closed.tree
    let folder = "\(HostileFiles.namespace).segments"
    for number in ["09223372036854775806", "09223372036854775807"] {
      tree.files["\(folder)/\(number).log"] = tree.files["\(folder)/00000000000000000009.log"]
      var companion = try #require(tree.files["\(folder)/00000000000000000009.idx"])
      for slot in [0, TwoSlots.slotSize] where companion[slot] != 0 {
        companion.store(LogFormat.mostRecords, 8, at: slot + 24)
        companion.store(CompanionHeader.unnamedFirst, 8, at: slot + 1104)
        companion[slot + 13] = 1
        let checksum = Checksum.crc32c(Array(companion[slot..<slot + TwoSlots.checksumOffset]))
        companion.store(Int(checksum), 4, at: slot + TwoSlots.checksumOffset)
      }
      tree.files["\(folder)/\(number).idx"] = companion
    }
    try tree.write(to: directory.path)
    try await HostileLog(directory: directory.path, format: .v2, belief: .numbered).run()
  }

  /// Calls with an index of keys of which a file was changed.
  private func withKeys(
    _ name: String, _ change: (inout [UInt8]) throws -> Void, hole: Int? = nil,
    _ body: (TemporaryDirectory, KeyedLog<String>) async throws -> Void
  ) async throws {
    var tree = try await HostileKeys.sound()
    let path = try #require(tree.paths(ending: "\(name).keys").first)
    var bytes = try #require(tree.files[path])
    try change(&bytes)
    bytes.store(Int(Checksum.crc32c(Array(bytes[..<124]))), 4, at: 124)
    tree.files[path] = bytes
    tree.holes[path] = hole
    let directory = TemporaryDirectory(inMemory: true)
    try tree.write(to: directory.path)
    let storage = try Storage(directory: directory.path, namespaces: [HostileFiles.namespace])
    defer { storage.close() }
    try await body(directory, try HostileKeys.keyed(storage.log(HostileFiles.namespace)))
  }

  /// The numbers of the records that have a key, as far as they were not removed.
  private static func numbers(of key: String) -> [Int] {
    (HostileKeys.removed..<HostileKeys.count).filter { HostileKeys.key($0) == key }
  }

  private func delivered(_ index: KeyedLog<String>, _ key: String) async throws -> [Int] {
    var numbers: [Int] = []
    for try await record in index.records(of: key) { numbers.append(record.sequence) }
    return numbers
  }

  @Test func noKeyHadMoreRecordsThanWereRemoved() async throws {
    try await withKeys("removed") { bytes in
      for slot in 0..<bytes.number(8, at: 56) {
        bytes.store(.max, 8, at: 128 + 32 * slot + 16)
        HostileKeys.seal(&bytes, at: 128 + 32 * slot, number: slot)
      }
    } _: { _, index in
      let count = try await index.count(of: "a")
      #expect(count == Self.numbers(of: "a").count)
    }
  }

  /// A file may claim more postings than it has bytes on the device.
  @Test(arguments: [1 << 36, Int.max / 32]) func aHoleOfPostingsTakesNoMemory(_ postings: Int) async throws {
    let before = Memory.now
    let groups = 3
    try await withKeys(
      "00000000000000000008",
      { bytes in
        bytes.store(groups, 8, at: 56)
        bytes.store(postings, 8, at: 64)
        bytes.store(postings - 4, 8, at: 96)
      }, hole: postings < 1 << 40 ? 128 + 32 * (groups + postings) : Int.max
    ) { _, index in
      let numbers = try await delivered(index, "a")
      #expect(numbers == Self.numbers(of: "a"))
      let record = try await index.record(3, of: "b")
      #expect(record?.sequence == Self.numbers(of: "b")[1])
    }
    #expect(Memory.now - before < 64 << 20)
  }

  /// All slots of a file are of one key, and have all of its postings.
  @Test func aPostingIsOfOneKey() async throws {
    try await withKeys("00000000000000000008") { bytes in
      let groups = bytes.number(8, at: 56)
      let postings = bytes.number(8, at: 64)
      let hash = Array(bytes[128..<144])
      for slot in 0..<groups {
        bytes.replaceSubrange(128 + 32 * slot..<144 + 32 * slot, with: hash)
        bytes.store(0, 8, at: 144 + 32 * slot)
        bytes.store(postings, 4, at: 152 + 32 * slot)
        HostileKeys.seal(&bytes, at: 128 + 32 * slot, number: slot)
      }
    } _: { _, index in
      for key in ["a", "b", "c"] {
        let numbers = try await delivered(index, key)
        #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
      }
    }
  }

  @Test func aRecordOfAKeyComesOnce() async throws {
    try await withKeys("00000000000000000008") { bytes in
      let start = 128 + 32 * bytes.number(8, at: 56)
      let first = Array(bytes[start..<start + 28])
      for posting in 0..<bytes.number(8, at: 64) {
        bytes.replaceSubrange(start + 32 * posting..<start + 32 * posting + 28, with: first)
        HostileKeys.seal(&bytes, at: start + 32 * posting, number: posting)
      }
    } _: { _, index in
      for key in ["a", "b", "c"] {
        let numbers = try await delivered(index, key)
        #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
      }
    }
  }

  /// It would be found again as often as it is made again.
  @Test func aDamagedIndexThatCannotBeRemovedIsInMemory() async throws {
    try await withKeys("00000000000000000008") { bytes in
      let groups = bytes.number(8, at: 56)
      // The second posting of the key that has two.
      for slot in 0..<groups where bytes.number(4, at: 152 + 32 * slot) == 2 {
        bytes[128 + 32 * groups + 32 * (bytes.number(8, at: 144 + 32 * slot) + 1)] ^= 1
      }
    } _: { directory, index in
      try await FaultInjector(directory: directory.path, .error(EACCES), of: .unlink, lasting: true).run {
        let record = try await index.record(3, of: "b")
        #expect(record?.sequence == Self.numbers(of: "b")[1])
        let numbers = try await delivered(index, "b")
        #expect(numbers == Self.numbers(of: "b"))
      }
    }
  }

  @Test func aSnapshotIsAsLongAsItsFile() async throws {
    var tree = try await HostileSnapshot.sound()
    var bytes = try #require(tree.files[HostileSnapshot.path])
    bytes.store(.max, 8, at: 80)
    bytes.store(Int(Checksum.crc32c(Array(bytes[..<92]))), 4, at: 92)
    tree.files[HostileSnapshot.path] = bytes
    let directory = TemporaryDirectory(inMemory: true)
    try tree.write(to: directory.path)
    let storage = try Storage(directory: directory.path, namespaces: [HostileFiles.namespace])
    defer { storage.close() }
    let total = try HostileSnapshot.projection(storage.log(HostileFiles.namespace))
    #expect(total.position == 0)
    try await total.catchUp()
    #expect(total.state.count == 8)
  }

  /// The bytes that it names are whole, and have the checksum: but they are the last record's, or those of another layout.
  @Test(arguments: [true, false]) func aStepBeginsWhereItsLogEnds(isRepeated: Bool) async throws {
    var step = HostileStep(try await HostileStep.sound())
    var bytes = try #require(step.tree.files[HostileStep.intents])
    // Version 1 of the layout.
    if isRepeated { step.stageAgain(in: &bytes, 0) } else { bytes.store(1, 4, at: 48 + 19) }
    step.seal(&bytes, sound: 0)
    step.tree.files[HostileStep.intents] = bytes
    let directory = TemporaryDirectory(inMemory: true)
    try await step.run(in: directory.path)
  }

  @Test func hostileNotesOfLocksAreOnlyTold() throws {
    let directory = TemporaryDirectory(inMemory: true)
    try Storage(directory: directory.path, namespaces: ["events"]).close()
    for text in [
      "pid -1\nsince 0\n", "pid 99999999999999999999\nsince x\n",
      "pid 1\nsince -9223372036854775808\nnamespace \u{1B}[2J\n",
      "pid 1\nsince 9223372036854775807\n", "pid \u{1B}[2J\n", String(repeating: "pid 1\n", count: 1000),
    ] {
      try FileBytes.write(Array(text.utf8), to: directory.file("events.lock"))
      let file = open(directory.file("events.lock"), O_RDWR)
      defer { close(file) }
      try #require(flock(file, LOCK_EX | LOCK_NB) == 0)
      do {
        try Storage(directory: directory.path, namespaces: ["events"]).close()
        Issue.record("it was opened")
      } catch {
        guard case .locked = error else { throw error }
        #expect("\(error)".unicodeScalars.allSatisfy { $0.value >= 32 })
      }
    }
  }

  /// The names and the files of a group's members.
  @Test func hostileMembersAreNotCounted() throws {
    let directory = TemporaryDirectory(inMemory: true)
    let folder = try directory.subdirectory("logstore.groups/reader")
    for name in ["-1", "+1", "01", "1x", "65536", "9223372036854775807", "99999999999999999999", "\u{1B}[2J", "1", "7"]
    {
      try FileBytes.write(Array("pid 1\nsince 9223372036854775807\n".utf8), to: "\(folder)/\(name)")
    }
    let place = try Directory(opening: directory.path)
    let group = GroupFolder(of: "reader", in: place, like: "none", acceptsFilesOfOthers: false)
    #expect(try group.members().isEmpty)
    let seat = try group.join()
    #expect(seat.number == 0)
    #expect(try group.numbers(with: seat) == [0])
    #expect(try group.members().count == 1)
    group.prompt()
    seat.leave()
    #expect(try group.members().isEmpty)
    try group.remove()
  }
}
