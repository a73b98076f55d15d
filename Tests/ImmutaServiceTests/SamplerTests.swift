#if Service
  import CoreMetrics
  import Immuta
  import ImmutaLocking
  @testable import ImmutaService
  import ImmutaTestSupport
  import Logging
  import MetricsTestKit
  import Testing

  /// What one look at a storage finds, whenever it comes.
  @Suite(.timeLimit(.minutes(1))) struct SamplerTests {
    let directory = TemporaryDirectory()
    let factory = TestMetrics()

    private func total(_ metric: StorageMetric) -> Int64 {
      factory.counterTotal(label: metric.rawValue, dimensions: [("namespace", "log")])
    }

    private func meters(_ metric: StorageMetric) -> Int {
      factory.meters(label: metric.rawValue, dimensions: [("namespace", "log")]).count
    }

    @Test func aLogThatIsOpenedAgainBetweenTwoLooksIsCountedOn() async throws {
      let storage = try Storage(directory: directory.path, namespaces: ["log"])
      defer { storage.close() }
      let sampler = Sampler(storage, StorageMetrics(factory: factory), lowSpace: 0)
      for _ in 0..<3 { try await storage.append("a", to: "log") }
      await sampler.look()
      #expect(total(.records) == 3 && total(.commits) == 3)
      let bytes = total(.bytes)
      try await storage.shutdown("log")
      _ = try storage.log("log", creating: false)
      for _ in 0..<4 { try await storage.append("a", to: "log") }
      await sampler.look()
      #expect(total(.records) == 7 && total(.commits) == 7)
      #expect(total(.bytes) * 3 == bytes * 7)
    }

    @Test func aLogThatIsClosedHasNoGaugesAndKeepsItsCounters() async throws {
      let storage = try Storage(directory: directory.path, namespaces: ["log", "other"])
      defer { storage.close() }
      let sampler = Sampler(storage, StorageMetrics(factory: factory), lowSpace: 0)
      try await storage.append("a", to: "log")
      try storage.log("log").consumer("billing").close()
      let gauges: [StorageMetric] = [
        .logRecords, .logBytes, .segments, .unflushedRecords, .waitingReaders, .waitingAppends,
      ]
      let lag = [("namespace", "log"), ("consumer", "billing")]
      await sampler.look()
      for gauge in gauges { #expect(meters(gauge) == 1, "\(gauge)") }
      #expect(factory.meters(label: StorageMetric.consumerLag.rawValue, dimensions: lag).count == 1)
      try await storage.shutdown("log")
      await sampler.look()
      for gauge in gauges { #expect(meters(gauge) == 0, "\(gauge)") }
      #expect(factory.meters(label: StorageMetric.consumerLag.rawValue, dimensions: lag).isEmpty)
      #expect(total(.records) == 1 && total(.commits) == 1)
    }

    /// A storage without logs, on a disk whose free space is set by hand.
    private final class Disk: Served {
      let directory = "/data"
      let logger: Logger?
      let free = Lock(0)

      init(_ logger: Logger) { self.logger = logger }

      var allLogs: [Log] { get throws(ImmutaError) { [] } }
      var freeSpace: Int { get throws(ImmutaError) { free.withLock { $0 } } }
      func shutdown() async throws {}
    }

    @Test func roomThatComesBackIsTold() async throws {
      let events = EventCollector()
      let disk = Disk(events.logger)
      let sampler = Sampler(disk, StorageMetrics(factory: factory), lowSpace: 1000)
      for free in [2000, 999, 500, 1249, 1250, 5000] {
        disk.free.withLock { $0 = free }
        await sampler.look()
      }
      #expect(events.all.map(\.event) == ["immuta.low_space", "immuta.space_back"])
      #expect(events.all.map(\.level) == [.warning, .notice])
      #expect(events.all.map { $0.metadata["free"] } == ["999", "1250"])
      #expect(events.all.allSatisfy { $0.metadata["directory"] == "/data" })
    }
  }
#endif
