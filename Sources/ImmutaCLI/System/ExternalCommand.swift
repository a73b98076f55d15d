import Immuta
import ImmutaLibC

/// A subcommand that is a program of its own: `immuta ui` is `immuta-ui`, where that is installed beside the tool or in a
/// directory of PATH.
struct ExternalCommand {
  /// The program's path.
  let path: String
  /// What it is called with, its own name first.
  let arguments: [String]

  /// The program that arguments ask for; nil where they ask for a subcommand of the tool, or for a program that is not there.
  init?(_ arguments: [String], known: [String], directories: [String] = searchedDirectories) {
    guard let name = Self.name(in: arguments, known: known) else { return nil }
    let program = "immuta-\(name)"
    let paths = directories.lazy.map { FilePath.appending(program, to: $0.isEmpty ? "." : $0) }
    guard let path = paths.first(where: Self.isProgram) else { return nil }
    self.path = path
    self.arguments = [program] + arguments.dropFirst()
  }

  /// The error for a program that the project has and that is not installed; nil where arguments ask for something else.
  static func missing(_ arguments: [String]) -> ToolError? {
    guard arguments.first == "ui" else { return nil }
    return ToolError(
      "`immuta ui` needs the program immuta-ui, which is not installed: build it with `swift build -c release "
        + "--package-path UI`, and put UI/.build/release/immuta-ui beside immuta or into a directory of PATH")
  }

  /// What the tool does not know itself; nil for options, and for what cannot be part of a program's name.
  private static func name(in arguments: [String], known: [String]) -> String? {
    guard let name = arguments.first, !name.hasPrefix("-"), name != "help", !known.contains(name) else { return nil }
    let isName = name.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || byte == UInt8(ascii: "-")
    }
    return isName && !name.isEmpty ? name : nil
  }

  /// The tool's own directory, and then those of PATH.
  static var searchedDirectories: [String] {
    let own = System.resolved("/proc/self/exe") ?? System.resolved(CommandLine.arguments.first ?? "")
    let others = (System.variable("PATH") ?? "").split(separator: ":", omittingEmptySubsequences: false)
    return (own.map { [FilePath.parent(of: $0)] } ?? []) + others.map(String.init)
  }

  private static func isProgram(_ path: String) -> Bool {
    guard let info = try? System.info(path), !info.isDirectory else { return false }
    return access(path, X_OK) == 0
  }

  /// Becomes the program.
  ///
  /// - Throws: where the system refuses that.
  func run() throws -> Never {
    // Ignored signals stay ignored in the program, and it does not expect that.
    signal(SIGPIPE, SIG_DFL)
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    words.append(nil)
    execv(path, &words)
    let number = errno
    for word in words { free(word) }
    throw ToolError("cannot run \(path): \(System.message(for: number))")
  }
}
