import Foundation
import Immuta
import ImmutaTransforms

/// A way to keep records: a log with a codec, or, to compare with, one file of them all through a compressing program.
enum Contender {
  case log(String, Codec?)
  case file(program: String, level: Int)

  static func all(for sample: Sample) throws -> [Contender] {
    let dictionary = try ZstdDictionary(trainedOn: sample.earlier)
    let keys = KeyRing(.random())
    return [
      .log("no codec", nil), .log("DEFLATE 1", .deflate(level: 1)), .log("DEFLATE 6", .deflate(level: 6)),
      .log("LZ4", .lz4()), .log("Zstandard 3", .zstd(level: 3)),
      .log("Zstandard 3, dictionary", .zstd(level: 3, dictionary: dictionary)),
      .log("Zstandard 19, dictionary", .zstd(level: 19, dictionary: dictionary)),
      .log("AES-256-GCM", .aes256GCM(keys)), .log("ChaCha20-Poly1305", .chaCha20Poly1305(keys)),
      .log("Zstandard 3, dict., then AES", .zstd(level: 3, dictionary: dictionary).then(.aes256GCM(keys))),
      .file(program: "gzip", level: 6), .file(program: "zstd", level: 3),
    ]
  }

  var name: String {
    switch self {
    case .log(let name, _): name
    case .file(let program, let level): "one file, \(program) -\(level)"
    }
  }

  var isReference: Bool {
    switch self {
    case .log: false
    case .file: true
    }
  }

  func measure(_ sample: Sample, in directory: String) throws -> Measurement {
    switch self {
    case .log(_, let codec): try Self.measureLog(sample, codec, in: directory)
    case .file(let program, let level): try Self.measureFile(sample, program, level, in: directory)
    }
  }
}

extension Contender {
  /// One record per commit, no flush; then a stream over them all, from page cache.
  private static func measureLog(_ sample: Sample, _ codec: Codec?, in directory: String) throws -> Measurement {
    let directory = "\(directory)/log"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var configuration = Storage.Configuration()
    configuration.codec = codec
    let storage = try Storage(directory: directory, namespaces: ["codecs"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("codecs")
    let clock = ContinuousClock()
    var stored = 0
    let append = try clock.measure { for record in sample.records { stored += try log.append(record).size } }
    var byteCount = 0
    let read = try clock.measure {
      var stream = log.stream()
      while let record = try stream.nextAtOnce() { byteCount += record.payload.count }
    }
    if byteCount != sample.byteCount { throw CodecsError("\(byteCount) bytes were read of \(sample.byteCount)") }
    return Measurement(stored: stored, append: append, read: read)
  }

  /// The program's own time, from file to file, its start included.
  private static func measureFile(
    _ sample: Sample, _ program: String, _ level: Int, in directory: String
  ) throws -> Measurement {
    let (plain, packed, unpacked) = ("\(directory)/plain", "\(directory)/packed", "\(directory)/unpacked")
    defer { for path in [plain, packed, unpacked] { try? FileManager.default.removeItem(atPath: path) } }
    try Data(sample.records.joined()).write(to: URL(filePath: plain))
    let clock = ContinuousClock()
    let append = try clock.measure { try run("\(program) -\(level) -c", from: plain, to: packed) }
    let read = try clock.measure { try run("\(program) -d -c", from: packed, to: unpacked) }
    let sizes = try [packed, unpacked].map { try Data(contentsOf: URL(filePath: $0), options: .alwaysMapped).count }
    guard sizes[1] == sample.byteCount else {
      throw CodecsError("\(program) gave back \(sizes[1]) bytes of \(sample.byteCount)")
    }
    return Measurement(stored: sizes[0], append: append, read: read)
  }

  private static func run(_ command: String, from input: String, to output: String) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", "exec \(command) <\"$0\" >\"$1\"", input, output]
    // waitUntilExit() looks only every 50 ms, which is longer than some of the work.
    let ended = DispatchSemaphore(value: 0)
    process.terminationHandler = { _ in ended.signal() }
    try process.run()
    ended.wait()
    if process.terminationStatus != 0 {
      throw CodecsError("\(command) ended with status \(process.terminationStatus): is it installed?")
    }
  }
}
