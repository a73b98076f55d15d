import ImmutaTestSupport
import Testing

/// The check of the fault tests finds what it is there to find.
@Suite struct HistoryTests {
  private static func history() throws -> History {
    var history = History()
    try history.acknowledge("a", as: 0)
    try history.acknowledge("b", as: 2)
    history.leaveOpen("x")
    history.leaveOpen("y")
    return history
  }

  @Test(arguments: [["a", "x", "b"], ["a", "y", "b", "x"]])
  func whatMayBeIsAccepted(_ log: [String]) throws {
    try Self.history().check(log)
  }

  @Test(
    "What must not be is found",
    arguments: [
      ["a", "x"], ["a", "b", "x"], ["a", "x", "c"], ["a", "x", "b", "a"], ["a", "x", "b", "x"],
      ["a", "x", "b", "invented"], [],
    ])
  func whatMustNotBeIsFound(_ log: [String]) throws {
    let history = try Self.history()
    #expect(throws: Finding.self) { try history.check(log) }
  }

  @Test func aNumberThatIsGivenTwiceIsFound() throws {
    var history = try Self.history()
    #expect(throws: Finding.self) { try history.acknowledge("c", as: 2) }
  }
}
