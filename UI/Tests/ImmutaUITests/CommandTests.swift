import ArgumentParser
import Foundation
import ImmutaTestSupport
import Testing

@testable import ImmutaUI

@Suite("The command and its options")
struct CommandTests {
  @Test(
    "Options that make no sense are refused",
    arguments: [
      ["--port", "65536"], ["--port=-1"], ["--port", "x"], ["--host", ""], ["--host", "a b"], ["events"],
      ["--no-token", "--token-file", "t"],
    ])
  func refused(arguments: [String]) {
    #expect(throws: (any Error).self) { try ImmutaUI.parse(arguments) }
  }

  @Test("Without options it is ./logs, on this machine alone, with a token")
  func usual() throws {
    let command = try ImmutaUI.parse([])
    #expect(command.dir == "./logs" && command.host == "127.0.0.1" && command.port == 0)
    #expect(!command.noToken && command.tokenFile == nil)
    #expect(Access.isLoopback(command.host))
  }

  @Test("A directory that does not exist is an error that says what to do")
  func noDirectory() throws {
    let directory = TemporaryDirectory()
    try LogShelf.checkDirectory(directory.path)
    for path in [directory.file("none"), "/dev/null"] {
      let error = #expect(throws: Failure.self) { try LogShelf.checkDirectory(path) }
      #expect(error?.message == "there is no directory \(path): give that of the logs with --dir")
    }
  }
}
