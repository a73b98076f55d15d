import Foundation
import Immuta
import ImmutaTestSupport
import Synchronization
import Testing

/// Payloads that come in chunks: whoever sends slowly holds up nobody.
@Suite(.timeLimit(.minutes(3))) struct UploadTests {
  private func open(
    _ directory: TemporaryDirectory, uploads: Storage.Uploads = .init(), codec: Codec? = nil
  ) throws -> (storage: Storage, log: Log) {
    var configuration = Storage.Configuration()
    configuration.uploads = uploads
    configuration.codec = codec
    let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    return (storage, try storage.log("log"))
  }

  @Test func othersAppendWhileAPayloadIsReceived() async throws {
    let directory = TemporaryDirectory()
    let (storage, log) = try open(directory)
    defer { storage.close() }
    let (stream, continuation) = AsyncStream<[UInt8]>.makeStream()
    let upload = await startWaiting { try await log.append(stream) }
    continuation.yield(pattern(3 << 20, seed: 1))
    for number in 0..<10 { #expect(try await log.append("\(number)").sequence == number) }
    #expect(try log.details.turn == nil)
    continuation.yield(pattern(1000, seed: 2))
    continuation.finish()
    #expect(try await value(of: upload).sequence == 10)
    let record = try await log.record(at: 10)
    #expect(holds(record.payload, pattern(3 << 20, seed: 1) + pattern(1000, seed: 2)))
  }

  @Test func manyPayloadsThatComeSideBySideAreWhole() async throws {
    let directory = TemporaryDirectory()
    let (storage, log) = try open(directory)
    defer { storage.close() }
    let sizes = [0, 1, 1 << 20, (1 << 20) + 1, 2 << 20, (3 << 20) + 7]
    let receipts = try await withThrowingTaskGroup(of: (Int, Receipt).self) { group in
      for (number, size) in sizes.enumerated() {
        group.addTask {
          let bytes = pattern(size, seed: number)
          let chunks = stride(from: 0, to: size, by: 99_991).map { Array(bytes[$0..<min(size, $0 + 99_991)]) }
          return (number, try await log.append(ChunkSource(chunks: chunks)))
        }
      }
      return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
    for (number, size) in sizes.enumerated() {
      let record = try await log.record(at: try #require(receipts[number]).sequence)
      #expect(holds(record.payload, pattern(size, seed: number)))
    }
    try await log.verify()
  }

  /// The bytes of the process' open files that lie in the directory and have no name.
  private func spills(in directory: TemporaryDirectory) -> [[UInt8]] {
    let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return numbers.compactMap { number in
      guard let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)"),
        path.hasPrefix(directory.path), path.hasSuffix(" (deleted)")
      else { return nil }
      return (try? Data(contentsOf: URL(filePath: "/proc/self/fd/\(number)"))).map { [UInt8]($0) }
    }
  }

  #if os(Linux)
    @Test(arguments: [false, true])
    func whatMemoryDoesNotHoldIsInAFileWithoutANameAndMaskedWhereThereIsACodec(hasCodec: Bool) async throws {
      let directory = TemporaryDirectory()
      let plain = WholePayloadTransformer(name: "plain") { bytes, _ in bytes }
      let (storage, log) = try open(directory, codec: hasCodec ? Codec(writing: plain, reading: plain) : nil)
      defer { storage.close() }
      let files = try Set(directory.allFiles().keys)
      let (stream, continuation) = AsyncStream<[UInt8]>.makeStream()
      let upload = await startWaiting { try await log.append(stream) }
      let secret = [UInt8](repeating: 65, count: 3 << 20)
      continuation.yield(secret)
      #expect(await eventually { spills(in: directory).first?.count == 2 << 20 })
      let spilled = try #require(spills(in: directory).first)
      #expect((spilled == Array(secret[..<(2 << 20)])) == !hasCodec)
      if hasCodec {
        // As good as random: no byte is much more frequent than others.
        let most = spilled.reduce(into: [Int](repeating: 0, count: 256)) { $0[Int($1)] += 1 }.max() ?? 0
        #expect(most < 2 * spilled.count / 256)
      }
      #expect(try Set(directory.allFiles().keys) == files, "nothing has a name that a crash would leave")
      continuation.finish()
      let sequence = try await value(of: upload).sequence
      #expect(holds(try await log.record(at: sequence).payload, secret))
      #expect(spills(in: directory).isEmpty)
    }

    /// Fails to open files without a name, as some file systems do.
    private final class NoUnnamedFiles: SystemCallHook {
      let directory: String
      let failures = Atomic(0)

      init(_ directory: String) { self.directory = directory }

      func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
        guard call == .open, path == "\(directory)/.log.log.spill" else { return .proceed }
        // The first of each two calls is the one for a file without a name.
        return failures.add(1, ordering: .relaxed).oldValue % 2 == 0 ? .fail(ErrorNumber.cannotReserve) : .proceed
      }
      func didCall(_ call: SystemCall, path: String) {}
    }

    @Test func whereThereAreNoFilesWithoutANameOneLosesItsNameAndALeftOneIsRemoved() async throws {
      let directory = TemporaryDirectory()
      let (storage, log) = try open(directory)
      defer { storage.close() }
      // As a crash between making and removing it would leave it.
      try directory.write([1, 2, 3], to: ".log.log.spill")
      let hook = NoUnnamedFiles(directory.path)
      try await SystemCalls.withHook(hook) {
        let bytes = pattern(3 << 20)
        let receipt = try await log.append(ChunkSource(chunks: [bytes]))
        let record = try await log.record(at: receipt.sequence)
        #expect(holds(record.payload, bytes))
      }
      #expect(hook.failures.load(ordering: .relaxed) == 2)
      #expect(!directory.exists(".log.log.spill"))
    }
  #endif

  @Test func aPayloadLargerThanTheLimitIsRefusedAndNothingIsAppended() async throws {
    let directory = TemporaryDirectory()
    let (storage, log) = try open(directory, uploads: .init(maximumBytes: 1000))
    defer { storage.close() }
    #expect(try await log.append(ChunkSource(chunks: [pattern(400), pattern(600)])).size == 1000)
    let source = ChunkSource(chunks: Array(repeating: pattern(400), count: 1_000))
    await #expect(throws: ImmutaError.uploadTooLarge(limit: 1000)) { try await log.append(source) }
    #expect(try await log.append(pattern(5000)).sequence == 1)
  }

  @Test func aSourceThatGivesNothingForTooLongIsGivenUp() async throws {
    let directory = TemporaryDirectory()
    let (storage, log) = try open(directory, uploads: .init(idleTimeout: .milliseconds(80)))
    defer { storage.close() }
    let (stream, continuation) = AsyncStream<[UInt8]>.makeStream()
    continuation.yield([1])
    await #expect(throws: ImmutaError.uploadStalled(.milliseconds(80))) {
      try await withinLimit { try await log.append(stream) }
    }
    #expect(log.count == 0)
    // One that gives something again and again is not.
    let slow = AsyncThrowingStream<[UInt8], any Error> { continuation in
      Task {
        for _ in 0..<10 {
          try? await Task.sleep(for: .milliseconds(20))
          continuation.yield([7])
        }
        continuation.finish()
      }
    }
    #expect(try await withinLimit { try await log.append(slow) }.size == 10)
    await #expect(throws: SourceFailed.self) {
      try await log.append(ChunkSource(chunks: [[1]], failure: SourceFailed()))
    }
  }

  @Test func limitsThatMakeNoSenseAreRefused() {
    for uploads in [Storage.Uploads(maximumBytes: -1), .init(idleTimeout: .zero)] {
      do {
        _ = try open(TemporaryDirectory(), uploads: uploads)
        Issue.record("it was opened")
      } catch {
        #expect("\(error)".contains("uploads."))
      }
    }
  }

  @Test func closingEndsAnUploadAtItsNextChunk() async throws {
    let directory = TemporaryDirectory()
    let (storage, log) = try open(directory)
    let (stream, continuation) = AsyncStream<[UInt8]>.makeStream()
    let upload = await startWaiting { try await log.append(stream) }
    continuation.yield([1])
    storage.close()
    continuation.yield([2])
    await #expect(throws: ImmutaError.storageClosed) { try await value(of: upload) }
  }

  @Test func cancellingEndsAnUpload() async throws {
    let directory = TemporaryDirectory()
    let (storage, log) = try open(directory)
    defer { storage.close() }
    let (stream, continuation) = AsyncStream<[UInt8]>.makeStream()
    let upload = await startWaiting { try await log.append(stream) }
    continuation.yield(pattern(2 << 20))
    upload.cancel()
    await #expect(throws: CancellationError.self) { try await value(of: upload) }
    #expect(log.count == 0)
  }

  private final class FullDisk: SystemCallHook {
    let spill: String
    init(_ spill: String) { self.spill = spill }
    func willCall(_ call: SystemCall, path: String) -> SystemCallOutcome {
      call == .write && path == spill ? .fail(ErrorNumber.noSpace) : .proceed
    }
    func didCall(_ call: SystemCall, path: String) {}
  }

  @Test func aDiskThatIsFullWhileAPayloadIsReceivedHarmsNothing() async throws {
    let directory = TemporaryDirectory()
    let (storage, log) = try open(directory)
    defer { storage.close() }
    let source = ChunkSource(chunks: [pattern(3 << 20)])
    await SystemCalls.withHook(FullDisk(directory.file(".log.log.spill"))) {
      do {
        _ = try await log.append(source)
        Issue.record("it was appended")
      } catch {
        #expect("\(error)".hasSuffix("; make room and try again, nothing was appended"))
      }
    }
    #expect(try await log.append("next").sequence == 0)
    #expect(try await log.append(source).sequence == 1)
  }
}
