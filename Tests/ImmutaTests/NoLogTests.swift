import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// Files that have a log's name and never were one: nobody makes a log of them, and nothing of them is lost.
@Suite(.timeLimit(.minutes(1))) struct NoLogTests {
  private let directory = TemporaryDirectory()

  private static let text = Array(String(repeating: "2026-11-25 12:00:01 INFO plain text\n", count: 100).utf8)

  static let files: [[UInt8]] = [
    text, Array("x".utf8), [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + [UInt8](repeating: 0xEE, count: 300),
    [0x1F, 0x8B] + (0..<500).map { UInt8(truncatingIfNeeded: $0 &* 151) | 0x80 },
  ]

  @Test(arguments: files, [false, true])
  func whatNeverWasALogIsRefusedByAllAndNothingIsMade(bytes: [UInt8], isPartition: Bool) throws {
    // Less than a size field may be the beginning of one.
    if isPartition, bytes.count < 8 { return }
    let name = isPartition ? "0.bilog" : "log.log"
    let namespace = isPartition ? "0" : "log"
    let format: LogFormat? = isPartition ? .bilog : nil
    try directory.write(bytes, to: name)
    var configuration = Storage.Configuration()
    configuration.format = format
    for access in [Storage.Access.readWrite, .readOnly] {
      configuration.access = access
      #expect(throws: ImmutaError.self) {
        try Storage(directory: directory.path, namespaces: [namespace], configuration: configuration)
      }
    }
    for applying in [false, true] {
      do {
        _ = try Storage.repair(namespace, in: directory.path, format: format, applying: applying)
        Issue.record("it was repaired")
      } catch {
        guard case .corrupted(let damage) = error else { throw error }
        #expect(
          damage.isNoLog && damage.reason.code == .notALog
            && damage.reason.description.contains("it looks like"), "\(damage)")
        #expect("\(error)".hasPrefix("not a log: "))
      }
    }
    #expect(throws: ImmutaError.self) {
      try Storage.salvage(namespace, in: directory.path, into: "1", configuration: configuration)
    }
    #expect(try directory.allFiles() == [name: bytes])
  }

  /// Where a log was once, nobody calls what is left something else.
  @Test(arguments: ["log.idx", "log.meta", "log.lock"])
  func besideAnotherFileOfALogItIsDamage(trace: String) throws {
    try directory.write(Self.text, to: "log.log")
    try directory.write([], to: trace)
    for applying in [false, true] {
      do {
        _ = try Storage.repair("log", in: directory.path, applying: applying)
        Issue.record("it was repaired")
      } catch {
        guard case .corrupted(let damage) = error else { throw error }
        #expect(!damage.isNoLog, "\(damage)")
      }
    }
    #expect(try directory.bytes(of: "log.log") == Self.text)
  }

  /// A header that is no log's, and records that only look like some: kept as they are, unless the format is stated.
  @Test func whatHardlySpeaksForALogIsNotCutOff() throws {
    func integer(_ value: Int) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
    let bytes = [UInt8](repeating: 0xEE, count: 16) + integer(3) + [1, 2, 3] + [UInt8](repeating: 0xEE, count: 300)
    try directory.write(bytes, to: "log.log")
    #expect(throws: ImmutaError.self) { try Storage.repair("log", in: directory.path, applying: true) }
    #expect(try directory.bytes(of: "log.log") == bytes)
    let report = try Storage.repair("log", in: directory.path, format: .v2, applying: true)
    #expect(report.sound == 1 && report.saved.count == 2)
  }

  /// Such as an image of a disk, which begins with zeros: an empty log's header.
  @Test func whatIsAfterTheLastRecordOfALogWithoutCompanionIsSavedBeforeItIsCutOff() throws {
    let rest = [UInt8](repeating: 0, count: 1000) + Self.text
    try directory.write([UInt8](repeating: 0, count: 16) + rest, to: "log.log")
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    try storage.append("one", to: "log")
    storage.close()
    let saved = try directory.allFiles().filter { $0.key.contains(".saved-") }
    #expect(saved.count == 1 && saved.first?.value == rest)
  }

  @Test func reservedSpaceIsNotSaved() throws {
    try directory.write([UInt8](repeating: 0, count: 70_000), to: "log.log")
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    storage.close()
    #expect(try directory.allFiles().keys.allSatisfy { !$0.contains("saved") })
  }

  /// Who is told that an emptied log is gone is told the same, whatever was to be done with it.
  @Test func anEmptiedLogGetsOneAdvice() throws {
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    try storage.append("one", to: "log")
    storage.close()
    try directory.write([], to: "log.log")
    var advice: Set<String> = []
    for access in [Storage.Access.readWrite, .readOnly] {
      var configuration = Storage.Configuration()
      configuration.access = access
      do {
        _ = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
      } catch { advice.insert("\(error)") }
    }
    for applying in [false, true] {
      do {
        _ = try Storage.repair("log", in: directory.path, applying: applying)
      } catch { advice.insert("\(error)") }
    }
    #expect(advice.count == 1 && advice.first?.contains("put the log back from a backup") == true, "\(advice)")
  }
}
