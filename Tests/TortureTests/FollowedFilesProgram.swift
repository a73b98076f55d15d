import Foundation
import Immuta
import ImmutaLibC
import ImmutaTestSupport

/// What happens to the files of a log that others follow: appends, and everything that administrators, backups and accidents
/// do to files. Runs on one task, while followers read.
struct FollowedFilesProgram {
  private let directory: String
  private let spare: TemporaryDirectory
  private let format: LogFormat
  let history: FollowedHistory
  private var generator: SeededGenerator
  private var writer: Storage?
  private var backup: (files: [String: [UInt8]], chain: [Int])?

  init(directory: String, format: LogFormat, seed: UInt64) throws {
    self.directory = directory
    self.format = format
    spare = TemporaryDirectory(inMemory: true)
    history = FollowedHistory()
    generator = SeededGenerator(seed: seed)
  }

  private var names: [String] {
    let files = format.testFiles(of: "log", in: directory)
    return [files.companion, files.log].map { String($0.dropFirst(directory.count + 1)) }
  }

  private var configuration: Storage.Configuration {
    var configuration = Storage.Configuration()
    configuration.format = format
    return configuration
  }

  func follower() throws -> Storage {
    var configuration = configuration
    configuration.access = .readOnly
    return try storage(in: directory, configuration)
  }

  private func storage(in directory: String, _ configuration: Storage.Configuration) throws -> Storage {
    try Storage(directory: directory, namespaces: ["log"], configuration: configuration)
  }

  // MARK: Steps

  mutating func append(_ count: Int) async throws {
    let storage = try writer ?? storage(in: directory, configuration)
    writer = storage
    for _ in 0..<count {
      let size = generator.oneIn(30) ? 300_000 : Int.random(in: 0...60, using: &generator)
      try await storage.append("\(history.append()) " + String(repeating: "x", count: size), to: "log")
    }
  }

  mutating func close() {
    writer?.close()
    writer = nil
  }

  mutating func step() async throws {
    switch Int.random(in: 0..<16, using: &generator) {
    case 0..<4: try await append(Int.random(in: 1...40, using: &generator))
    case 4: close()
    case 5: try await Task.sleep(for: .milliseconds(Int.random(in: 1...10, using: &generator)))
    case 6: try kill()
    case 7, 8: try await cutBack()
    case 9: try save()
    case 10, 11: try await restore()
    case 12: try await replace()
    case 13: try await moveAway()
    case 14: try await beginAgain()
    default: try await truncateForAMoment()
    }
  }

  /// The process of the writer dies: its files stay as they are, and the next one recovers them.
  private mutating func kill() throws {
    guard writer != nil else { return }
    let files = try currentFiles()
    close()
    try put(files, inPlace: Bool.random(using: &generator))
  }

  /// A repair, or a machine that went down, takes the last records back.
  private mutating func cutBack() async throws {
    close()
    let chain = history.chain
    guard chain.count > 1 else { return }
    let kept = max(1, chain.count - Int.random(in: 1...min(100, chain.count), using: &generator))
    let path = format.testFiles(of: "log", in: directory).log
    guard let bytes = try FileBytes.read(path) else { return }
    history.beginChange()
    let index = try LogIndex.index(of: kept, in: bytes, format)
    let handle = try FileHandle(forUpdating: URL(filePath: path))
    try handle.seek(toOffset: UInt64(index))
    try handle.write(contentsOf: [UInt8](repeating: 0xEE, count: bytes.count - index))
    try handle.close()
    _ = try Storage.repair("log", in: directory, format: format, applying: true)
    history.become(Array(chain[..<kept]))
    if Bool.random(using: &generator) {
      try await append(Int.random(in: 1...chain.count - kept + 2, using: &generator))
    }
  }

  private mutating func save() throws {
    close()
    backup = (try currentFiles(), history.chain)
  }

