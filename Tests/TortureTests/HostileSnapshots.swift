import Foundation
import Immuta
import ImmutaCodable
import ImmutaTestSupport

/// A sound log with a projection, whose snapshot somebody made up.
struct HostileSnapshot: CustomStringConvertible {
  private(set) var tree: FileTree
  /// Whether what it says of the state is true, if anything of it is believed.
  private(set) var isStateSound = true
  private var what: [String] = []

  private static let namespace = HostileFiles.namespace
  private static let count = 8
  static let path = "\(namespace).projections/total.snapshot"

  var description: String { what.joined(separator: "; ") }

  static func sound() async throws -> FileTree {
    try await FileTree.made(by: [namespace]) { storage in
      let log = try storage.log(namespace)
      for number in 0..<count - 2 { try await log.append(HostileLog.text(number)) }
      let total = try projection(log)
      try await total.catchUp()
      try await total.save()
      for number in count - 2..<count { try await log.append(HostileLog.text(number)) }
    }
  }

  static func projection(_ log: Log) throws -> Projection<[Int]> {
    try log.projection(named: "total", initial: [], saving: .onDemand) { state, record in state.append(record.size) }
  }

  init(_ sound: FileTree, using generator: inout SeededGenerator) {
    tree = sound
    guard var bytes = tree.files[Self.path] else { return }
    if generator.oneIn(4) {
      let states = ["[]", "[1,2", "{}", "[9223372036854775808]", "null", "[-1]", "[\"\u{7}\"]", ""]
      let state = Array((states.randomElement(using: &generator) ?? "").utf8)
      bytes.removeLast(bytes.count - 96)
      bytes += state
      bytes.store(state.count, 8, at: 80)
      bytes.store(Int(Checksum.crc32c(state)), 4, at: 76)
      isStateSound = false
      what.append("state \(state)")
    }
    if let said = HostilePart.snapshotHeader.lie(in: &bytes, at: 0, &generator) {
      // Without the last record's entry nothing else says how many records are in it.
      if ["SEQUENCE", "FLAGS", "INDEX", "CRC"].contains(where: { said.contains($0) }) { isStateSound = false }
      what.append(said)
    }
    if generator.oneIn(8) {
      bytes.removeLast(Int.random(in: 0...bytes.count, using: &generator))
      what.append("cut at \(bytes.count)")
    } else if generator.oneIn(8) {
      tree.holes[Self.path] = bytes.count + Int.random(in: 0...100_000, using: &generator)
      what.append("with a hole")
    }
    tree.files[Self.path] = bytes
  }

  // MARK: The trial

  func run(in directory: String) async throws {
    for access in [Storage.Access.readOnly, .readWrite] {
      try tree.write(to: directory)
      var configuration = Storage.Configuration()
      configuration.access = access
      let storage = try Storage(directory: directory, namespaces: [Self.namespace], configuration: configuration)
      defer { storage.close() }
      let log = try storage.log(Self.namespace)
      // Whatever is wrong with a snapshot is a reason to read the records, and no error.
      let total = try Self.projection(log)
      guard (0...Self.count).contains(total.position) else { throw Finding("\(total.position) records are in it") }
      try await total.catchUp()
      guard total.position == Self.count else { throw Finding("\(total.position) records are in it") }
      let sizes = (0..<Self.count).map { HostileLog.text($0).utf8.count }
      if isStateSound, total.state != sizes { throw Finding("the state is \(total.state), and not \(sizes)") }
      try await total.save()
    }
  }
}
