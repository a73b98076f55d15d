import Foundation
import Immuta
import ImmutaLogStore
import ImmutaTestSupport
import Testing

/// What another user puts into a store's directory, where everybody may make files.
@Suite(.timeLimit(.minutes(1))) struct ForeignFilesTests {
  /// A store of two partitions, closed, in a directory in which everybody may make files.
  private func shared() async throws -> Workplace {
    let workplace = try Workplace()
    let store = try workplace.open(2)
    for number in 0..<10 { _ = try await store.append("message \(number)", key: "key \(number)") }
    try await store.shutdown()
    try #require(chmod(workplace.path, 0o1777) == 0)
    return workplace
  }

  private func give(_ name: String, in workplace: Workplace) throws {
    let other = try #require(OtherUser.number)
    try #require(chown("\(workplace.path)/\(name)", other, other) == 0)
  }

  /// It could send the messages of a key elsewhere, or hide partitions.
  @Test func aLayoutIsNotTakenOver() async throws {
    guard OtherUser.number != nil else { return }
    let workplace = try await shared()
    try FileBytes.write(
      Array("LogStore 1\npartitions 2\nrouting jump\n".utf8), to: "\(workplace.path)/logstore.layout")
    try give("logstore.layout", in: workplace)
    #expect(performing: { try workplace.open() }, throws: OtherUser.owns("logstore.layout"))
    #expect(
      performing: { try LogStore.repair(partition: 0, in: workplace.path, applying: true) },
      throws: OtherUser.owns("logstore.layout"))
    // Whoever reads goes by the partitions that are there.
    try FileBytes.write(
      Array("LogStore 1\npartitions 60000\nrouting jump\n".utf8), to: "\(workplace.path)/logstore.layout")
    let store = try workplace.open(access: .readOnly)
    defer { store.close() }
    #expect(store.partitionCount == 2)
    #expect(try texts(store, 0).count + texts(store, 1).count == 10)
  }

  @Test func aGroupIsNotTakenOver() async throws {
    guard OtherUser.number != nil else { return }
    let workplace = try await shared()
    try FileManager.default.createDirectory(
      atPath: "\(workplace.path)/logstore.groups", withIntermediateDirectories: true)
    try give("logstore.groups", in: workplace)
    let store = try workplace.open()
    defer { store.close() }
    #expect(performing: { try store.consumer("billing") }, throws: OtherUser.owns("logstore.groups"))
  }
}
