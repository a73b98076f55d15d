import Testing

@testable import ImmutaCLI

/// Bytes that come in pieces of given sizes.
private final class ScriptedSource: ByteSource {
  private var rest: ArraySlice<UInt8>
  private var sizes: [Int]

  init(_ bytes: [UInt8], sizes: [Int]) {
    rest = bytes[...]
    self.sizes = sizes
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let wanted = sizes.isEmpty ? rest.count : sizes.removeFirst()
    let piece = rest.prefix(min(wanted, buffer.count))
    buffer.copyBytes(from: piece)
    rest = rest.dropFirst(piece.count)
    return piece.count
  }
}

@Suite("Records from bytes")
struct RecordInputTests {
  /// Takes an input apart as `append` does.
  private func records(_ input: RecordInput) async throws -> [[UInt8]] {
    var records: [[UInt8]] = []
    repeat {
      while let next = try input.next() {
        switch next {
        case .whole(let record): records.append(Array(record))
        case .large(let pieces):
          var record: [UInt8] = []
          for try await piece in pieces { record += piece }
          records.append(record)
        }
      }
    } while try input.fill()
    if let last = try input.takeLast() { records.append(Array(last)) }
    return records
  }

  private func records(_ text: String, delimiter: UInt8? = 10, sizes: [Int] = []) async throws -> [String] {
    let source = ScriptedSource(Array(text.utf8), sizes: sizes)
    return try await records(RecordInput(source, delimiter: delimiter)).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test("Newlines end records; carriage returns belong to them")
  func lines() async throws {
    #expect(try await records("one\ntwo\r\nthree\n") == ["one", "two\r", "three"])
  }

  @Test("A last line needs no newline")
  func lastLine() async throws {
    #expect(try await records("one\ntwo") == ["one", "two"])
  }

  @Test("An empty line is an empty record, and the end of the input is none")
  func emptyLines() async throws {
    #expect(try await records("\n\na\n\n") == ["", "", "a", ""])
    #expect(try await records("") == [])
    #expect(try await records("\n") == [""])
  }

  @Test("Zero bytes end records when asked to")
  func zeroBytes() async throws {
    #expect(try await records("a\nb\0c\0", delimiter: 0) == ["a\nb", "c"])
  }

  @Test("Without a delimiter everything is one record, and nothing is none")
  func noDelimiter() async throws {
    #expect(try await records("a\nb\0c\n", delimiter: nil, sizes: [2, 1, 1]) == ["a\nb\0c\n"])
    #expect(try await records("", delimiter: nil) == [])
  }

  @Test("However bytes and reads fall, the records are the same", arguments: 0..<300)
  func anyPieces(seed: Int) async throws {
    var random = SplitMix(state: UInt64(seed))
    let bytes = (0..<Int.random(in: 0...400, using: &random)).map { _ in
      UInt8.random(in: 0...99, using: &random) < 8 ? 10 : UInt8.random(in: 97...122, using: &random)
    }
    let sizes = (0..<200).map { _ in Int.random(in: 1...40, using: &random) }
    let longest = Int.random(in: 1...30, using: &random)
    let readSize = Int.random(in: 1...30, using: &random)
    let input = RecordInput(
      ScriptedSource(bytes, sizes: sizes), delimiter: 10, longest: longest, readSize: readSize)
    var expected = bytes.split(separator: 10, omittingEmptySubsequences: false).map(Array.init)
    if expected.last?.isEmpty == true { expected.removeLast() }
    #expect(try await records(input) == expected, "seed \(seed)")
    #expect(input.bytesRead == bytes.count)
  }
}

/// Random numbers from a seed.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
