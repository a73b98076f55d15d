import Foundation
import Immuta
import Testing

/// Every command, on every kind of thing that may be where a log is expected: its exit status is true, it says what to do,
/// and it makes and loses nothing that it was not asked to.
@Suite("What comes of every command, whatever it finds")
struct OutcomeTests {
  /// What is in the directory.
  enum Finding: String, CaseIterable, CustomTestStringConvertible {
    case whole
    case emptyDirectory
    case noDirectory
    case fileForDirectory
    case store
    case damagedHeader
    case damagedRecord
    case damagedEnd
    case cutOff
    case wrongCount
    case emptied
    case lost
    case crashed
    case open
    case text
    case textBesideLock
    case picture
    case random
    case zeroLength
    case threeBytes
    case directoryForFile
    case unreadable

    var testDescription: String { rawValue }
  }

  /// What is asked.
  enum Question: String, CaseIterable {
    case cat
    case catBeyond
    case info
    case infoOfAll
    case verify
    case verifyAll
    case repair
    case apply
    case salvage
    case append
    case migrate
    case storeInfo
    case storeCat
    case storeVerify
    case storeRepair
    case storeAppend
    case migrateStore

    var arguments: [String] {
      switch self {
      case .cat: ["cat", "e"]
      case .catBeyond: ["cat", "e", "--from", "1000"]
      case .info: ["info", "e"]
      case .infoOfAll: ["info"]
      case .verify: ["verify", "e"]
      case .verifyAll: ["verify"]
      case .repair: ["repair", "e"]
      case .apply: ["repair", "e", "--apply"]
      case .salvage: ["repair", "e", "--salvage", "rescued"]
      case .append: ["append", "e"]
      case .migrate: ["migrate", "log:logs/e", "log:out/e"]
      case .storeInfo: ["logstore", "info", "logs"]
      case .storeCat: ["logstore", "cat", "logs"]
      case .storeVerify: ["logstore", "verify", "logs"]
      case .storeRepair: ["logstore", "repair", "logs", "0"]
      case .storeAppend: ["logstore", "append", "logs", "--key", "k"]
      case .migrateStore: ["migrate", "store:logs", "log:out/e"]
      }
    }

    var isOfStore: Bool { Self.ofStores.contains(self) }
    static let ofStores: Set<Question> = [
      .storeInfo, .storeCat, .storeVerify, .storeRepair, .storeAppend, .migrateStore,
    ]
    /// Those that may change what they are asked about.
    static let changing: Set<Question> = [.apply, .append, .storeAppend]
  }

  /// The exit status, and words of what is said.
  struct Expected {
    let status: Int32
    let words: [String]

    init(_ status: Int32, _ words: String...) {
      (self.status, self.words) = (status, words)
    }
  }

