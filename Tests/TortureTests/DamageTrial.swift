import Foundation
import Immuta
import ImmutaTestSupport

/// One damaged log, opened for reading and for writing.
///
/// What must hold:
///
/// - Opening either works or throws `.corrupted`, and then leaves the files as they were.
/// - A record that is read is the one that was appended. One that is not throws `.corrupted` with its number, and its
///   bytes or its entry are damaged.
/// - No record is missing, unless it was never promised to be stable and the machine went down since.
/// - Where opening for writing refuses, reading brings every record that is whole.
struct DamageTrial {
  let sample: DamagedSample
  let damage: Damage
  let file: DamagedSample.File
  let directory: String
  let verifiesChecksums: Bool

  private var touched: Set<Int> { sample.touched(by: damage, of: file) }

  func run() async throws {
    var log = sample.log
    var companion = sample.companion
    switch file {
    case .log: damage.apply(to: &log)
    case .companion: damage.apply(to: &companion)
    }
    // The same bytes again are no damage, but nothing is lost by looking.
    try FileBytes.write(log, to: path(.log))
    try FileBytes.write(companion, to: path(.companion))
    do {
      try await read(log)
    } catch {
      throw Finding("\(error)\nopened for reading")
    }
    do {
      try await write(log, companion)
    } catch {
      throw Finding("\(error)\nopened for writing")
    }
  }

  private func path(_ file: DamagedSample.File) -> String {
    DamagedSample.path(of: file, sample.format, in: directory)
  }

  private func open(_ access: Storage.Access) throws -> Storage {
    var configuration = Storage.Configuration()
    configuration.access = access
    configuration.format = sample.format == .v2 ? nil : sample.format
    configuration.verifiesChecksums = verifiesChecksums
    return try Storage(directory: directory, namespaces: ["events"], configuration: configuration)
  }

  private func read(_ log: [UInt8]) async throws {
    let storage: Storage
    do {
      storage = try open(.readOnly)
    } catch ImmutaError.corrupted where log.count < sample.format.headerSize {
      // Not even a header.
      return
    }
    defer { storage.close() }
    _ = try await compare(try storage.log("events"), .readOnly)
  }

  private func write(_ log: [UInt8], _ companion: [UInt8]) async throws {
    // Those of the trial before.
    for name in try savedTails() { try FileManager.default.removeItem(atPath: "\(directory)/\(name)") }
    let storage: Storage
    do {
      storage = try open(.readWrite)
    } catch ImmutaError.corrupted(let corruption) {
      try checkReason(corruption)
      guard try FileBytes.read(path(.log)) == log,
        try FileBytes.read(path(.companion)) == companion
      else { throw Finding("opening threw, and left other bytes than it found") }
      return
    }
    var count = 0
    let content = Content(identity: 77, size: 77)
    do {
      defer { storage.close() }
      let log = try storage.log("events")
      count = try await compare(log, .readWrite)
      if count < sample.stable { try checkCopy(of: log) }
      let receipt = try await log.append(content.bytes)
      guard receipt.sequence == count else { throw Finding("a record was appended as \(receipt.sequence)") }
    }
    let again = try open(.readWrite)
    defer { again.close() }
    let record = try await again.log("events").record(at: count)
    guard content.matches(record.payload) else { throw Finding("what was appended behind the damage is not there") }
    _ = try await compare(try again.log("events"), .readWrite, appended: 1)
  }

  /// Records that were stable are gone, as nothing was left that knew it: their bytes must have been kept beside the
  /// log.
  private func checkCopy(of log: Log) throws {
    let saved = try savedTails()
    guard let name = saved.first, saved.count == 1 else { throw Finding("stable records were cut off without a copy") }
    let copy = "\(directory)/\(name)"
    let end = try log.details.byteCount
    guard try FileBytes.read(copy) == Array(sample.log[end...]) else {
      throw Finding("the copy of what was cut off is another")
    }
  }

