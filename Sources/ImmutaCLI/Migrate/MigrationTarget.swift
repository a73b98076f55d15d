import Immuta
import ImmutaLogStore

/// Where records are migrated to: one log or several; each gets its records in the source's order.
///
/// What a log has already must be what it would get: so a migration that was interrupted goes on, and one that is over
/// is verified by doing it again. A log alone gives each record the number that it has in the source; what either of the two
/// has removed is not compared.
final class MigrationTarget {
  /// For messages.
  let name: String
  private let logs: [Log]
  private let kind: LogKind
  /// Which of the logs a payload goes to, and what of it.
  private let route: (ArraySlice<UInt8>) throws(LineRefusal) -> (log: Int, payload: ArraySlice<UInt8>)
  private let skipped: SkippedLines
  /// Closes the storage that it is part of, and throws what went wrong; one call is enough for all logs of one storage.
  let shutdown: () async throws -> Void
  private var streams: [RecordStream] = []
  private var present: [Int] = []
  /// The first records that the logs have.
  private var firsts: [Int] = []
  /// The numbers that the next records get.
  private var positions: [Int] = []

  /// A single log.
  init(_ log: Log, name: String, of storage: Storage) {
    self.name = name
    shutdown = { try await storage.shutdown() }
    (logs, kind) = ([log], .namespace)
    skipped = SkippedLines(isAllowed: false)
    route = { payload in (0, payload) }
    rewind()
  }

  /// A store's partitions.
  init(_ store: LogStore, keys: KeySource, name: String, _ skipped: SkippedLines) throws {
    self.skipped = skipped
    self.name = name
    shutdown = { try await store.shutdown() }
    kind = .partition
    logs = try (0..<store.partitionCount).map { try store.partition($0).log }
    route = { (payload) throws(LineRefusal) in
      let (key, payload) = try keys.split(payload)
      return (store.partition(of: key), payload)
    }
    rewind()
  }

  /// Begins again: what the target has is compared from the first record on.
  func rewind() {
    firsts = logs.map(\.firstSequence)
    streams = zip(logs, firsts).map { $0.stream(from: .skipping($1)) }
    present = logs.map(\.count)
    positions = logs.map { _ in 0 }
  }

  /// The first record that comes next is the source's first.
  func begin(with source: any MigrationSource) throws {
    guard logs.count == 1, !isRouting, source.first > 0 else { return }
    let first = source.first
    if present[0] < first {
      let lost = "records \(present[0]) to \(first - 1) of \(source.name) were removed before they were copied"
      throw ToolError("\(lost): \(name) cannot go on with record \(first); migrate into a new log")
    }
    positions[0] = first
    if streams[0].position < first { streams[0] = logs[0].stream(from: .skipping(first)) }
  }

  /// Compares a record with what the target has, or appends it where nothing is; whether it appended. Nil for one that has no
  /// key and is passed over.
  ///
  /// - Parameter place: what the record is called in an error.
  func accept(_ bytes: UnsafeRawBufferPointer, from place: @autoclosure () -> String) throws -> Bool? {
    // A log of its own takes the bytes where they are.
    if logs.count == 1, positions[0] >= present[0], !isRouting {
      try logs[0].append(bytes)
      positions[0] += 1
      return true
    }
    let routed: Result<(log: Int, payload: ArraySlice<UInt8>), LineRefusal> = routed(Array(bytes)[...])
    guard case .success(let (log, payload)) = routed else {
      if case .failure(let refusal) = routed { try skipped.take("\(place()) \(refusal.reason)") }
      return nil
    }
    let position = positions[log]
    positions[log] += 1
    if position >= present[log] {
      try logs[log].append(payload)
      return true
    }
    // The target had it once.
    if position < firsts[log] { return false }
    guard let record = try streams[log].nextAtOnce(), Self.areEqual(record.payload, payload) else {
      throw ToolError(
        "\(name) already holds something else: record \(position) of \(label(log)) is not the source's")
    }
    return false
  }

  private func routed(_ bytes: ArraySlice<UInt8>) -> Result<(log: Int, payload: ArraySlice<UInt8>), LineRefusal> {
    Result { () throws(LineRefusal) in try route(bytes) }
  }

  private static func areEqual(_ one: Payload, _ other: ArraySlice<UInt8>) -> Bool {
    one.count == other.count
      && one.withUnsafeBytes { one in other.withUnsafeBytes { other in System.areEqual(one, other) } }
  }

  private var isRouting: Bool { kind == .partition }

  private func label(_ log: Int) -> String { kind.label(logs[log].namespace) }

  /// Throws unless all that the target has was compared.
  func checkNothingIsLeft() throws {
    for (number, log) in logs.enumerated() where positions[number] < log.count {
      let count = Quantities.counted(log.count, "record")
      throw ToolError("\(name) holds more than the source: \(count) in \(label(number))")
    }
  }

  /// Puts everything on stable storage.
  func sync() throws {
    for log in logs { try log.sync() }
  }

  /// Checks every record against its checksum.
  @MainActor func verify() async throws {
    for log in logs { try await log.verify() }
  }
}
