import CoreMetrics
import Immuta
import ImmutaService
import Logging
import MetricsTestKit
import ServiceLifecycle

/// A server in small: it takes orders, bills them, prints its metrics, and ends in order. Stop it with Ctrl-C, or with `kill`.
///
/// The services are shut down from the last to the first: no order comes any more, the bill that is being written is finished, and
/// then everything is put on stable storage.
@main struct Shop {
  static func main() async throws {
    // In your server, a library that sends them somewhere. This one prints them.
    MetricsSystem.bootstrap(StreamMetricsFactory.standardOutput())
    let logger = Logger(label: "shop")
    let metrics = StorageMetrics()

    var configuration = Storage.Configuration(durability: .interval(.milliseconds(100)))
    configuration.logger = logger
    configuration.observer = metrics.observer(of:)
    configuration.slowFlush = .milliseconds(500)
    let storage = try Storage(directory: "./log-data", namespaces: ["shop"], configuration: configuration)
    let orders = try storage.log("shop")
    let before = orders.count

    let billing = ConsumerService(try orders.consumer("billing")) { batch in
      for order in batch { logger.info("a bill for \(order.text)") }
    }
    var watching = StorageService.Configuration()
    watching.interval = .seconds(1)
    let till = Till(orders)
    let group = ServiceGroup(
      configuration: .init(
        services: [
          .init(service: StorageService(storage, metrics: metrics, configuration: watching)),
          .init(service: billing, failureTerminationBehavior: .gracefullyShutdownGroup),
          .init(service: till, failureTerminationBehavior: .gracefullyShutdownGroup),
        ],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    do {
      try await group.run()
    } catch {
      fatalError("the shop did not end in order: \(error)")
    }

    // What is found now was stable before the group ended.
    let reopened = try Storage(directory: "./log-data", namespaces: ["shop"])
    defer { reopened.close() }
    let details = try reopened.details(of: "shop")
    guard details.count == before + (await till.taken), details.stableCount == details.count else {
      fatalError("orders are lost: \(details)")
    }
    print("\(details.count - before) orders were taken, and every order is on stable storage")
  }

  /// Takes orders, as a server takes requests, until it is to end.
  actor Till: Service {
    let orders: Log
    private(set) var taken = 0

    init(_ orders: Log) { self.orders = orders }

    func run() async throws {
      while !Task.isShuttingDownGracefully {
        try await orders.append("order \(orders.count)")
        taken += 1
        try await Task.sleep(for: .milliseconds(100))
      }
    }
  }
}
