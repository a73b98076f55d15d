import Foundation
import Testing

/// A log of the old format with uncommitted bytes behind its last record: nothing tells it from a damaged one of v2.
@Suite("--log-format")
struct LogFormatTests {
  let place: Workplace
  private let bytes: [UInt8]

  init() throws {
    place = Workplace()
    func integer(_ value: Int) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
    let records = ["one", "", "three"].flatMap { integer($0.utf8.count) + Array($0.utf8) }
    bytes = integer(3) + records + integer(1000) + Array("half a record".utf8)
    try FileManager.default.createDirectory(atPath: "\(place.path)/logs", withIntermediateDirectories: true)
    try place.write(bytes, to: "logs/e.log")
    try place.write(Array("one\n\nthree\nfour\n".utf8), to: "lines")
  }

  private static let commands = [
    ["cat", "e"], ["info", "e"], ["verify", "e"], ["append", "e"], ["repair", "e", "--apply"],
    ["migrate", "log:logs/e", "log:logs/f"], ["migrate", "lines:lines", "log:logs/e"],
  ]

  @Test("Without it each command refuses the log, changes nothing, and leads to the option", arguments: commands)
  func without(command: [String]) throws {
    let outcome = try Child(command, in: place).finish(feeding: Array("x\n".utf8))
    #expect(outcome.ending == .exit(65))
    let option = command.contains("log:logs/f") ? "--from-log-format v1" : "--log-format v1"
    #expect(outcome.errors.contains("\(option)") && !outcome.errors.contains("---"), "\(outcome.errors)")
    #expect(try place.read("logs/e.log") == bytes)
  }

  @Test("With it the log is read, checked and migrated as it is")
  func reading() throws {
    #expect(try place.run("cat", "e", "--log-format", "v1").text == "one\n\nthree\n")
    let info = try place.run("info", "e", "--json", "--log-format", "v1").objects()
    #expect(info.first?["format"] as? String == "v1" && info.first?["records"] as? Int == 3)
    #expect(try place.run("verify", "e", "--log-format", "v1").ending == .exit(0))
    let migrated = try place.run("migrate", "log:logs/e", "log:logs/f", "--from-log-format", "v1")
    #expect(migrated.ending == .exit(0), "\(migrated.errors)")
    #expect(try place.run("cat", "f").text == "one\n\nthree\n")
    #expect(try place.run("info", "f", "--json").objects().first?["format"] as? String == "v2")
    #expect(try place.read("logs/e.log") == bytes)
    #expect(try place.run("migrate", "lines:lines", "log:logs/e", "--log-format", "v1").ending == .exit(0))
    #expect(try place.run("cat", "e").text == "one\n\nthree\nfour\n")
  }

  @Test("With it the log is extended, and recognised from then on")
  func appending() throws {
    #expect(try place.run("append", "e", "--log-format", "v1", input: "four\n").ending == .exit(0))
    #expect(try place.run("cat", "e").text == "one\n\nthree\nfour\n")
    #expect(try place.run("repair", "e", "--apply").ending == .exit(0))
  }

  @Test("With it repair keeps the records")
  func repairing() throws {
    let dry = try place.run("repair", "e")
    #expect(dry.ending == .exit(65) && dry.errors.contains("--log-format v1"))
    let applied = try place.run("repair", "e", "--apply", "--log-format", "v1")
    #expect(applied.ending == .exit(0) && applied.text.contains("3 of 3 records are whole"))
    #expect(try place.run("cat", "e").text == "one\n\nthree\n")
  }

  @Test("A damaged log of the current format is not taken for an old one")
  func damagedCurrent() throws {
    try place.run("append", "current", input: "one\ntwo\nthree\n")
    #expect(try place.run("cat", "current", "--log-format", "v1").ending == .exit(1))
    try FileManager.default.removeItem(atPath: "\(place.path)/logs/current.idx")
    try place.damage("logs/current.log", at: 8)
    for command in ["cat", "repair"] {
      let outcome = try place.run(command, "current")
      #expect(outcome.ending == .exit(65) && !outcome.errors.contains("--log-format"), "\(outcome.errors)")
    }
    #expect(try place.run("repair", "current", "--apply").ending == .exit(0))
  }
}
