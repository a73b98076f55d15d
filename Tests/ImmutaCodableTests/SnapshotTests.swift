import Foundation
import Immuta
import ImmutaCodable
import ImmutaTestSupport
import Testing

/// Snapshots that are not of the log as it is: each is dropped, with a note, and the records are read again.
@Suite(.timeLimit(.minutes(3))) struct SnapshotTests {
  private static let file = "orders.projections/trail.snapshot"

  /// A closed log of so many records, and a snapshot of all of them.
  private func fill(_ directory: TemporaryDirectory, _ count: Int, _ text: String = "") async throws {
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("orders")
    for number in 0..<count { try await log.append("\(text)\(number)") }
    let trail = try log.trail()
    try await trail.catchUp()
    try await trail.save()
  }

  /// The snapshot must be dropped for this reason, and the state must be what the log says.
  private func expectDropped(
    _ directory: TemporaryDirectory, version: Int = 1, _ reason: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let notes = Notes()
    let storage = try directory.open(notes.configuration)
    defer { storage.close() }
    let log = try storage.log("orders")
    let trail = try log.trail(version: version)
    #expect(trail.position == 0, sourceLocation: sourceLocation)
    let note = notes.all.first { $0.contains("snapshot") } ?? "no note"
    #expect(
      note.hasPrefix("the snapshot of projection “trail” is dropped: ") && note.contains(reason), "\(note)",
      sourceLocation: sourceLocation)
    try await trail.catchUp()
    #expect(try trail.state == Trail.fresh(log), sourceLocation: sourceLocation)
  }

  private func expectUsed(_ directory: TemporaryDirectory, _ count: Int) async throws {
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("orders")
    let trail = try log.trail()
    #expect(trail.position == count)
    try await trail.catchUp()
    #expect(try trail.state == Trail.fresh(log))
  }

  @Test func oneOfAnotherVersionIsDropped() async throws {
    let directory = TemporaryDirectory()
    try await fill(directory, 10)
    try await expectDropped(directory, version: 2, "it is of version 1, and version 2 is asked for")
    try await expectUsed(directory, 10)
  }

  @Test func oneOfAnotherTypeIsDropped() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    let log = try storage.log("orders")
    try await log.append("x")
    let number = try log.projection(named: "trail", initial: 0) { number, _ in number += 1 }
    try await number.catchUp()
    try await number.save()
    storage.close()
    try await expectDropped(directory, "it is no Trail, ")
  }

  @Test func oneOfAnotherLogIsDropped() async throws {
    let (directory, other) = (TemporaryDirectory(), TemporaryDirectory())
    try await fill(directory, 10)
    try await fill(other, 10)
    try directory.write(try other.bytes(of: Self.file), to: Self.file)
    try await expectDropped(directory, "it is of the log ")
  }

  @Test func eachChangedByteAndEachLengthIsNoticed() async throws {
    let directory = TemporaryDirectory(inMemory: true)
    try await fill(directory, 10)
    let bytes = try directory.bytes(of: Self.file)
    let storage = try directory.open()
    defer { storage.close() }
    let log = try storage.log("orders")
    for place in bytes.indices {
      var changed = bytes
      changed[place] ^= 1 << UInt8.random(in: 0..<8)
      try directory.write(changed, to: Self.file)
      #expect(try log.trail().position == 0, "byte \(place)")
      try directory.write(Array(bytes[..<place]), to: Self.file)
      #expect(try log.trail().position == 0, "length \(place)")
    }
    try directory.write(bytes + [0], to: Self.file)
    #expect(try log.trail().position == 0)
    try directory.write(bytes, to: Self.file)
    #expect(try log.trail().position == 10)
  }

  @Test func whatIsNoSnapshotIsDropped() async throws {
    let directory = TemporaryDirectory()
    try await fill(directory, 10)
    try directory.remove(Self.file)
    try FileManager.default.createDirectory(atPath: directory.file(Self.file), withIntermediateDirectories: false)
    try await expectDropped(directory, "not a regular file")
    try directory.remove(Self.file)
    try FileManager.default.createSymbolicLink(
      atPath: directory.file(Self.file), withDestinationPath: directory.file("orders.log"))
    try await expectDropped(directory, "is a symbolic link")
    // In place of the folder.
    try directory.remove("orders.projections")
    try directory.write([1, 2, 3], to: "orders.projections")
    try await expectDropped(directory, "give the path of a directory")
  }

  /// Somebody else may have written anything.
  @Test func oneOfAnotherUserIsDropped() async throws {
    guard geteuid() == 0 else {
      print("SKIPPED: only root can give files away; snapshots of other users are not tested")
      return
    }
    let directory = TemporaryDirectory()
    try await fill(directory, 10)
    #expect(chown(directory.file(Self.file), 12_345, 12_345) == 0)
    // Nobody but root may make files in the folder: so root has let that user have it.
    try await expectUsed(directory, 10)
    #expect(chmod(directory.file("orders.projections"), 0o777) == 0)
    try await expectDropped(directory, "belongs to the user 12345")
    #expect(chown(directory.file(Self.file), 0, 0) == 0)
    try await expectUsed(directory, 10)
    #expect(chown(directory.file("orders.projections"), 12_345, 12_345) == 0)
    #expect(chmod(directory.path, 0o777) == 0)
    try await expectDropped(directory, "belongs to the user 12345")
  }

  /// An older copy of the log is put back, which has fewer records.
  @Test func oneThatIsBeyondTheEndIsDropped() async throws {
    let directory = TemporaryDirectory()
    try await fill(directory, 5)
    let copy = try ["orders.log", "orders.idx"].map { ($0, try directory.bytes(of: $0)) }
    try await fill(directory, 5)
    try await expectUsed(directory, 10)
    for (name, bytes) in copy { try directory.write(bytes, to: name) }
    try await expectDropped(directory, "it is of 10 records, and the log has 5")
  }

  /// And then it grows past the snapshot again, by records of the same sizes, the last of which is the same.
  @Test func oneOfRecordsThatTheLogLostIsDropped() async throws {
    let directory = TemporaryDirectory()
    try await fill(directory, 5)
    let copy = try ["orders.log", "orders.idx"].map { ($0, try directory.bytes(of: $0)) }
    try await fill(directory, 5)
    for (name, bytes) in copy { try directory.write(bytes, to: name) }
    let storage = try directory.open()
    for text in ["A", "B", "C", "D", "4", "E"] { try await storage.append(text, to: "orders") }
    storage.close()
    try await expectDropped(directory, "record 9 is not the one that it was made of")
  }

  @Test func oneThatWasNotStableCountsAsLongAsTheMachineRuns() throws {
    let identity = LogIdentity.random()
    var snapshot = Snapshot(
      identity: identity, sequence: 3, stateVersion: 1, bootIdentity: 7, isStable: false,
      last: CompanionEntry(index: 16, time: 5, recordChecksum: 9))
    func reason(_ run: UInt64, _ entry: CompanionEntry? = nil) -> String? {
      snapshot.reasonAgainst(identity, count: 3, stateVersion: 1, entry: entry, run: run)
    }
    #expect(reason(7) == nil)
    #expect(reason(8)?.contains("restarted") == true)
    snapshot.bootIdentity = 0
    #expect(reason(0)?.contains("restarted") == true)
    snapshot.isStable = true
    #expect(reason(8) == nil)
    // Another time, as its companion was made again: the same record.
    #expect(reason(8, CompanionEntry(index: 16, time: 6, recordChecksum: 9, isMade: true)) == nil)
    #expect(reason(8, CompanionEntry(index: 16, time: 6, recordChecksum: 9)) != nil)
    #expect(reason(8, CompanionEntry(index: 17, time: 5, recordChecksum: 9)) != nil)
    #expect(reason(8, CompanionEntry(index: 16, time: 5, recordChecksum: 8)) != nil)
    let bytes = snapshot.encoded(with: [1, 2])
    #expect(try bytes.withUnsafeBytes { try Snapshot.header(decoding: $0) }.snapshot == snapshot)
  }

  /// Each call that saving makes fails in turn.
  @Test(arguments: [FileCall.open, .write, .flush, .rename, .lock, .makeDirectory, .unlink])
  func aSaveThatFailsLeavesTheOldSnapshotOrTheNew(_ call: FileCall) async throws {
    var failed = 0
    for place in 1...12 {
      for hasOld in [false, true] {
        let directory = TemporaryDirectory(inMemory: true)
        let storage = try directory.open()
        defer { storage.close() }
        let log = try storage.log("orders")
        let trail = try log.trail()
        for number in 0..<5 { try await log.append("\(number)") }
        try await trail.catchUp()
        if hasOld { try await trail.save() }
        for number in 5..<10 { try await log.append("\(number)") }
        try await trail.catchUp()
        let injector = FaultInjector(
          directory: directory.file("orders.projections"), .error(EIO), of: call, at: place, lasting: false)
        do {
          try await injector.run { try await trail.save() }
          #expect(trail.savedPosition == 10)
        } catch let error as ImmutaError {
          failed += 1
          #expect(error.namespace == nil || error.namespace == "orders")
          #expect(trail.savedPosition == (hasOld ? 5 : 0))
        }
        let again = try log.trail()
        #expect([hasOld ? 5 : 0, 10].contains(again.position))
        try await again.catchUp()
        #expect(try again.state == Trail.fresh(log))
        // And it goes on.
        try await trail.save()
        #expect(try log.trail().position == 10)
      }
    }
    #expect(failed > 0 || call == .unlink || call == .makeDirectory)
  }
}