  private func savedTails() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.contains(".tail.saved-") }
  }

  /// Looks at every record, as a stream and one by one (of many records, at the edges of the damage only). Returns how
  /// many there are.
  private func compare(_ log: Log, _ access: Storage.Access, appended: Int = 0) async throws -> Int {
    let count = log.count - appended
    guard count <= sample.count else { throw Finding("\(count) records are there, \(sample.count) were appended") }
    let touched = touched
    // A COUNT that says less than was committed is all that those who follow a writer have to go by; where there is
    // none, it is the entries.
    let countsIn: DamagedSample.File = sample.format.hasCount ? .log : .companion
    // A COUNT that leads to records of no bytes, without a LAST INDEX and without entries, may lead into reserved
    // space.
    let isUnproven = sample.format == .v1 && file == .companion && sample.contents.last?.size == 0
    let isUncounted =
      access == .readOnly && sample.ending != .closed
      && ((file == countsIn && (changesCount || countsIn == .companion)) || isUnproven)
    let isCut = sample.ending == .rebooted || isUncounted
    let stable = sample.forgetsWhatWasStable(by: damage, of: file) ? 0 : sample.stable
    for number in count..<sample.count {
      let isLost = sample.lost(with: touched).contains(number)
      guard isCut || isLost, number >= stable || isLost else {
        throw Finding("record \(number) is whole and stable or never lost, but only \(count) records are there")
      }
    }
    var stream = log.stream()
    var damaged = 0
    for number in 0..<count {
      let streamed = Result { try stream.nextAtOnce() }
      let isTouched = touched.contains(number)
      let isEdge = touched.contains(number - 1) != isTouched || touched.contains(number + 1) != isTouched
      let single =
        sample.count <= 100 || isEdge
        ? await Result { try await log.record(at: number) } : streamed.flatMap(Self.isThere)
      for result in [single.map(Optional.some), streamed] {
        switch result {
        case .success(let record?): try check(record, number)
        case .success(nil): throw Finding("record \(number) does not come")
        case .failure(let error): try check(error, number, touched)
        }
      }
      guard (try? single.get()) != nil || (try? streamed.get()) == nil else {
        throw Finding("record \(number) can be read in one way only")
      }
      if (try? single.get()) == nil { damaged += 1 }
      // A stream that is moved reads again; one that goes on delivers what it has read ahead.
      if stream.position != number + 1 { stream.position = number + 1 }
    }
    try await verify(log, access, damaged)
    return count
  }

  private static func isThere(_ record: Record?) -> Result<Record, any Error> {
    record.map { .success($0) } ?? .failure(Finding("a record does not come"))
  }

  private func verify(_ log: Log, _ access: Storage.Access, _ damaged: Int) async throws {
    do {
      let report = try await log.verify()
      guard damaged == 0, report.records == log.count else {
        throw Finding("\(damaged) records are damaged, and verify is content with \(report.records) of \(log.count)")
      }
    } catch ImmutaError.corrupted(let corruption) {
      // What was opened for writing has a header that was checked or written anew.
      if damaged == 0, access == .readWrite {
        throw Finding("every record can be read, but verify says: \(corruption)")
      }
    }
  }

  private func check(_ record: Record, _ number: Int) throws {
    guard record.sequence == number, record.index == sample.places[number] else {
      throw Finding("record \(record.sequence) at byte \(record.index) came as number \(number)")
    }
    guard sample.contents[number].matches(record.payload) else {
      throw Finding("record \(number) is not the \(sample.contents[number]) that was appended")
    }
  }

  private func check(_ error: any Error, _ number: Int, _ touched: Set<Int>) throws {
    guard case ImmutaError.corrupted(let corruption) = error, corruption.sequence == number else {
      throw Finding("reading record \(number) throws \(error)")
    }
    try checkReason(corruption)
    guard touched.contains(number) else { throw Finding("record \(number) is whole, and reading throws \(error)") }
  }

  /// Whatever it is, a program can tell it from other damage.
  private func checkReason(_ corruption: Corruption) throws {
    if corruption.reason.code == .other { throw Finding("the reason has no code of its own: \(corruption)") }
  }

  private var changesCount: Bool {
    var bytes = Array(sample.log.prefix(8))
    damage.apply(to: &bytes)
    return bytes != Array(sample.log.prefix(8))
  }
}

extension Result where Failure == any Error {
  init(_ body: () async throws -> Success) async {
    do {
      self = .success(try await body())
    } catch {
      self = .failure(error)
    }
  }

  init(_ body: () throws -> Success) {
    do {
      self = .success(try body())
    } catch {
      self = .failure(error)
    }
  }
}
