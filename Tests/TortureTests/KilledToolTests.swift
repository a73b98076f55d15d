import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// The tool, killed at random moments while it appends what it is fed.
@Suite struct KilledToolTests {
  /// The durabilities that the tool knows.
  enum ToolDurability: String, CaseIterable, Sendable {
    case buffered, synced
  }

  /// What the tool appends to.
  enum Kept: String, CaseIterable, Sendable {
    case namespace, oldNamespace, partition

    /// The tool's arguments for what stands in a directory.
    func arguments(_ command: String, _ directory: String) -> [String] {
      switch self {
      case .namespace: [command, name, "--dir", directory]
      case .oldNamespace: [command, name, "--dir", directory, "--log-format", "v1"]
      case .partition: ["logstore", command, directory]
      }
    }

    func appending(_ durability: ToolDurability, _ directory: String) -> [String] {
      arguments("append", directory) + ["--receipts", "--durability", durability.rawValue]
        + (self == .partition ? ["--key", "k", "--partitions", "1"] : [])
    }

    var format: LogFormat {
      switch self {
      case .namespace: .v2
      case .oldNamespace: .v1
      case .partition: .bilog
      }
    }

    /// The log's name among its directory's.
    var name: String { self == .partition ? "0" : "e" }
  }

  @Test(arguments: ToolDurability.allCases, Kept.allCases)
  func everyReceiptOfAKilledToolHolds(_ durability: ToolDurability, _ kept: Kept) async throws {
    // A pipe whose reader was killed is an error to be told, not the end of the tests.
    _ = Foundation.signal(SIGPIPE, SIG_IGN)
    let tool = try BuiltTool.path()
    try await Rounds.run(default: 5, most: 200, "killed tool, \(durability), \(kept)") { seed in
      try await Self.round(seed, durability, kept, tool)
    }
  }

  @Test func aReceiptWithoutARecordIsFound() async throws {
    let tool = try BuiltTool.path()
    try await mustBeFound(within: 1, "a receipt without a record") { seed in
      try await Self.round(seed, .synced, .namespace, tool) { lines, receipts in
        lines.append("never sent")
        receipts.append(Receipt(sequence: lines.count - 1, size: 10))
      }
    }
  }

  /// What the tool says of a record.
  struct Receipt: Decodable {
    var sequence: Int
    var size: Int
  }

  /// Feeds the tool, kills it, and looks at what it left.
  ///
  /// - Parameter meddling: changes what is compared.
  private static func round(
    _ seed: UInt64, _ durability: ToolDurability, _ kept: Kept, _ tool: String,
    meddling: (_ lines: inout [String], _ receipts: inout [Receipt]) -> Void = { _, _ in }
  ) async throws {
    var generator = SeededGenerator(seed: seed)
    let directory = TemporaryDirectory()
    let arguments = kept.appending(durability, directory.path)
    var lines: [String] = []
    var receipts: [Receipt] = []
    let child = try ChildProcess(tool, arguments)
    // Whole batches with all their receipts, so that no pipe is ever full, then one that is interrupted.
    for _ in 0..<Int.random(in: 0...6, using: &generator) {
      let batch = Self.batch(from: lines.count, &generator)
      lines += batch
      for line in batch { try child.write(line: line) }
      while receipts.count < lines.count {
        guard let text = child.readLine(within: .seconds(20)) else { throw Finding("a receipt does not come") }
        receipts.append(try Self.receipt(text))
      }
    }
    for line in Self.batch(from: lines.count, &generator) {
      lines.append(line)
      try child.write(line: line)
    }
    try await Task.sleep(for: .microseconds(Int.random(in: 0...4000, using: &generator)))
    child.kill()
    for text in child.readLines(within: .seconds(20)) { receipts.append(try Self.receipt(text)) }
    guard child.wait() == nil else { throw Finding("the tool ended before it was killed") }
    meddling(&lines, &receipts)
    guard !receipts.isEmpty || directory.holds(kept) else { return }

    guard try Self.status(tool, kept.arguments("verify", directory.path)) == 0 else {
      throw Finding("verify is not content")
    }
    let count = try await check(directory.path, kept, lines, receipts)
    try await appendMore(tool, arguments, directory.path, kept, lines, known: count)
  }

  /// Appending goes on behind what is there.
  ///
  /// - Parameter count: records that are counted. The one that was being committed may be whole without being counted
  ///   yet: whoever opens the log for appending finds it.
  private static func appendMore(
    _ tool: String, _ arguments: [String], _ directory: String, _ kept: Kept, _ sent: [String], known count: Int
  ) async throws {
    let more = ["", "after the kill", String(repeating: "x", count: 5000)]
    let child = try ChildProcess(tool, arguments)
    for line in more { try child.write(line: line) }
    child.closeInput()
    let receipts = try child.readLines(within: .seconds(20)).map(Self.receipt)
    guard child.wait() == 0 else { throw Finding("appending after the kill fails") }
    guard let first = receipts.first?.sequence, (count...min(count + 1, sent.count)).contains(first),
      receipts.map(\.sequence) == Array(first..<first + more.count)
    else {
      throw Finding("\(count) records are there, and the next were numbered \(receipts.map(\.sequence))")
    }
    let last = try await check(directory, kept, sent[..<first] + more, receipts)
    guard last == first + more.count else { throw Finding("\(last) records are there at last") }
    guard try Self.status(tool, kept.arguments("verify", directory)) == 0 else {
      throw Finding("verify is not content after appending")
    }
  }

  /// Compares what is in the log with what was sent; returns how many records there are.
  private static func check(
    _ directory: String, _ kept: Kept, _ lines: [String], _ receipts: [Receipt]
  ) async throws -> Int {
    var configuration = Storage.Configuration()
    configuration.format = kept.format
    configuration.access = .readOnly
    let storage = try Storage(directory: directory, namespaces: [kept.name], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log(kept.name)
    guard log.count <= lines.count else { throw Finding("\(log.count) records of \(lines.count) lines") }
    for receipt in receipts {
      guard receipt.sequence < log.count else {
        throw Finding("record \(receipt.sequence) has a receipt, and \(log.count) records are there")
      }
      guard receipt.size == lines[receipt.sequence].utf8.count else { throw Finding("a wrong size: \(receipt)") }
    }
    for number in 0..<log.count {
      let record = try await log.record(at: number)
      guard record.text == lines[number] else { throw Finding("record \(number) is not line \(number)") }
    }
    return log.count
  }

  /// Lines that together fit into a pipe, as do their receipts.
  private static func batch(from first: Int, _ generator: inout SeededGenerator) -> [String] {
    (0..<Int.random(in: 1...150, using: &generator)).map { number in
      "\(first + number) " + String(repeating: "y", count: Int.random(in: 0...250, using: &generator))
    }
  }

  private static func receipt(_ text: String) throws -> Receipt {
    do {
      return try JSONDecoder().decode(Receipt.self, from: Data(text.utf8))
    } catch {
      throw Finding("the tool printed \(text)")
    }
  }

  private static func status(_ tool: String, _ arguments: [String]) throws -> Int32? {
    let child = try ChildProcess(tool, arguments)
    child.closeInput()
    _ = child.readLines(within: .seconds(60))
    return child.wait()
  }
}

extension TemporaryDirectory {
  fileprivate func holds(_ kept: KilledToolTests.Kept) -> Bool {
    FileManager.default.fileExists(atPath: kept.format.testFiles(of: kept.name, in: path).log)
  }
}