  /// An older copy is put back.
  private mutating func restore() async throws {
    close()
    guard let backup else { return }
    history.beginChange()
    var files = backup.files
    // Of a log that has no companion nothing says whose it is.
    if generator.oneIn(3) { files[names[0]] = nil }
    try put(files, inPlace: Bool.random(using: &generator))
    history.become(backup.chain)
    if Bool.random(using: &generator) { try await append(Int.random(in: 1...60, using: &generator)) }
  }

  /// Another log takes the place of this one.
  private mutating func replace() async throws {
    close()
    let before = history.chain
    history.beginChange()
    history.become([])
    history.beginChange()
    let other = try spare.subdirectory("other")
    let storage = try storage(in: other, configuration)
    for _ in 0..<Int.random(in: 0...before.count + 5, using: &generator) {
      try await storage.append("\(history.append()) another", to: "log")
    }
    storage.close()
    var files: [String: [UInt8]] = [:]
    for name in names { files[name] = try FileBytes.read("\(other)/\(name)") }
    try FileManager.default.removeItem(atPath: other)
    try put(files, inPlace: Bool.random(using: &generator))
    history.become(history.chain)
  }

  private mutating func moveAway() async throws {
    close()
    let present = names.filter { FileManager.default.fileExists(atPath: "\(directory)/\($0)") }
    for name in present {
      guard rename("\(directory)/\(name)", spare.file(name)) == 0 || copyAway(name) else { return }
    }
    try await Task.sleep(for: .milliseconds(Int.random(in: 0...30, using: &generator)))
    for name in present {
      if let bytes = try FileBytes.read(spare.file(name)) { try FileBytes.write(bytes, to: "\(directory)/\(name)") }
      try? FileManager.default.removeItem(atPath: spare.file(name))
    }
  }

  /// Between file systems.
  private func copyAway(_ name: String) -> Bool {
    do {
      if let bytes = try FileBytes.read("\(directory)/\(name)") { try FileBytes.write(bytes, to: spare.file(name)) }
      try FileManager.default.removeItem(atPath: "\(directory)/\(name)")
      return true
    } catch {
      return false
    }
  }

  /// The files are removed, and a new log begun.
  private mutating func beginAgain() async throws {
    close()
    history.beginChange()
    for name in names { try? FileManager.default.removeItem(atPath: "\(directory)/\(name)") }
    history.become([])
    try await append(Int.random(in: 1...20, using: &generator))
  }

  /// As a tool does that copies a log and cuts it to nothing, only that somebody puts it right again.
  private mutating func truncateForAMoment() async throws {
    close()
    let files = try currentFiles()
    history.beginChange()
    for name in names where Bool.random(using: &generator) { _ = truncate("\(directory)/\(name)", 0) }
    try await Task.sleep(for: .milliseconds(Int.random(in: 0...10, using: &generator)))
    try put(files, inPlace: true)
    history.become(history.chain)
  }

  // MARK: Files

  private func currentFiles() throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for name in names { files[name] = try FileBytes.read("\(directory)/\(name)") }
    return files
  }

  private func put(_ files: [String: [UInt8]], inPlace: Bool) throws {
    for name in names {
      let path = "\(directory)/\(name)"
      guard let bytes = files[name] else {
        try? FileManager.default.removeItem(atPath: path)
        continue
      }
      if inPlace {
        try FileBytes.write(bytes, to: path)
      } else {
        try FileBytes.write(bytes, to: path + ".put")
        guard rename(path + ".put", path) == 0 else { throw Finding("cannot rename \(path)") }
      }
    }
  }
}

/// Where records begin in a log's bytes.
enum LogIndex {
  static func index(of number: Int, in bytes: [UInt8], _ format: LogFormat) throws -> Int {
    var index = format.headerSize
    for _ in 0..<number {
      guard index + format.recordHeaderSize <= bytes.count else {
        throw Finding("the log has fewer records than expected")
      }
      let field = bytes[index..<index + 8]
      let size =
        format == .bilog
        ? field.reduce(0) { $0 << 8 | Int($1) } - 12 : field.reversed().reduce(0) { $0 << 8 | Int($1) }
      index += format.recordHeaderSize + size
    }
    return index
  }
}
