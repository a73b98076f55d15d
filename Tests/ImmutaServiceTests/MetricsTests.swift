#if Service
  import CoreMetrics
  import Foundation
  import Immuta
  import ImmutaLibC
  import ImmutaLogStore
  import ImmutaService
  import ImmutaTestSupport
  import Logging
  import MetricsTestKit
  import ServiceLifecycle
  import Testing

  /// Each metric, by its name, has the number that the log's use makes it.
  @Suite(.timeLimit(.minutes(2))) struct MetricsTests {
    let directory = TemporaryDirectory()
    let factory = TestMetrics()
    var metrics: StorageMetrics { StorageMetrics(factory: factory) }

    private func often() -> StorageService.Configuration {
      var configuration = StorageService.Configuration()
      configuration.interval = .milliseconds(5)
      return configuration
    }

    private func total(_ metric: StorageMetric, _ namespace: String = "log") -> Int64 {
      factory.counterTotal(label: metric.rawValue, dimensions: [("namespace", namespace)])
    }

    private func gauge(_ metric: StorageMetric, _ dimensions: [(String, String)] = [("namespace", "log")]) -> Double? {
      factory.meters(label: metric.rawValue, dimensions: dimensions).last?.lastValue
    }

    private func times(_ metric: StorageMetric) -> [Int64] {
      factory.timers(label: metric.rawValue, dimensions: [("namespace", "log")]).flatMap(\.values)
    }

    /// Runs `body` while a service looks at the storage.
    private func whileServed(_ service: StorageService, _ body: () async throws -> Void) async throws {
      let group = ServiceGroup(services: [service], logger: Logger(label: "group") { _ in SwiftLogNoOpLogHandler() })
      let running = Task { try await group.run() }
      do {
        try await body()
      } catch {
        running.cancel()
        _ = await running.result
        throw error
      }
      await group.triggerGracefulShutdown()
      try await running.value
    }

    @Test func countersHaveWhatWasAppendedUpToTheEnd() async throws {
      let storage = try Storage(directory: directory.path, namespaces: ["log", "other"])
      try await storage.append("before", to: "log")
      var service = StorageService.Configuration()
      service.interval = .seconds(3600)
      var bytes = 0
      try await whileServed(StorageService(storage, metrics: metrics, configuration: service)) {
        #expect(await eventually { total(.records) == 1 })
        for _ in 0..<10 { try await storage.append("12345", to: "log") }
        try await storage.transaction(in: "log") { transaction in
          for _ in 0..<5 { try await transaction.append("12345") }
        }
        bytes = try storage.details(of: "log").byteCount - 16
      }
      #expect(total(.records) == 16 && total(.commits) == 12)
      #expect(total(.bytes) == bytes && bytes > 16 * 5)
      #expect(total(.records, "other") == 0 && total(.commits, "other") == 0)
    }

    @Test func countersGoOnOverSegmentsAndOverReopening() async throws {
      var configuration = Storage.Configuration()
      configuration.segments.maximumBytes = 1000
      let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
      try await whileServed(StorageService(storage, metrics: metrics, configuration: often())) {
        for _ in 0..<50 { try await storage.append(String(repeating: "a", count: 92), to: "log") }
        #expect(await eventually { total(.records) == 50 })
        #expect(await eventually { total(.bytes) == 50 * 100 })
        #expect(await eventually { gauge(.segments) == 6 })
        let size = try storage.details(of: "log").byteCount
        #expect(await eventually { gauge(.logBytes) == Double(size) })
        try await storage.shutdown("log")
        _ = try storage.log("log", creating: false)
        try await storage.append("more", to: "log")
        #expect(await eventually { total(.records) == 51 })
      }
    }

    @Test func gaugesSayWhatIsSoNow() async throws {
      let storage = try Storage(directory: directory.path, namespaces: ["log"])
      let log = try storage.log("log")
      let consumer = try log.consumer("billing")
      try await whileServed(StorageService(storage, metrics: metrics, configuration: often())) {
        for _ in 0..<10 { try await log.append("a") }
        let lag = [("namespace", "log"), ("consumer", "billing")]
        #expect(await eventually { gauge(.consumerLag, lag) == 10 && gauge(.logRecords) == 10 })
        #expect(await eventually { gauge(.unflushedRecords) == 10 && gauge(.segments) == 1 })
        try await log.sync()
        try await consumer.acknowledge(through: 6)
        #expect(await eventually { gauge(.consumerLag, lag) == 3 && gauge(.unflushedRecords) == 0 })

        #expect(gauge(.waitingReaders) == 0 && gauge(.waitingAppends) == 0)
        let reader = Task { try await log.reader(from: .latest).next() }
        #expect(await eventually { gauge(.waitingReaders) == 1 })
        let transaction = try await log.beginTransaction()
        let append = Task { try await log.append("b") }
        #expect(await eventually { gauge(.waitingAppends) == 1 })
        transaction.rollBack()
        _ = try await (append.value, reader.value)
        #expect(await eventually { gauge(.waitingReaders) == 0 && gauge(.waitingAppends) == 0 })

        let free = try #require(gauge(.freeBytes, [("directory", directory.path)]))
        var status = statvfs()
        let outcome = statvfs(directory.path, &status)
        #expect(outcome == 0)
        // Others use the disk, too.
        #expect(abs(free - Double(status.f_bavail) * Double(status.f_frsize)) < 4e9)
      }
    }

    @Test func aConsumerThatIsRemovedHasNoLagAnyMore() async throws {
      let storage = try Storage(directory: directory.path, namespaces: ["log"])
      let log = try storage.log("log")
      try await whileServed(StorageService(storage, metrics: metrics, configuration: often())) {
        try log.consumer("gone").close()
        let lag = [("namespace", "log"), ("consumer", "gone")]
        #expect(await eventually { gauge(.consumerLag, lag) == 0 })
        try log.removeConsumer("gone")
        #expect(await eventually { gauge(.consumerLag, lag) == nil })
      }
    }

    @Test func timesOfAppendsFlushesAndDeliveriesAreTaken() async throws {
      var configuration = Storage.Configuration(durability: .synced)
      configuration.observer = metrics.observer(of:)
      let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
      defer { storage.close() }
      let log = try storage.log("log")
      let reader = Task { try await log.reader(from: .latest).next() }
      #expect(await eventually { (try? log.activity.waitingReaders) == 1 })
      let before = ContinuousClock.now
      for _ in 0..<10 { try await log.append("a") }
      let most = (ContinuousClock.now - before).components
      let nanoseconds = most.seconds * 1_000_000_000 + most.attoseconds / 1_000_000_000
      _ = try await reader.value

      #expect(times(.append).count == 10 && times(.append).allSatisfy { $0 > 0 })
      #expect(times(.append).reduce(0, +) <= nanoseconds)
      #expect(!times(.flush).isEmpty && times(.flush).count <= 11)
      #expect(times(.flush).allSatisfy { $0 > 0 })
      // An append waits for its flush.
      #expect(times(.flush).reduce(0, +) <= nanoseconds + 1_000_000_000)
      #expect(times(.delivery).count == 1 && times(.delivery).allSatisfy { (0..<10_000_000_000).contains($0) })
      // Records that exist are not delivered late: nobody waited.
      _ = try await log.reader(from: .beginning).next()
      #expect(times(.delivery).count == 1)
    }

    @Test func blockingAppendsAndTheFirstOneAreTimedToo() throws {
      var configuration = Storage.Configuration()
      configuration.observer = metrics.observer(of:)
      let storage = try Storage(directory: directory.path, namespaces: ["log"], configuration: configuration)
      defer { storage.close() }
      let log = try storage.log("log")
      for _ in 0..<5 { try log.append("a") }
      try log.append([1, 2, 3] as [UInt8])
      #expect(times(.append).count == 6 && times(.flush).isEmpty)
      try log.sync()
      #expect(times(.flush).count == 1)
    }

    @Test func aStoresPartitionsAreNamespaces() async throws {
      let store = try LogStore(directory: directory.path, partitions: 2)
      try await whileServed(StorageService(store, metrics: metrics, configuration: often())) {
        for number in 0..<20 { try await store.append("a", key: "\(number)") }
        #expect(await eventually { total(.records, "0") + total(.records, "1") == 20 })
        #expect(total(.records, "0") == Int64(try store.details(partition: 0).count))
      }
      await #expect(throws: ImmutaError.self) { try await store.append("a", key: "b") }
    }

    @Test func dimensionsOfThePrograms() async throws {
      let storage = try Storage(directory: directory.path, namespaces: ["log"])
      let metrics = StorageMetrics(factory: factory, dimensions: [("storage", "orders")])
      try await whileServed(StorageService(storage, metrics: metrics, configuration: often())) {
        try await storage.append("a", to: "log")
        let dimensions = [("storage", "orders"), ("namespace", "log")]
        #expect(await eventually { factory.counterTotal(label: "immuta_records_total", dimensions: dimensions) == 1 })
      }
    }

    @Test func eachMetricIsExplained() throws {
      let article = try String(
        contentsOf: Repository.file("Sources/ImmutaService/ImmutaService.docc/Observing.md"), encoding: .utf8)
      for metric in StorageMetric.allCases { #expect(article.contains("| `\(metric.rawValue)` |"), "\(metric)") }
      let named = article.matches(of: /\| `(immuta_[a-z_]+)` \|/).map { String($0.1) }
      #expect(Set(named) == Set(StorageMetric.allCases.map(\.rawValue)) && named.count == StorageMetric.allCases.count)
    }
  }
#endif
