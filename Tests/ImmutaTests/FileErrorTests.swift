import Foundation
import Immuta
import ImmutaTestSupport
import Testing

/// The file layer says which call failed, and callers of the engine get an error of the engine's.
@Suite(.timeLimit(.minutes(2))) struct FileErrorTests {
  /// What the body throws.
  private func failure(_ body: () throws(FileError) -> Void) -> FileError? {
    do throws(FileError) { try body() } catch { return error }
    return nil
  }

  @Test func aCallThatFailsIsKnownByWhatItIsAndNotByAText() throws {
    let directory = TemporaryDirectory()
    let place = try Directory(opening: directory.path)
    let error = try #require(failure { () throws(FileError) in _ = try place.open("none", .read) })
    guard case .call(let failed) = error else {
      Issue.record("\(error) is no call that failed")
      return
    }
    #expect(failed.call == .open && failed.errorNumber == ErrorNumber.notFound && failed.purpose == .log)
    #expect(failed.path == directory.file("none"))
    #expect(ImmutaError(error) == .io(errno: ErrorNumber.notFound, operation: "open", path: directory.file("none")))
    place.close()
    #expect(failure { () throws(FileError) in _ = try place.open("none", .read) } == .closed)
  }

  @Test func aTemporaryFileThatFailsIsTheEnginesErrorAndNothingWasAppended() async throws {
    for (kind, operation) in [(FileCall.write, "writing a temporary file"), (.read, "pread")] {
      let directory = TemporaryDirectory()
      let storage = try Storage(directory: directory.path, namespaces: ["log"])
      defer { storage.close() }
      let log = try storage.log("log")
      let injector = FaultInjector(
        directory: directory.path, .error(ErrorNumber.noSpace), of: kind, where: { $0.hasSuffix(".spill") })
      try await SystemCalls.withHook(injector) {
        let expected = ImmutaError.io(
          errno: ErrorNumber.noSpace, operation: operation, path: directory.file(".log.log.spill"))
        await #expect(throws: expected) {
          try await log.append(ChunkSource(chunks: [[UInt8](repeating: 1, count: 3 << 20)]))
        }
        if kind == .write { #expect("\(expected)".contains("nothing was appended")) }
      }
      #expect(log.count == 0)
      try await log.append("goes on")
    }
  }

  @Test func whateverCallOfASalvageFailsItsErrorIsTheEngines() async throws {
    let directory = TemporaryDirectory()
    let storage = try Storage(directory: directory.path, namespaces: ["log"])
    for text in ["one", "two"] { try await storage.log("log").append(text) }
    storage.close()
    var failures = 0
    for number in 1...200 {
      let injector = FaultInjector(directory: directory.path, .error(ErrorNumber.ioError), of: .open, at: number)
      SystemCalls.withHook(injector) {
        do {
          _ = try Storage.salvage("log", in: directory.path, into: "copy\(number)")
        } catch {
          failures += 1
          #expect(error is ImmutaError, "open number \(number): \(error)")
        }
      }
      if injector.injected == 0 { break }
    }
    #expect(failures > 3)
  }
}
