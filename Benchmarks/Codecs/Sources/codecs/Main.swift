import Foundation
import Immuta
import ImmutaTransforms

/// Appends the same records through each codec, reads them back, and prints a table: bytes stored for each byte of
/// payload, and payload bytes a second. Below it, the same payloads as one file through `gzip` and `zstd`.
@main
struct Main {
  static let count = 100_000

  static func main() throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "immuta-codecs-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    for kind in RecordKind.allCases {
      let records = kind.records(count)
      let bytes = records.reduce(0) { $0 + $1.count }
      print("\n\(kind.rawValue): \(count) records of \(bytes / count) bytes on average\n")
      print("| codec | stored | append | read |\n| --- | --- | --- | --- |")
      let dictionary = try ZstdDictionary(trainedOn: records.prefix(10_000))
      for (name, codec) in codecs(dictionary) {
        let row = try measure(records, codec, in: directory)
        let rates = [row.append, row.read].map { format(Double(bytes) / $0 / 1e6, 0) + " MB/s" }
        print("| \(name) | \(format(Double(row.stored) / Double(bytes) * 100, 1)) % | \(rates[0]) | \(rates[1]) |")
      }
      for command in [["gzip", "-6"], ["zstd", "-3"], ["zstd", "-19"]] {
        let size = try size(of: records, through: command, in: directory)
        print(
          "| one file, `\(command.joined(separator: " "))` | \(format(Double(size) / Double(bytes) * 100, 1)) % | | |")
      }
    }
  }

  static func codecs(_ dictionary: ZstdDictionary) -> [(String, Codec?)] {
    let keys = KeyRing(.random())
    return [
      ("none", nil), ("DEFLATE 1", .deflate(level: 1)), ("DEFLATE 6", .deflate()), ("LZ4", .lz4()),
      ("Zstandard 3", .zstd()), ("Zstandard 3, dictionary", .zstd(dictionary: dictionary)),
      ("Zstandard 19, dictionary", .zstd(level: 19, dictionary: dictionary)),
      ("AES-256-GCM", .aes256GCM(keys)), ("ChaCha20-Poly1305", .chaCha20Poly1305(keys)),
      ("Zstandard 3, dictionary; AES-256-GCM", .zstd(dictionary: dictionary).then(.aes256GCM(keys))),
    ]
  }

  static func measure(
    _ records: [[UInt8]], _ codec: Codec?, in directory: String
  ) throws -> (stored: Int, append: Double, read: Double) {
    var configuration = Storage.Configuration()
    configuration.codec = codec
    let storage = try Storage(directory: directory, namespaces: ["codecs"], configuration: configuration)
    let log = try storage.log("codecs")
    var stored = 0
    let append = try ContinuousClock().measure { for record in records { stored += try log.append(record).size } }
    var total = 0
    let read = try ContinuousClock().measure {
      var stream = log.stream()
      while let record = try stream.nextAtOnce() { total += record.payload.count }
    }
    precondition(total == records.reduce(0) { $0 + $1.count }, "what was read is not what was appended")
    storage.close()
    for name in ["codecs.log", "codecs.idx"] { try FileManager.default.removeItem(atPath: "\(directory)/\(name)") }
    return (stored, append / .seconds(1), read / .seconds(1))
  }

  static func size(of records: [[UInt8]], through command: [String], in directory: String) throws -> Int {
    let path = "\(directory)/all"
    try Data(records.joined()).write(to: URL(filePath: path))
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", "\(command.joined(separator: " ")) -c < \"$0\" | wc -c", path]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return Int(text.filter(\.isNumber)) ?? 0
  }

  static func format(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
}
