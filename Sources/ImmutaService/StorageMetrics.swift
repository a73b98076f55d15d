#if Service
  public import CoreMetrics
  public import Immuta

  /// Where the metrics of a storage go: to a factory of swift-metrics, under the names of ``StorageMetric``.
  ///
  /// ```swift
  /// let metrics = StorageMetrics()
  /// var configuration = Storage.Configuration()
  /// configuration.observer = metrics.observer(of:)             // times of appends, flushes and deliveries
  /// let storage = try Storage(directory: "./log-data", namespaces: ["events"], configuration: configuration)
  /// let service = StorageService(storage, metrics: metrics)    // everything else, on an interval
  /// ```
  ///
  /// What a log knows anyway is looked at by ``StorageService`` from time to time, which costs appends and reads nothing. Times
  /// cannot be had so: without the observer they are not taken.
  public struct StorageMetrics: Sendable {
    let factory: any MetricsFactory
    let dimensions: [(String, String)]

    /// - Parameters:
    ///   - factory: nil for the one that the program has bootstrapped, or bound to this task.
    ///   - dimensions: added to each metric: a process with several storages tells them apart by it, as their namespaces may have
    ///     the same names.
    public init(factory: (any MetricsFactory)? = nil, dimensions: [(String, String)] = []) {
      self.factory = factory ?? MetricsSystem.factory
      self.dimensions = dimensions
    }

    /// Measures a namespace: for `observer` of a storage's configuration.
    public func observer(of namespace: String) -> any LogObserver { TimingObserver(namespace, self) }

    func timer(_ metric: StorageMetric, _ more: (String, String)...) -> Timer {
      Timer(
        label: metric.rawValue, dimensions: dimensions + more, preferredDisplayUnit: .seconds, factory: factory)
    }

    func counter(_ metric: StorageMetric, _ more: (String, String)...) -> Counter {
      Counter(label: metric.rawValue, dimensions: dimensions + more, factory: factory)
    }

    func meter(_ metric: StorageMetric, _ more: (String, String)...) -> Meter {
      Meter(label: metric.rawValue, dimensions: dimensions + more, factory: factory)
    }
  }

  /// Hands times to swift-metrics.
  private struct TimingObserver: LogObserver {
    private let append: Timer
    private let flush: Timer
    private let delivery: Timer

    init(_ namespace: String, _ metrics: StorageMetrics) {
      append = metrics.timer(.append, ("namespace", namespace))
      flush = metrics.timer(.flush, ("namespace", namespace))
      delivery = metrics.timer(.delivery, ("namespace", namespace))
    }

    func appended(in time: Duration) { append.recordNanoseconds(time.nanoseconds) }
    func flushed(in time: Duration) { flush.recordNanoseconds(time.nanoseconds) }
    func woken(after time: Duration) { delivery.recordNanoseconds(time.nanoseconds) }
  }
#endif