  static func expected(_ question: Question, of finding: Finding) -> Expected {
    if finding == .store {
      return question.isOfStore ? Expected(0) : Expected(1, "is a store", "immuta logstore")
    }
    if question.isOfStore {
      switch finding {
      case .noDirectory where question != .storeAppend: return Expected(1, "No such file")
      case .fileForDirectory: return Expected(1, "Not a directory")
      case .noDirectory, .emptyDirectory: return Expected(1, "is no store")
      case .lost where question == .storeAppend: return Expected(1, "is no store")
      case .lost: return Expected(1, "is no store")
      default: return Expected(1, "is no store", "holds namespaces")
      }
    }
    let isAppend = question == .append
    switch finding {
    case .store: return Expected(0)
    case .whole: return question == .catBeyond ? Expected(1, "beyond the end") : Expected(0)
    case .emptyDirectory:
      return isAppend ? Expected(0) : Expected(1, "no logs at all", "mounted")
    case .noDirectory:
      return isAppend ? Expected(0) : Expected(1, "No such file", "correct the path, or see that its disk is mounted")
    case .fileForDirectory: return Expected(1, "Not a directory", "give the path of a directory")
    case .damagedHeader, .wrongCount:
      switch question {
      case .cat, .salvage, .migrate: return Expected(0)
      case .catBeyond: return Expected(1, "beyond the end")
      case .repair: return Expected(65, "would: ", "next: `immuta repair e --apply`")
      case .apply: return Expected(0, "did: ", "saved: ", "next: `immuta verify e`")
      default: return Expected(65, "damaged", "`immuta repair e` says what can be done")
      }
    case .damagedRecord:
      switch question {
      case .catBeyond: return Expected(1, "beyond the end")
      case .info, .infoOfAll: return Expected(0, "Looked at", "immuta verify")
      case .append: return Expected(0)
      case .repair, .apply: return Expected(65, "lost: record 4", "next: nothing is to be done in place", "--salvage")
      case .salvage: return Expected(65, "lost: record 4", "backup")
      case .migrate: return Expected(65, "record 4", "`immuta repair e --dir logs` says")
      default: return Expected(65, "record 4", "`immuta repair e` says what can be done")
      }
    case .damagedEnd, .cutOff:
      switch question {
      case .catBeyond: return Expected(1, "beyond the end")
      case .repair: return Expected(65, "lost: ", "would: cut off", "next: `immuta repair e --apply`")
      case .apply: return Expected(65, "lost: ", "did: cut off", "saved: ", "backup")
      case .salvage: return Expected(65, "lost: ", "backup")
      case .migrate: return Expected(65, "`immuta repair e --dir logs` says")
      default: return Expected(65, "damaged", "`immuta repair e` says what can be done")
      }
    case .emptied, .lost: return Expected(65, "put the log back from a backup", "remove the companion")
    case .crashed:
      switch question {
      case .catBeyond: return Expected(1, "beyond the end")
      case .info, .infoOfAll: return Expected(0, "not closed", "opening it for appending recovers it")
      case .verify, .verifyAll: return Expected(0, "ok, 2 records", "was not closed")
      case .repair: return Expected(0, "2 of 2 records are whole", "none is needed")
      default: return Expected(0)
      }
    case .open:
      switch question {
      case .catBeyond: return Expected(1, "beyond the end")
      case .info, .infoOfAll: return Expected(0, "open", "open in process")
      case .repair, .apply, .salvage, .append: return Expected(75, "another writer has this log", "--wait")
      default: return Expected(0)
      }
    case .text, .picture, .directoryForFile:
      if question == .infoOfAll || question == .verifyAll { return Expected(1, "not a log", "no namespaces in ./logs") }
      return Expected(1, "not a log", "give it another name")
    case .textBesideLock: return Expected(65, "put the log back from a backup")
    case .random: return Expected(65, "nothing in it is a log's", "put the log back from a backup")
    case .zeroLength: return isAppend ? Expected(0) : Expected(65, "it is empty", "appending begins a log in it")
    case .threeBytes:
      return Expected(65, "3 bytes are less than a log's header", "put the log back from a backup")
    case .unreadable:
      return Expected(1, "Permission denied", "check who may")
    }
  }

  /// A directory with this in it, and what must be held for as long as it is looked at.
  private func make(_ finding: Finding) throws -> (Workplace, Child?) {
    let place = Workplace()
    let records = (0..<10).map { "\($0)\n" }.joined()
    func change(_ body: (inout [UInt8]) -> Void) throws {
      try place.run("append", "e", input: records)
      var bytes = try place.read("logs/e.log")
      body(&bytes)
      try place.write(bytes, to: "logs/e.log")
    }
    func file(_ bytes: [UInt8]) throws {
      try FileManager.default.createDirectory(atPath: "\(place.path)/logs", withIntermediateDirectories: false)
      try place.write(bytes, to: "logs/e.log")
    }
    func writer() throws -> Child {
      let child = try place.start("append", "e", "--receipts")
      try child.send("one\ntwo\n")
      for _ in 0..<2 { #expect(try child.line() != nil) }
      return child
    }
    let text = Array(String(repeating: "2026-11-25 12:00:01 INFO plain text\n", count: 3).utf8)
    switch finding {
    case .whole: try place.run("append", "e", input: records)
    case .emptyDirectory:
      try FileManager.default.createDirectory(atPath: "\(place.path)/logs", withIntermediateDirectories: false)
    case .noDirectory: break
    case .fileForDirectory: try place.write(text, to: "logs")
    case .store: try place.run("logstore", "append", "logs", "--partitions", "2", "--key", "k", input: "a\n")
    case .damagedHeader: try change { $0.replaceSubrange(0..<8, with: [UInt8](repeating: 0xFF, count: 8)) }
    case .damagedRecord: try change { $0[16 + 9 * 4 + 8] ^= 0x40 }
    case .damagedEnd: try change { $0.replaceSubrange(97..<105, with: [UInt8](repeating: 0xFF, count: 8)) }
    case .cutOff: try change { $0.removeLast(40) }
    case .wrongCount: try change { $0[0] = 5 }
    case .emptied: try change { $0 = [] }
    case .lost:
      try place.run("append", "e", input: records)
      try FileManager.default.removeItem(atPath: "\(place.path)/logs/e.log")
    case .crashed:
      let child = try writer()
      child.signal(SIGKILL)
      _ = try child.waitForEnd()
    case .open: return (place, try writer())
    case .text: try file(text)
    case .textBesideLock:
      try file(text)
      try place.write([], to: "logs/e.lock")
    case .picture: try file([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + (0..<200).map { UInt8($0 | 0x80) })
    case .random: try file((0..<300).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ 131) | 0x80 })
    case .zeroLength: try file([])
    case .threeBytes: try file([1, 2, 3])
    case .directoryForFile:
      try FileManager.default.createDirectory(atPath: "\(place.path)/logs/e.log", withIntermediateDirectories: true)
    case .unreadable:
      try place.run("append", "e", input: records)
      chmod("\(place.path)/logs/e.log", 0)
    }
    return (place, nil)
  }

