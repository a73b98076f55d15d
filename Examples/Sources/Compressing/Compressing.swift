import Immuta
import ImmutaTransforms

/// Compresses what is appended; readers get it back as it was.
@main
struct Compressing {
  static func main() async throws {
    var configuration = Storage.Configuration()
    configuration.codec = .deflate(level: 9)

    let storage = try Storage(directory: "./log-data", namespaces: ["web"], configuration: configuration)
    defer { storage.close() }

    let line = #"203.0.113.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 5120"#
    let page = Array(repeating: line, count: 100).joined(separator: "\n")
    let receipt = try await storage.append(page, to: "web")
    print("\(page.utf8.count) bytes are stored as \(receipt.size)")

    var stream = storage.stream("web")
    if let record = try await stream.next() {
      print("and read as \(record.payload.count): \(record.text == page ? "the same" : "others")")
    }
  }
}
