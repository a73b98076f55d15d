import Foundation
import Testing

@testable import ImmutaCLI

@Suite("Subcommands that are programs of their own")
struct ExternalCommandTests {
  let place = Workplace()

  /// A program that prints its name and arguments, and ends with a status of its own.
  private func makeProgram(_ name: String, in folder: String, isExecutable: Bool = true) throws {
    let directory = URL(filePath: place.path).appending(path: folder)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let path = directory.appending(path: name).path
    let script = "#!/bin/sh\nprintf '%s' \"${0##*/}\"; for a; do printf ' [%s]' \"$a\"; done; echo\nexit 7\n"
    try Data(script.utf8).write(to: URL(filePath: path))
    try FileManager.default.setAttributes([.posixPermissions: isExecutable ? 0o755 : 0o644], ofItemAtPath: path)
  }

  /// The tool in a folder of its own: beside the one that was built, other programs may lie.
  private func loneTool() throws -> String {
    let tool = "\(place.path)/tool/immuta"
    if FileManager.default.fileExists(atPath: tool) { return tool }
    try FileManager.default.createDirectory(atPath: "\(place.path)/tool", withIntermediateDirectories: true)
    do {
      try FileManager.default.linkItem(atPath: Child.tool, toPath: tool)
    } catch {
      try FileManager.default.copyItem(atPath: Child.tool, toPath: tool)
    }
    return tool
  }

  /// The tool, with directories before the others of PATH.
  private func run(_ arguments: String..., path: String) throws -> Outcome {
    let program = ["/bin/sh", "-c", "PATH=\(path):/usr/bin:/bin; exec \(try loneTool()) \"$@\""]
    return try Child(arguments, in: place, as: program).finish()
  }

  @Test("A program of PATH gets all other arguments, and its status is the tool's")
  func inPath() throws {
    try makeProgram("immuta-ui", in: "bin")
    let outcome = try run("ui", "--dir", "a b", "", "--help", path: "\(place.path)/bin")
    #expect(outcome.text == "immuta-ui [--dir] [a b] [] [--help]\n")
    #expect(outcome.ending == .exit(7))
    try makeProgram("immuta-my-own", in: "bin")
    #expect(try run("my-own", path: "\(place.path)/bin").text == "immuta-my-own\n")
  }

  @Test("A program beside the tool comes before one of PATH")
  func beside() throws {
    try makeProgram("immuta-ui", in: "bin")
    let path = "\(place.path)/bin"
    #expect(try run("ui", "x", path: path).text == "immuta-ui [x]\n")
    // Now there are two that could be meant.
    let other = "\(place.path)/tool/immuta-ui"
    try Data("#!/bin/sh\necho beside\n".utf8).write(to: URL(filePath: other))
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: other)
    #expect(try run("ui", "x", path: path).text == "beside\n")
  }

  @Test("If immuta-ui is not installed, the error says how to build it")
  func missing() throws {
    try makeProgram("immuta-ui", in: "bin", isExecutable: false)
    let outcome = try run("ui", path: "\(place.path)/bin")
    #expect(outcome.ending == .exit(1))
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors.hasPrefix("immuta: `immuta ui` needs the program immuta-ui, which is not installed:"))
    #expect(outcome.errors.contains("swift build -c release --package-path UI"))
  }

  @Test("The tool's own subcommands are never programs, and no name leads out of the directories")
  func known() throws {
    for name in ["info", "help", "logstore", "x"] { try makeProgram("immuta-\(name)", in: "bin") }
    let path = "\(place.path)/bin"
    #expect(try run("help", path: path).text.contains("USAGE: immuta"))
    #expect(try run("info", path: path).ending != .exit(7))
    #expect(try run("logstore", "--help", path: path).ending == .exit(0))
    for name in ["../bin/immuta-x", "x/../x", "X", "-x", "x y", ""] {
      #expect(try run(name, path: path).ending != .exit(7), "\(name)")
    }
    #expect(try run("x", path: path).ending == .exit(7))
  }
}