  /// All files with their bytes, but for the lock's: that one says who looks.
  private func files(_ place: Workplace) throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for case let name as String in FileManager.default.enumerator(atPath: place.path) ?? .init() {
      if name.hasSuffix(".lock") { continue }
      files[name] = (try? place.read(name)) ?? []
    }
    return files
  }

  @Test("is true, and says what to do next", arguments: Finding.allCases)
  func outcomes(finding: Finding) throws {
    if finding == .unreadable, geteuid() == 0 {
      print("SKIPPED: files that may not be read are not tested, since root may read all of them")
      return
    }
    for question in Question.allCases {
      let (place, child) = try make(finding)
      defer { withExtendedLifetime(child) {} }
      let before = try files(place)
      let what = "\(question) of \(finding)"
      let outcome = try Child(question.arguments, in: place).finish(feeding: Array("new\n".utf8))
      let expected = Self.expected(question, of: finding)
      let said = outcome.text + outcome.errors
      #expect(outcome.ending == .exit(expected.status), "\(what): \(said)")
      for words in expected.words {
        let flat = said.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(flat.contains(words), "\(what) says “\(words)”: \(said)")
      }
      if case .exit(let status) = outcome.ending, status != 0 {
        #expect(!said.isEmpty, "\(what) says why")
      }
      // The lines for people fit a terminal; a path or a command may be as long as it is.
      if question == .info || question == .infoOfAll || question == .storeInfo {
        for line in outcome.lines { #expect(line.count <= 80, "\(line)") }
      }
      let after = try files(place)
      // What was there is there still, or its copy is.
      if !(expected.status == 0 && Question.changing.contains(question)), question != .apply {
        for (name, bytes) in before where child == nil { #expect(after[name] == bytes, "\(what) changed \(name)") }
      }
      if expected.status != 0, question != .apply, question != .salvage, question != .migrate, child == nil {
        #expect(after.keys.sorted() == before.keys.sorted(), "\(what) made something")
      }
    }
  }

  /// From what verify says to what repair says, and so on: it ends, and with a log that can be appended to.
  @Test(
    "leads from verify to repair to a log that is whole, or to the backup, and in no circle",
    arguments: [
      Finding.damagedHeader, .damagedRecord, .damagedEnd, .cutOff, .wrongCount, .emptied, .lost, .crashed, .text,
      .random,
    ])
  func noCircle(finding: Finding) throws {
    let (place, child) = try make(finding)
    withExtendedLifetime(child) {}
    var command = ["verify", "e"]
    var seen: [[String]] = []
    while true {
      #expect(!seen.contains(command), "\(finding): \(command) comes again after \(seen)")
      guard seen.count < 5, !seen.contains(command) else { return }
      seen.append(command)
      let outcome = try Child(command, in: place).finish()
      let said = outcome.text + outcome.errors
      // The next command that is named, if any.
      guard let match = said.firstMatch(of: /`immuta ([^`]*)`/) else {
        #expect(
          outcome.ending == .exit(0) || said.contains("put the log back") || said.contains("another name")
            || said.contains("can only come from a backup"), "\(finding): \(command) leads nowhere: \(said)")
        return
      }
      let next = match.1.split(separator: " ").map { $0 == "NEW-NAMESPACE" ? "rescued" : String($0) }
      // What is whole needs to be looked at only once more.
      if outcome.ending == .exit(0), next.first == "verify" {
        #expect(try Child(next, in: place).finish().ending == .exit(0))
        return
      }
      command = next
    }
  }
}
