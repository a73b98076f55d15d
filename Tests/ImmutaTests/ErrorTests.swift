import Foundation
import Immuta
import ImmutaFoundation
import ImmutaTestSupport
import Testing

/// What errors say, and of which log.
@Suite(.timeLimit(.minutes(3))) struct ErrorTests {
  /// What `body` throws.
  private func thrown(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
  ) async throws -> ImmutaError {
    do {
      try await body()
    } catch let error as ImmutaError {
      return error
    }
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    throw CancellationError()
  }

  private func source(_ bytes: [UInt8]) -> AsyncStream<[UInt8]> {
    AsyncStream { continuation in
      continuation.yield(bytes)
      continuation.finish()
    }
  }

  /// Each call that can fail does, and the error is of this log.
  @Test func anErrorNamesItsNamespace() async throws {
    let directory = TemporaryDirectory()
    var configuration = Storage.Configuration()
    configuration.uploads.maximumBytes = 10
    let storage = try Storage(directory: directory.path, namespaces: ["orders"], configuration: configuration)
    let log = try storage.log("orders")
    try await log.append("first")
    configuration.access = .readOnly
    let reading = try Storage(directory: directory.path, namespaces: ["orders"], configuration: configuration)
    let followed = try reading.log("orders")
    let position = try #require(Position("00000000000000000000000000000001:0"))
    var errors: [(ImmutaError, ImmutaError)] = [
      (.recordNotFound(7), try await thrown { _ = try await log.record(at: 7) }),
      (.recordNotFound(7), try await thrown { _ = try await followed.record(at: 7) }),
      (.recordNotFound(1), try await thrown { _ = try log.records(in: 0..<2) }),
      (
        .positionBeyondEnd(position: 9, count: 1),
        try await thrown { _ = try log.reader(from: .sequence(9)).nextAtOnce() }
      ),
      (.invalidPosition(-1), try await thrown { _ = try await log.reader(from: .sequence(-1)).next() }),
      (
        .foreignPosition(expected: position.identity, found: log.identity),
        try await thrown { _ = try await log.reader(from: .position(position)).next() }
      ),
      (.uploadTooLarge(limit: 10), try await thrown { try await log.append(source(pattern(11))) }),
      (.readOnly, try await thrown { try await followed.append("x") }),
      (.readOnly, try await thrown { _ = try await reading.transaction(in: "orders") { try await $0.append("x") } }),
      (.readOnly, try await thrown { try followed.sync() }),
      (.readOnly, try await thrown { try reading.remove("orders") }),
      (
        .namespaceNotFound("orders.old"), try await thrown { _ = try await storage.reader("orders.old").next() }
      ),
    ]
    let reader = log.reader(from: .latest)
    let waiting = await startWaiting { try await reader.next() }
    let transaction = try await log.beginTransaction()
    let queued = await startWaiting { try await log.append("waits for its turn") }
    storage.close()
    reading.close()
    errors += [
      (.storageClosed, try await thrown { _ = try await value(of: waiting) }),
      (.storageClosed, try await thrown { _ = try await value(of: queued) }),
      (.storageClosed, try await thrown { try await transaction.append("x") }),
      (.storageClosed, try await thrown { try await log.append("x") }),
      (.storageClosed, try await thrown { try await log.append(pattern(5_000_000)) }),
      (.storageClosed, try await thrown { try await log.append(source([1])) }),
      (.storageClosed, try await thrown { _ = try await log.transaction { try await $0.append("x") } }),
      (.storageClosed, try await thrown { try await log.sync() }),
      (.storageClosed, try await thrown { _ = try await log.verify() }),
      (.storageClosed, try await thrown { _ = try log.details }),
      (.storageClosed, try await thrown { _ = try await log.record(at: 0) }),
      (.storageClosed, try await thrown { _ = try log.records(in: 0..<1) }),
      (.storageClosed, try await thrown { _ = try reader.nextAtOnce() }),
      (.storageClosed, try await thrown { _ = try await followed.record(at: 0) }),
      (.storageClosed, try await thrown { try await followed.append("x") }),
      (.storageClosed, try await thrown { try await storage.append("x", to: "orders") }),
    ]
    try await transaction.commitExpectingClosed(&errors)
    for (number, (expected, found)) in errors.enumerated() {
      #expect(found == expected, "error \(number)")
      #expect(
        found.namespace?.hasPrefix("orders") == true && "\(found)".contains("orders"), "error \(number): \(found)")
    }
  }

  @Test func anotherWritersLogIsNamed() async throws {
    let directory = TemporaryDirectory()
    let storage = try directory.open()
    defer { storage.close() }
    let error = try await thrown { _ = try directory.open() }
    guard case .locked = error else { Issue.record("\(error)"); return }
    #expect(error.namespace == "log" && error.description.contains("log"))
  }

  @Test func errorsCompareByWhatHappenedWhateverTheLogIsCalled() {
    let one = ImmutaError.storageClosed(in: .init(namespace: "a"))
    let other = ImmutaError.storageClosed(in: .init(namespace: "b"))
    #expect(one == other && one == .storageClosed && Set([one, other, .storageClosed]).count == 1)
    #expect(one.description != other.description && one.description != ImmutaError.storageClosed.description)
    #expect(ImmutaError.recordNotFound(1) != .recordNotFound(2) && ImmutaError.readOnly != .storageClosed)
    do { throw one } catch ImmutaError.storageClosed {} catch { Issue.record("it is not caught by its case's name") }
  }

  @Test func whereFoundationIsThereTheLocalizedDescriptionSaysTheSame() {
    let errors: [any Error] = [
      ImmutaError.namespaceNotFound("orders"), ImmutaError.storageClosed(in: .init(namespace: "orders")),
      ImmutaError.io(errno: 28, operation: "fallocate", path: "/x/y.log"),
      ImmutaError.corrupted(Corruption(path: "/x/y.log", sequence: 3, index: 99, reason: "it is broken")),
      TransformError("the key is missing"),
    ]
    for error in errors { #expect(error.localizedDescription == "\(error)") }
  }
}

extension Transaction {
  fileprivate consuming func commitExpectingClosed(_ errors: inout [(ImmutaError, ImmutaError)]) async throws {
    do {
      try await commit()
      Issue.record("a transaction of a closed log was committed")
    } catch let error as ImmutaError {
      errors.append((.storageClosed, error))
    }
  }
}
