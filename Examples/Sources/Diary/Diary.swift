import Foundation
import Immuta
import ImmutaTransforms

@main
struct Diary {
  struct NotAKey: Error { let file: String }

  static func main() async throws {
    var older: [EncryptionKey] = []
    if FileManager.default.fileExists(atPath: "old.key") {
      older = [try key(in: "old.key")]
    }
    let keys = KeyRing(try key(in: "diary.key"), older: older)

    var configuration = Storage.Configuration()
    configuration.codec = .deflate().then(.aes256GCM(keys))
    let storage = try Storage(
      directory: "./diary", namespaces: ["diary"],
      configuration: configuration)
    defer { storage.close() }
    let diary = try storage.log("diary")

    let entry = CommandLine.arguments.dropFirst().joined(separator: " ")
    if !entry.isEmpty { try await diary.append(entry) }
    for try await record in diary.history() {
      print(record.timestamp, record.text)
    }
  }

  static func key(in file: String) throws -> EncryptionKey {
    let bytes = try Data(contentsOf: URL(filePath: file))
    guard let key = EncryptionKey(bytes) else { throw NotAKey(file: file) }
    return key
  }
}
