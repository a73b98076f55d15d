import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// The records of a log by a key, where payloads go through a codec.
@Suite struct KeysOfTransformedRecordsTests {
  @Test(arguments: Codecs.all) func theClosureSeesWhatWasAppended(codec: Codec) async throws {
    let bench = try Workbench()
    for life in 0..<2 {
      let storage = try Storage(
        directory: bench.directory.path, namespaces: [Workbench.name], configuration: bench.configuration(codec))
      defer { storage.close() }
      let log = try storage.log(Workbench.name)
      let accounts = try log.keyed("account") { $0.text.split(separator: " ").first.map(String.init) }
      if life == 0 {
        for number in 0..<30 {
          try await accounts.append("secret-\(number % 3) \(number)", expecting: number / 3)
          if number % 10 == 9 { try await log.roll() }
        }
        // Larger than what one read of a posting brings.
        try await log.append("secret-0 " + String(repeating: "x", count: 100_000))
        try await log.roll()
        accounts.finishFiles()
      }
      var texts: [String] = []
      for try await record in accounts.records(of: "secret-1") { texts.append(record.text) }
      #expect(texts == stride(from: 1, to: 30, by: 3).map { "secret-1 \($0)" })
      #expect(try await accounts.count(of: "secret-0") == 11)
      #expect(try await accounts.record(10, of: "secret-0")?.payload.count == 100_009)
      #expect(try await accounts.keys == ["secret-0", "secret-1", "secret-2"])
    }
    // No key is in a file of the index.
    let folder = bench.directory.file("\(Workbench.name).keys")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder)
    #expect(files.contains { $0.hasSuffix(".keys") })
    for file in files {
      let bytes = try bench.directory.bytes(of: "\(Workbench.name).keys/\(file)")
      #expect(bytes.firstRange(of: Array("secret".utf8)) == nil)
    }
  }
}
