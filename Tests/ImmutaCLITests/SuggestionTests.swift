import Foundation
import Testing

@testable import ImmutaCLI

@Suite("Names that are mistyped")
struct SuggestionTests {
  let place = Workplace()

  @Test(
    "The distance of two names is the fewest changes",
    arguments: [
      ("", "", 0), ("", "abc", 3), ("abc", "", 3), ("orders", "orders", 0), ("order", "orders", 1),
      ("ordres", "orders", 1), ("odrers", "orders", 1), ("kitten", "sitting", 3), ("ab", "ba", 1), ("a", "b", 1),
      ("abcd", "badc", 2), ("flaw", "lawn", 2),
    ])
  func distance(one: String, other: String, expected: Int) {
    #expect(Suggestion.distance(Array(one), Array(other)) == expected)
    #expect(Suggestion.distance(Array(other), Array(one)) == expected)
  }

  @Test(
    "The closest name is suggested, if it is close",
    arguments: [
      ("ordres", "orders"), ("ORDERS", "orders"), ("invoice", "invoices"), ("event", nil), ("x", nil), ("ordrs-2", nil),
      ("", nil), ("orders", nil),
    ] as [(String, String?)])
  func closest(typed: String, expected: String?) {
    #expect(Suggestion(for: typed, among: ["invoices", "orders", "web", "y"])?.name == expected)
  }

  @Test("Of several that are equally close it is the first by name")
  func equals() {
    #expect(Suggestion(for: "logs", among: ["logz", "loga", "logx"])?.name == "loga")
  }

  private func makeLogs() throws {
    for name in ["orders", "invoices"] { try place.run("append", name, input: "one\n") }
    try place.run("append", "web", "--dir", "other/place", input: "one\n")
    try place.run("logstore", "append", "chat", "--partitions", "1", "--key", "k", input: "one\n")
    try place.run("cat", "orders", "--consumer", "mailer")
    try place.run("logstore", "cat", "chat", "--consumer", "mailer")
    try place.run("backup", "logs", "copies")
    try place.write(Array("x\n".utf8), to: "lines.txt")
  }

  @Test("A mistyped subcommand, an unfinished option and a place without its kind say what may have been meant")
  func usage() throws {
    let cases: [([String], String)] = [
      (["ct", "orders"], "immuta: there is no subcommand “ct”: did you mean “cat”?"),
      (["something"], "immuta: there is no subcommand “something”\n"),
      (["logstore", "apend", "x"], "immuta: there is no subcommand “apend”: did you mean “append”?"),
      (
        ["consumers", "sek", "orders", "mailer", "--to", "3"],
        "immuta: there is no subcommand “sek”: did you mean “seek”?\n"
      ),
      (["help", "--bogus"], "Unknown option '--bogus'"),
      (["help", "ct"], "immuta: there is no subcommand “ct”: did you mean “cat”?\n"),
      (["help", "consumers", "sek"], "immuta: there is no subcommand “sek”: did you mean “seek”?\n"),
      (["cat", "orders", "--f"], "Unknown option '--f'. It may be --follow, --format or --from."),
      (["consumers", "--w"], "Unknown option '--w'. Did you mean '--watch'?"),
      (["cat", "orders", "--form", "json"], "Unknown option '--form'. Did you mean '--format'?"),
      (["cat", "orders", "--formt", "json"], "Unknown option '--formt'. Did you mean '--format'?"),
      (["migrate", "orders", "log:logs/new"], "a place is log:DIR/NAMESPACE, store:DIR or lines:FILE"),
      (["migrate", "logs/orders", "log:logs/new"], "for a log, that may be log:logs/orders"),
      (["migrate", "log:logs/a b", "log:logs/new"], "“a b” cannot be a namespace"),
    ]
    for (arguments, expected) in cases {
      let outcome = try Child(arguments, in: place).finish()
      #expect(outcome.ending == .exit(64), "\(arguments)")
      #expect(outcome.errors.contains(expected), "\(arguments): \(outcome.errors)")
    }
  }

  @Test("Every command that takes the name of a namespace, a store, a directory, a consumer or a file suggests one")
  func commands() throws {
    try makeLogs()
    let namespace = "did you mean “orders”? `immuta info` lists those that exist"
    let commands: [([String], String)] = [
      (["cat", "ordres"], namespace), (["info", "ordres"], namespace), (["verify", "ordres"], namespace),
      (["trim", "ordres", "--records", "1"], namespace), (["repair", "ordres"], namespace),
      (["consumers", "ordres"], namespace),
      (["consumers", "sek"], "; or did you mean the subcommand “seek”?"),
      (["consumers", "remove", "ordres", "mailer"], namespace),
      (["migrate", "log:logs/ordres", "log:logs/new"], "“orders”?"),
      (["backup", "logs", "new", "ordres"], "“orders”?"),
      (["cat", "wbe", "--dir", "other/place"], "`immuta info --dir other/place` lists"),
      (["restore", "copies", "new", "ordres"], "did you mean “orders”? it has invoices, orders"),
      (["consumers", "remove", "orders", "maler"], "did you mean “mailer”?"),
      (["consumers", "seek", "orders", "maler", "--to", "0"], "did you mean “mailer”?"),
      (["logstore", "consumers", "seek", "chat", "maler", "--to", "0"], "did you mean “mailer”?"),
      (["logstore", "consumers", "remove", "chat", "maler"], "did you mean “mailer”?"),
      (["logstore", "consumers", "seek", "cat", "mailer", "--to", "0"], "did you mean “chat”?"),
      (["cat", "orders", "--dir", "log"], "did you mean “logs”?"), (["info", "--dir", "./lgos"], "“./logs”?"),
      (["cat", "web", "--dir", "other/palce"], "did you mean “other/place”?"),
      (["logstore", "cat", "chta"], "did you mean “chat”?"), (["logstore", "info", "chta/"], "“chat”?"),
      (["logstore", "verify", "chta"], "“chat”?"), (["logstore", "repair", "chta", "0"], "“chat”?"),
      (["logstore", "trim", "chta", "0", "--records", "1"], "“chat”?"),
      (["migrate", "store:chta", "log:logs/new"], "“chat”?"),
      (["backup", "lgos", "new"], "“logs”?"), (["restore", "copeis", "new"], "“copies”?"),
      (["append", "orders", "lines.tx"], "did you mean “lines.txt”?"),
    ]
    for (arguments, expected) in commands {
      let outcome = try Child(arguments, in: place).finish()
      #expect(outcome.ending == .exit(1), "\(arguments)")
      #expect(outcome.errors.contains(expected), "\(arguments): \(outcome.errors)")
    }
  }

  @Test("Who follows a log that is mistyped is told which there is, and waits")
  func following() throws {
    try makeLogs()
    let child = try place.start("cat", "ordres", "--follow")
    #expect(try child.errorLine()?.hasSuffix("does not exist yet: waiting for it; did you mean “orders”?") == true)
    let store = try place.start("logstore", "cat", "chta", "--follow")
    #expect(try store.errorLine()?.hasSuffix("waiting for it; did you mean “chat”?") == true)
  }

  @Test("What is far from everything is not guessed")
  func far() throws {
    try makeLogs()
    #expect(try !place.run("cat", "payments").errors.contains("did you mean"))
    #expect(try !place.run("cat", "orders", "--dir", "elsewhere").errors.contains("did you mean"))
  }
}
