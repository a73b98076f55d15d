import Immuta

/// Two processes, one log: run it with `write` in one terminal, and with `read` in any number of others, in
/// any order.
@main
struct FollowOtherProcess {
  static func main() async throws {
    switch CommandLine.arguments.dropFirst().first {
    case "write": try await write()
    case "read": try await read()
    default: print("usage: follow-other-process write | read")
    }
  }

  static func write() async throws {
    let storage = try Storage(directory: "./log-data", namespaces: ["ticks"])
    defer { storage.close() }
    for number in 1...20 {
      try await storage.append("tick \(number)", to: "ticks")
      try await Task.sleep(for: .milliseconds(200))
    }
    try await storage.append("done", to: "ticks")
  }

  static func read() async throws {
    // Waits until somebody has made the log. Takes no lock, and changes no file.
    let storage = try await Storage.whenPresent(directory: "./log-data", namespaces: ["ticks"])
    defer { storage.close() }

    for try await record in storage.stream("ticks", from: .beginning) {
      print(record.sequence, record.text)
      if record.text == "done" { break }
    }
  }
}
