import Foundation
import Immuta
import Synchronization
import Testing

@testable import ImmutaCLI

/// A large payload is decoded on its way to the output. That it could be decoded a moment ago promises nothing.
@Suite("Printing what cannot be decoded any more")
struct UndecodableTests {
  /// Fails while it is told to.
  private struct Fickle: Transformer {
    let name = "fickle"
    let isFailing: Flag

    func makeState() -> sending any TransformerState { State(isFailing) }

    final class State: TransformerState {
      private let isFailing: Flag

      init(_ isFailing: Flag) {
        self.isFailing = isFailing
      }

      func transform(_ input: RawSpan, into output: TransformOutput) throws -> Int {
        if isFailing.value.load(ordering: .relaxed) { throw TransformError("not now") }
        output.append(input)
        return input.byteCount
      }
    }
  }

  private final class Flag: Sendable {
    let value = Atomic(false)
  }

  @Test("It is an error in each format, never a crash", arguments: RecordFormat.named.map(\.format))
  func printing(format: RecordFormat) async throws {
    let place = Workplace()
    let isFailing = Flag()
    var configuration = Storage.Configuration()
    configuration.codec = Codec(
      writing: WholePayloadTransformer(name: "fickle") { bytes, _ in bytes }, reading: Fickle(isFailing: isFailing))
    let storage = try Storage(directory: "\(place.path)/logs", namespaces: ["e"], configuration: configuration)
    defer { storage.close() }
    let log = try storage.log("e")
    try await log.append([UInt8](repeating: 120, count: 2 << 20))
    let record = try await log.record(at: 0)
    let sink = try FileHandle(forWritingTo: URL(fileURLWithPath: "/dev/null"))
    var printer = RecordPrinter(.init(format: format), to: Output(sink.fileDescriptor), of: { _ in log })
    try printer.print(record)
    isFailing.value.store(true, ordering: .relaxed)
    let error = #expect(throws: ImmutaError.self) { try printer.print(record) }
    #expect(Failure(try #require(error)).status == .damaged)
    isFailing.value.store(false, ordering: .relaxed)
    try printer.print(record)
  }
}
