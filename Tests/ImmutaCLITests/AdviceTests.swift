import Foundation
import Immuta
import ImmutaLibC
import Testing

@testable import ImmutaCLI

/// Errors say what to do with the command that was typed.
@Suite("Advice that fits the command")
struct AdviceTests {
  let place = Workplace()

  @discardableResult
  private func append(_ numbers: Range<Int>, _ options: String...) throws -> Outcome {
    let lines = numbers.map { "\($0)\n" }.joined()
    let outcome = try Child(["append", "e"] + options, in: place).finish(feeding: Array(lines.utf8))
    #expect(outcome.ending == .exit(0), "\(outcome.errors)")
    return outcome
  }

  private func keepFiles(as copy: String) throws {
    try FileManager.default.createDirectory(atPath: "\(place.path)/\(copy)", withIntermediateDirectories: false)
    for name in ["e.log", "e.idx"] { try place.write(place.read("logs/\(name)"), to: "\(copy)/\(name)") }
  }

  private func putBack(_ copy: String) throws {
    for name in ["e.log", "e.idx"] { try place.write(place.read("\(copy)/\(name)"), to: "logs/\(name)") }
  }

  // MARK: consumers

  @Test("A consumer whose records were removed is told the command that has it go on, and the listing counts them")
  func removedUnread() throws {
    try append(0..<20, "--segment-bytes", "20")
    #expect(try place.run("cat", "e", "--consumer", "mail", "--limit", "5").lines.count == 5)
    #expect(try place.run("trim", "e", "--before", "12", "--apply").ending == .exit(0))
    let command = "immuta consumers seek e mail --to beginning"
    let outcome = try place.run("cat", "e", "--consumer", "mail")
    #expect(outcome.ending == .exit(1) && outcome.lines.isEmpty)
    #expect(outcome.errors.contains("`\(command)`") && !outcome.errors.contains("--from"), "\(outcome.errors)")
    let object = try #require(try place.run("consumers", "--json").objects().first)
    #expect(object["position"] as? Int == 5 && object["lag"] as? Int == 8 && object["removed"] as? Int == 7)
    let listed = try place.run("consumers", "e")
    #expect(listed.ending == .exit(0) && listed.lines.count == 3)
    #expect(
      listed.lines.last
        == "mail: 7 records of “e” were removed before it acknowledged them; to go on after them: `\(command)`"
    )
    #expect(try place.run("consumers", "seek", "e", "mail", "--to", "beginning").ending == .exit(0))
    #expect(try place.run("cat", "e", "--consumer", "mail").lines == (12..<20).map(String.init))
    #expect(try place.run("consumers", "e").lines.count == 2)
    #expect(try place.run("consumers", "--json").objects()[0]["removed"] as? Int == 0)
  }

  @Test("A consumer is not moved beyond the end, and the error says how far it can go")
  func beyondTheEnd() throws {
    try append(0..<10)
    #expect(try place.run("consumers", "seek", "e", "mail", "--to", "4").ending == .exit(0))
    let outcome = try place.run("consumers", "seek", "e", "mail", "--to", "11")
    #expect(outcome.ending == .exit(1))
    #expect(outcome.errors.contains("Give a number up to 10, or --to latest"), "\(outcome.errors)")
    #expect(!outcome.errors.contains("--from") && !outcome.errors.contains("--ahead"))
    #expect(try place.run("consumers", "--json").objects()[0]["position"] as? Int == 4)
  }

  @Test("A consumer whose log was exchanged is told the command to seek, by cat and in the listing")
  func exchanged() throws {
    try append(0..<10)
    try keepFiles(as: "older")
    try append(10..<20)
    #expect(try place.run("cat", "e", "--consumer", "mail").lines.count == 20)
    try place.run("append", "e", "--dir", "others", input: String(repeating: "x\n", count: 50))

    func check(_ words: String, _ command: String) throws {
      for arguments in [["cat", "e", "--consumer", "mail"], ["consumers"]] {
        let outcome = try Child(arguments, in: place).finish()
        #expect(outcome.ending == .exit(arguments[0] == "cat" ? 1 : 65), "\(outcome.errors)")
        #expect(outcome.errors.contains(words) && outcome.errors.contains("`\(command)`"), "\(outcome.errors)")
        for unfit in ["--from", "--ahead", ".skipping", "seekConsumer", "begin at a record's number"] {
          #expect(!outcome.errors.contains(unfit), "\(outcome.errors)")
        }
      }
    }
    try putBack("older")
    try check("and the log has 10 records", "immuta consumers seek e mail --to latest")
    try append(100..<120)
    try check("the record before is another one now", "immuta consumers seek e mail --to N")
    try putBack("others")
    try check("is one in another log", "immuta consumers seek e mail --to beginning")
  }

  @Test("Of a store, the command names the directory and the partition")
  func storeCommands() throws {
    let advice = ConsumerAdvice("mail", of: nil, in: "my store")
    #expect(
      advice.seek(to: "5", partition: "2")
        == "immuta logstore consumers seek 'my store' mail --partition 2 --to 5")
    let removed = advice.reading(.recordRemoved(sequence: 1, first: 9, in: .init(namespace: "2")))
    #expect(removed?.message.contains("record 1 of partition “2” was removed") == true)
    #expect(
      removed?.message.contains("`immuta logstore consumers seek 'my store' mail --partition 2 --to beginning`") == true
    )
    #expect(
      ConsumerAdvice("mail", of: "e", in: "logs 2").seek(to: "N")
        == "immuta consumers seek e mail --dir 'logs 2' --to N")
  }

  @Test("What cannot be looked at is not said to have no consumers")
  func noSuchLog() throws {
    try append(0..<1)
    let outcome = try place.run("consumers", "nope")
    #expect(outcome.ending == .exit(1) && outcome.lines.isEmpty && outcome.errors.contains("“nope”"))
  }

  // MARK: files

  @Test("A directory that is not there is not to be created by who reads, and one that was taken away is put back")
  func noDirectory() throws {
    for command in ["cat", "consumers"] {
      let outcome = try place.run(command, "e", "--dir", "nowhere")
      #expect(outcome.ending == .exit(1) && outcome.errors.contains("; correct the path, or see"), "\(outcome.errors)")
      #expect(!outcome.errors.contains("create"))
    }
    let renamed = ImmutaError.io(errno: ENOENT, operation: "rename", path: "logs/e.segments").description
    #expect(renamed.contains("put it back") && !renamed.contains("create it"))
  }

  @Test("Another log is begun where a log is too large, not where a consumer's position is")
  func tooLarge() {
    for (path, isLog) in [("l/e.log", true), ("l/0.bilog", true), ("l/e.consumers/a.position", false)] {
      let text = ImmutaError.io(errno: EFBIG, operation: "pwrite", path: path).description
      #expect(text.contains("ulimit -f") && text.contains("begin another log") == isLog, "\(text)")
    }
  }

  @Test("A buffered append whose last flush fails says how many records may be lost")
  func lastFlush() throws {
    let writer = try place.start("append", "e", "--receipts")
    for line in ["a\n", "b\n"] {
      try writer.send(line)
      #expect(try writer.line() != nil)
    }
    try FileManager.default.moveItem(atPath: "\(place.path)/logs", toPath: "\(place.path)/moved")
    let outcome = try writer.finish()
    #expect(outcome.ending == .exit(1))
    #expect(outcome.errors.contains("up to 2 records that were appended may be lost"), "\(outcome.errors)")
  }

  @Test("A log that nobody encoded is opened without the options, and one that somebody did with them")
  func codecs() throws {
    try append(0..<1)
    let plain = try place.run("cat", "e", "--codec", "deflate")
    #expect(plain.ending == .exit(1) && plain.errors.contains("leave out --codec"), "\(plain.errors)")
    #expect(!plain.errors.contains("written with\n"))
    #expect(try place.run("append", "c", "--codec", "deflate", input: "x\n").ending == .exit(0))
    #expect(try place.run("cat", "c").errors.contains("give the --codec"))
    let library = ImmutaError.codecMismatch(written: "", opened: "deflate", in: .init(namespace: "e")).description
    #expect(library.contains("open it without a codec"))
  }

  @Test("While a writer has the log, trim names what that writer's command can be given")
  func trimLive() throws {
    try append(0..<20, "--segment-bytes", "20")
    let writer = try place.start("append", "e", "--receipts")
    try writer.send("x\n")
    #expect(try writer.line() != nil)
    let outcome = try place.run("trim", "e", "--before", "10", "--apply")
    #expect(
      outcome.ending == .exit(75) && outcome.errors.contains("`immuta append` has --keep-bytes"), "\(outcome.errors)")
    #expect(!outcome.errors.contains("Storage.Configuration"))
    _ = try writer.finish()
  }

  @Test("verify says of a file that is no log that it is none")
  func noLog() throws {
    try append(0..<1)
    try place.write(Array("words for people, and no log\n".utf8), to: "logs/text.log")
    let outcome = try place.run("verify", "text")
    #expect(outcome.ending == .exit(1) && outcome.lines == ["text: not a log"])
    #expect(outcome.errors.hasPrefix("immuta: not a log: "))
  }

  // MARK: arguments

  @Test(
    "A size or a time that is refused is told which units there are",
    arguments: [
      (["append", "e", "--segment-bytes", "256m"], "k, M, G or T"),
      (["append", "e", "--max-record", "64kb"], "k, M, G or T"),
      (["append", "e", "--segment-bytes", "1k", "--keep-bytes", "x"], "k, M, G or T"),
      (["trim", "e", "--bytes", "10 G"], "k, M, G or T"), (["append", "e", "--wait", "1"], "ms, s, m, h or d"),
      (["append", "e", "--segment-age", "1w"], "ms, s, m, h or d"), (["trim", "e", "--age", "30"], "ms, s, m, h or d"),
      (["append", "e", "--segment-age", "1h", "--keep-age", "-"], "ms, s, m, h or d"),
    ])
  func units(arguments: [String], units: String) throws {
    let outcome = try Child(arguments, in: place).finish()
    #expect(outcome.ending == .exit(64) && outcome.errors.contains("unit \(units)"), "\(outcome.errors)")
  }

  @Test("What to keep needs files to remove, and the error says which option makes them")
  func keepsFiles() throws {
    let outcome = try place.run("append", "e", "--keep-bytes", "1G")
    #expect(outcome.ending == .exit(64) && outcome.errors.contains("give --segment-bytes or --segment-age as well"))
  }

  @Test("Every command that may refuse files of another user takes the option that its error names")
  func foreignOption() throws {
    let commands = [
      ["append", "e"], ["cat", "e"], ["info"], ["verify"], ["trim", "e", "--bytes", "1"], ["repair", "e"],
      ["consumers", "list"],
      ["consumers", "seek", "e", "c", "--to", "0"], ["consumers", "remove", "e", "c"],
      ["codec", "train", "e", "--output", "d"], ["migrate", "log:a/e", "log:b/e"], ["logstore", "append", "s"],
      ["logstore", "cat", "s"], ["logstore", "info", "s"], ["logstore", "verify", "s"],
      ["logstore", "repair", "s", "0"],
      ["logstore", "trim", "s", "0", "--bytes", "1"], ["logstore", "consumers", "list", "s"],
      ["logstore", "consumers", "seek", "s", "c", "--to", "0"], ["logstore", "consumers", "remove", "s", "c"],
    ]
    for command in commands {
      let help = try Child(command + ["--help"], in: place).finish()
      #expect(help.ending == .exit(0) && help.text.contains("--allow-foreign-owner"), "\(command)")
    }
  }

  @Test("Segments in a folder of another user's are read with --allow-foreign-owner, and only then")
  func foreignFolder() throws {
    guard geteuid() == 0 else {
      print("SKIPPED: a folder of another user is not tested, since only root can give one away")
      return
    }
    try append(0..<20, "--segment-bytes", "20")
    #expect(chmod("\(place.path)/logs", 0o1777) == 0)
    #expect(chown("\(place.path)/logs/e.segments", 54_321, 54_321) == 0)
    for command in [["cat", "e"], ["verify", "e"], ["info", "e"], ["consumers", "e"]] {
      let refused = try Child(command, in: place).finish()
      #expect(refused.ending == .exit(1), "\(command): \(refused.text)")
      #expect((refused.text + refused.errors).contains("54321"), "\(command): \(refused.text)\(refused.errors)")
      let taken = try Child(command + ["--allow-foreign-owner"], in: place).finish()
      #expect(taken.ending == .exit(0), "\(command): \(taken.errors)")
    }
    #expect(try place.run("cat", "e", "--allow-foreign-owner").lines == (0..<20).map(String.init))
  }
}
