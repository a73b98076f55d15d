#if Service
  import Foundation
  import Immuta
  import ImmutaLibC
  import ImmutaLocking
  import ImmutaService
  import ImmutaTestSupport
  import InMemoryTracing
  import Logging
  import MetricsTestKit
  import ServiceLifecycle
  import Testing
  import Tracing

  /// A storage in a group of services: its end, in order or not, loses nothing.
  @Suite(.timeLimit(.minutes(2))) struct ServiceTests {
    let directory = TemporaryDirectory()
    let events = EventCollector()

    private func storage(durability: Durability = .buffered) throws -> Storage {
      var configuration = Storage.Configuration(durability: durability)
      configuration.logger = events.logger
      return try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
    }

    private func service(_ storage: Storage, lowSpace: Int = 0) -> StorageService {
      var configuration = StorageService.Configuration()
      configuration.interval = .milliseconds(5)
      configuration.lowSpace = lowSpace
      return StorageService(storage, metrics: StorageMetrics(factory: TestMetrics()), configuration: configuration)
    }

    private func group(_ services: any Service...) -> ServiceGroup {
      ServiceGroup(services: services, logger: Logger(label: "group") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Whether another storage may write the log.
    private func expectUnlocked(count: Int) throws {
      let other = try Storage(directory: directory.path, namespaces: ["log"])
      defer { other.close() }
      let details = try other.details(of: "log")
      #expect(details.count == count && details.stableCount == count && details.openingNote == nil)
    }

    @Test func aGracefulShutdownFlushesAndReleasesTheLock() async throws {
      let storage = try storage()
      let group = group(service(storage))
      let running = Task { try await group.run() }
      for _ in 0..<100 { try await storage.append("a", to: "log") }
      #expect(try storage.details(of: "log").stableCount < 100)
      #expect(throws: ImmutaError.self) { try Storage(directory: directory.path, namespaces: ["log"]) }
      await group.triggerGracefulShutdown()
      try await running.value
      try expectUnlocked(count: 100)
      await #expect(throws: ImmutaError.self) { try await storage.append("late", to: "log") }
    }

    private final class Count: Sendable {
      let value = Lock(0)
    }

    @Test func servicesThatAppendEndBeforeTheStorageDoes() async throws {
      let storage = try storage()
      let count = Count()
      let group = group(service(storage), Appending(storage: storage, count: count))
      let running = Task { try await group.run() }
      #expect(await eventually { count.value.withLock { $0 } > 10 })
      await group.triggerGracefulShutdown()
      try await running.value
      try expectUnlocked(count: count.value.withLock { $0 })
    }

    private struct Appending: Service {
      let storage: Storage
      let count: Count

      func run() async throws {
        var left = 100
        while left > 0 {
          try await storage.append("a", to: "log")
          count.value.withLock { $0 += 1 }
          try await Task.sleep(for: .milliseconds(1))
          // It goes on for a while when the shutdown has begun.
          if Task.isShuttingDownGracefully { left -= 1 }
        }
      }
    }

    @Test func aCancelledGroupFlushesToo() async throws {
      let storage = try storage()
      let group = group(service(storage))
      let running = Task { try await group.run() }
      for _ in 0..<100 { try await storage.append("a", to: "log") }
      running.cancel()
      _ = await running.result
      try expectUnlocked(count: 100)
    }

    @Test func aFlushThatFailsAtTheEndIsThrownOutOfTheGroup() async throws {
      let storage = try storage()
      for _ in 0..<3 { try await storage.append("a", to: "log") }
      let injector = FaultInjector(directory: directory.path, .error(EIO), of: .flush, lasting: true)
      await injector.run {
        let group = group(service(storage))
        let running = Task { try await group.run() }
        await group.triggerGracefulShutdown()
        await #expect {
          try await running.value
        } throws: { error in
          guard case .io? = error as? ImmutaError else { return false }
          return true
        }
      }
      #expect(injector.injected > 0)
    }

    @Test func aDiskThatIsNearlyFullIsTold() async throws {
      let storage = try storage()
      let group = group(service(storage, lowSpace: .max / 2))
      let running = Task { try await group.run() }
      let line = try #require(await events.line(of: .lowSpace))
      #expect(line.level == .warning && line.metadata["directory"] == directory.path)
      #expect(try #require(line.metadata["free"].flatMap(Int.init)) > 0)
      try await Task.sleep(for: .milliseconds(50))
      await group.triggerGracefulShutdown()
      try await running.value
      #expect(events.lines(of: .lowSpace).count == 1)
    }

    @Test func aDiskWithRoomIsNotTold() async throws {
      let storage = try storage()
      let group = group(service(storage, lowSpace: 1))
      let running = Task { try await group.run() }
      try await Task.sleep(for: .milliseconds(50))
      await group.triggerGracefulShutdown()
      try await running.value
      #expect(events.all.isEmpty)
    }

    // MARK: Spans

    @Test func theShutdownIsASpanThatHasItsFailure() async throws {
      for fails in [false, true] {
        let place = TemporaryDirectory()
        let storage = try Storage(directory: place.path, namespaces: ["log"])
        try await storage.append("a", to: "log")
        let tracer = InMemoryTracer()
        let injector = FaultInjector(directory: place.path, fails ? .error(EIO) : nil, of: .flush, lasting: true)
        await injector.run {
          await withTracer(tracer) {
            let group = group(service(storage))
            let running = Task { try await group.run() }
            await group.triggerGracefulShutdown()
            _ = await running.result
          }
        }
        let span = try #require(tracer.finishedSpans.first { $0.operationName == "immuta.shutdown" })
        #expect(span.attributes.get("immuta.directory") == .string(place.path))
        #expect(span.errors.isEmpty != fails)
      }
    }

    @Test func aConsumersBatchesAreSpansAndAcknowledged() async throws {
      let storage = try storage()
      let log = try storage.log("log")
      for number in 0..<10 { try await log.append("\(number)") }
      let consumer = try log.consumer("billing")
      let texts = Texts()
      let tracer = InMemoryTracer()
      try await withTracer(tracer) {
        let following = ConsumerService(consumer) { batch in
          texts.value.withLock { $0 += batch.map(\.text) }
        }
        let group = group(service(storage), following)
        let running = Task { try await group.run() }
        #expect(await eventually { consumer.lag == 0 })
        try await log.append("10")
        #expect(await eventually { consumer.position == 11 })
        await group.triggerGracefulShutdown()
        try await running.value
      }
      #expect(texts.value.withLock { $0 } == (0...10).map(String.init))
      let spans = tracer.finishedSpans.filter { $0.operationName == "immuta.process" }
      #expect(spans.count >= 2 && spans.allSatisfy { $0.kind == .consumer })
      #expect(spans[0].attributes.get("immuta.namespace") == .string("log"))
      #expect(spans[0].attributes.get("immuta.consumer") == .string("billing"))
      #expect(spans[0].attributes.get("immuta.first") == .int64(0))
      #expect(spans.allSatisfy { $0.errors.isEmpty })
    }

    private final class Texts: Sendable {
      let value = Lock<[String]>([])
    }

    private struct Refusal: Error {}

    @Test func aBatchThatFailsComesAgain() async throws {
      let storage = try storage()
      let log = try storage.log("log")
      for number in 0..<10 { try await log.append("\(number)") }
      let tracer = InMemoryTracer()
      let consumer = try log.consumer("billing")
      await withTracer(tracer) {
        let following = ConsumerService(consumer) { _ in throw Refusal() }
        let group = group(service(storage), following)
        await #expect(throws: Refusal.self) { try await group.run() }
      }
      #expect(tracer.finishedSpans.first { $0.operationName == "immuta.process" }?.errors.count == 1)
      let reopened = try Storage(directory: directory.path, namespaces: ["log"])
      defer { reopened.close() }
      #expect(try reopened.log("log").consumer("billing").position == 0)
    }

    @Test func theBatchUnderWayIsFinishedWhenTheGroupShutsDown() async throws {
      let storage = try storage()
      let log = try storage.log("log")
      try await log.append("a")
      let (begun, go) = (Flag(), Flag())
      let following = ConsumerService(try log.consumer("billing")) { _ in
        begun.set()
        _ = await eventually { go.isSet }
      }
      let group = group(service(storage), following)
      let running = Task { try await group.run() }
      #expect(await eventually { begun.isSet })
      await group.triggerGracefulShutdown()
      try await Task.sleep(for: .milliseconds(20))
      go.set()
      try await running.value
      let reopened = try Storage(directory: directory.path, namespaces: ["log"])
      defer { reopened.close() }
      #expect(try reopened.log("log").consumer("billing").position == 1)
    }
  }
#endif
