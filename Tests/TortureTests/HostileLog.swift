import Foundation
import Immuta
import ImmutaTestSupport

/// A log whose files somebody made up, taken by every call that takes the files of a log.
struct HostileLog {
  let directory: String
  var name = HostileFiles.namespace
  let format: LogFormat
  let belief: Belief
  /// Whether it is also copied, by salvage and as a backup does.
  var isCopied = false

  /// What may be delivered.
  enum Belief: Int {
    /// The files of the records were changed.
    case any
    /// They are under other names: what was appended, whatever its number is.
    case known
    /// Each record with its own number.
    case numbered
  }

  /// What record `number` was appended as.
  static func text(_ number: Int) -> String {
    "\(number) " + String(repeating: "x", count: number * 7 % 30)
  }

  static let appended = "appended"

  func run() async throws {
    try await looking { try await read() }
    try await looking {
      let survey = try LogSurvey(name, in: directory, isPartition: format == .bilog)
      guard survey.unverifiableBefore >= 0 else { throw Finding("\(survey.unverifiableBefore) are not verifiable") }
    }
    try await looking { for lost in try Storage.lostNamespaces(in: directory) { _ = "\(lost)" } }
    try await looking { _ = try repair(applying: false) }
    if isCopied { try await copies() }
    if try await append() { return }
    // What opening refuses, repair may fix.
    var isMended = false
    try await looking { isMended = try repair(applying: true).isApplied }
    if isMended { _ = try await append() }
  }

  /// The world's errors are fine.
  func looking(_ body: () async throws -> Void) async throws {
    do { try await body() } catch let error as ImmutaError { _ = "\(error)" }
  }

  func open(_ access: Storage.Access) throws -> Storage {
    try Storage(directory: directory, namespaces: [name], configuration: configuration(access))
  }

  private func configuration(_ access: Storage.Access) -> Storage.Configuration {
    var configuration = Storage.Configuration()
    configuration.access = access
    if format == .bilog { configuration.format = .bilog }
    return configuration
  }

  /// Throws where a record is delivered that was not appended.
  func check(_ record: Record, at number: Int) throws {
    guard record.sequence == number else { throw Finding("record \(record.sequence) was delivered as \(number)") }
    let text = record.text
    switch belief {
    case .any: return
    case .known:
      if text == Self.appended { return }
      let said = text.split(separator: " ").first.flatMap { Int($0) } ?? -1
      guard said >= 0, said < 1000, text == Self.text(said) else { throw Finding("nobody appended \(text)") }
    case .numbered:
      guard text == Self.text(number) || text == Self.appended else { throw Finding("record \(number) is \(text)") }
    }
  }

  // MARK: Reading

  private func repair(applying: Bool) throws -> RepairReport {
    let report = try Storage.repair(
      name, in: directory, format: format == .bilog ? .bilog : nil, applying: applying)
    _ = report.description
    return report
  }

  private func read() async throws {
    let storage = try open(.readOnly)
    defer { storage.close() }
    let log = try storage.log(name)
    try await looking {
      let details = try log.details
      _ = details.description
      guard (0...details.count).contains(details.verifiable) else {
        throw Finding("\(details.verifiable) of \(details.count) are verifiable")
      }
    }
    let (first, count) = (log.firstSequence, log.count)
    guard (0...count).contains(first) else { throw Finding("the first of \(count) records is \(first)") }
    for number in Set([0, 1, first, first + 1, count / 2, count - 1]).union(0..<min(count, 14)).sorted() {
      try await looking {
        let record = try await log.record(at: number)
        try check(record, at: number)
        _ = log.clockTime(of: record)
      }
    }
    try await looking { try stream(log) }
    try await looking {
      for segment in try log.segments() + log.removable(before: count) { _ = "\(segment)" }
    }
    for moment in [Int64.min, 0, Int64.max / 2, .max] {
      try await looking {
        let found = try log.sequence(at: Timestamp(nanosecondsSince1970: moment))
        guard (0...log.count).contains(found) else { throw Finding("record \(found) is the first of \(log.count)") }
      }
    }
    try await looking { _ = try await log.verify().description }
  }

  private func stream(_ log: Log) throws {
    var stream = log.stream()
    var last = -1
    for _ in 0..<20 {
      guard let record = try stream.nextAtOnce() else { return }
      guard record.sequence > last else { throw Finding("record \(record.sequence) came after \(last)") }
      last = record.sequence
      try check(record, at: record.sequence)
    }
  }

  /// Reads on while somebody writes over the files.
  func follow(_ change: () throws -> Void) async throws {
    let storage = try open(.readOnly)
    defer { storage.close() }
    let log = try storage.log(name)
    var stream = log.stream()
    for round in 0..<12 {
      if round == 4 { try change() }
      try await looking {
        if let record = try stream.nextAtOnce() { try check(record, at: record.sequence) }
      }
    }
    for number in 0..<12 {
      try await looking { try check(try await log.record(at: number), at: number) }
    }
    try await looking { _ = try log.details.description }
    try await looking { _ = try await log.verify().description }
  }

  // MARK: Copying

  private func copies() async throws {
    try await looking {
      let report = try Storage.salvage(name, in: directory, into: "saved", configuration: configuration(.readWrite))
      _ = report.description
      let saved = HostileLog(directory: directory, name: "saved", format: format, belief: .any)
      let storage = try saved.open(.readOnly)
      defer { storage.close() }
      let count = try storage.log("saved").count
      guard count == report.sound else { throw Finding("\(report.sound) records were saved, and \(count) are there") }
    }
    try await looking {
      let storage = try open(.readOnly)
      defer { storage.close() }
      let log = try storage.log(name)
      let target = TemporaryDirectory(inMemory: true)
      defer { withExtendedLifetime(target) {} }
      do {
        let report = try log.copy(before: log.count, to: try Directory(opening: target.path))
        guard report.count == log.count else { throw Finding("\(report.count) of \(log.count) records were copied") }
      } catch is CopyRefusal {}
    }
  }

  // MARK: Appending

  /// Whether it can be opened for appending; then what is appended must be there afterwards.
  private func append() async throws -> Bool {
    let storage: Storage
    do {
      storage = try open(.readWrite)
    } catch let error as ImmutaError {
      _ = "\(error)"
      return false
    }
    let log = try storage.log(name)
    let before = log.count
    do {
      let receipt = try await log.append(Self.appended)
      guard receipt.sequence == before else { throw Finding("a record was appended as \(receipt.sequence)") }
    } catch let error as ImmutaError {
      throw Finding("what was opened cannot be appended to: \(error)")
    }
    try await looking { try await log.roll() }
    storage.close()
    let again: Storage
    do {
      again = try open(.readWrite)
    } catch {
      throw Finding("what was appended to and closed cannot be opened: \(error)")
    }
    defer { again.close() }
    let reopened = try again.log(name)
    guard reopened.count == before + 1, try await reopened.record(at: before).text == Self.appended else {
      throw Finding("what was appended is not there")
    }
    try await looking { try stream(reopened) }
    return true
  }
}
