import Immuta

@main
struct Notes {
  static func main() async throws {
    let note = CommandLine.arguments.dropFirst().joined(separator: " ")
    switch note {
    case "": try await show()
    case "follow": try await follow()
    default: try await add(note)
    }
  }

  static func add(_ note: String) async throws {
    let storage = try Storage(directory: "./notes", namespaces: ["notes"])
    defer { storage.close() }
    let receipt = try await storage.append(note, to: "notes")
    print("this is note", receipt.sequence)
  }

  static func show() async throws {
    let storage = try openToRead()
    defer { storage.close() }
    for try await note in storage.history("notes") {
      print(note.sequence, note.timestamp, note.text)
    }
  }

  static func follow() async throws {
    let storage = try openToRead()
    defer { storage.close() }
    for try await note in storage.stream("notes", from: .last(3)) {
      print(note.sequence, note.timestamp, note.text)
    }
  }

  static func openToRead() throws -> Storage {
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    return try Storage(
      directory: "./notes", namespaces: ["notes"],
      configuration: configuration)
  }
}
