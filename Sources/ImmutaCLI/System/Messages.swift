import Immuta
import Synchronization

/// What the tool says on standard error: lines for people, and objects where it prints JSON.
enum Messages {
  /// Relaxed: it is set before anything is said.
  private static let areJSON = Atomic(false)

  /// From here on messages are objects.
  static func useJSON() { areJSON.store(true, ordering: .relaxed) }

  /// Whether arguments ask for JSON. They are looked at as they are, as they may make no sense.
  static func areAskedAsJSON(_ arguments: [String]) -> Bool {
    let options = arguments.prefix { $0 != "--" }
    return options.contains { $0 == "--json" || $0 == "--format=json" }
      || zip(options, options.dropFirst()).contains { $0 == "--format" && $1 == "json" }
  }

  /// An error that ends the tool, or that it goes on after.
  static func say(error message: String, _ status: ExitStatus) {
    say(error: [message], usage: [], status)
  }

  /// The same of several lines.
  ///
  /// - Parameter usage: how the command is to be called.
  static func say(error lines: [String], usage: [String], _ status: ExitStatus) {
    say {
      $0.add("error", printable(lines))
      if !usage.isEmpty { $0.add("usage", printable(usage)) }
      $0.add("status", Int(status.code))
    } orLines: {
      lines + usage
    }
  }

  /// Something that people should know.
  static func say(note: String) {
    say {
      let prefix = "note: "
      $0.add("note", String(note.dropFirst(note.hasPrefix(prefix) ? prefix.count : 0)).printable)
    } orLines: {
      [note]
    }
  }

  /// Says it as an object, or as lines. The first line begins with the tool's name. What a terminal would obey is made
  /// printable.
  private static func say(_ fill: (inout JSONObject) -> Void, orLines lines: () -> [String]) {
    let bytes: [UInt8]
    if areJSON.load(ordering: .relaxed) {
      var object = JSONObject()
      fill(&object)
      bytes = object.line
    } else {
      bytes = Array("immuta: \(printable(lines()))\n".utf8)
    }
    // One write, so that lines of several processes don't mix; if it fails there is nowhere left to say so.
    bytes.withUnsafeBytes { try? System.write($0, to: System.standardError) }
  }

  private static func printable(_ lines: [String]) -> String { lines.map(\.printable).joined(separator: "\n") }
}
