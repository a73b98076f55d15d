#if Service
  public import Immuta
  public import ImmutaLogStore
  public import ServiceLifecycle
  import Tracing

  /// Runs a storage in a `ServiceGroup`: its metrics while the program works, and a shutdown that loses nothing.
  ///
  /// ```swift
  /// let storage = try Storage(directory: "./log-data", namespaces: ["events"], configuration: configuration)
  /// let group = ServiceGroup(
  ///   services: [StorageService(storage), server],     // the storage first: it is shut down last
  ///   gracefulShutdownSignals: [.sigterm], logger: logger)
  /// try await group.run()
  /// ```
  ///
  /// It runs until the group shuts down, or its task is cancelled. Then it closes the storage: all that was committed is on stable
  /// storage, and the locks are free. If that fails, `run()` throws the error, which comes out of the group's `run()`.
  ///
  /// A group starts services in the order of its list, and shuts them down in the opposite order, each once the one after it has
  /// ended. So put this service in front of all that append or read.
  ///
  /// A group that is cancelled ends all of them at the same time: then an append may find the storage closed, and throw
  /// `.storageClosed`. Whatever was appended before is on stable storage in this case, too. By default a service that fails cancels
  /// the group: give your services the behavior `.gracefullyShutdownGroup` to have them end in order.
  public struct StorageService: Service {
    /// How a storage is looked after.
    public struct Configuration: Sendable {
      /// How often metrics are taken, and the disk is looked at. More than zero. Default: 10 seconds.
      ///
      /// A look takes each log's lock for less than a microsecond, and a few small reads for each consumer and segment.
      public var interval: Duration = .seconds(10)

      /// Below how many free bytes the disk counts as nearly full: then the storage's logger gets `StorageEvent.lowSpace`, once, and
      /// `StorageEvent.spaceBack` when a quarter more is free. At least 0. Default: 1 GiB.
      public var lowSpace: Int = 1 << 30

      /// The defaults.
      public init() {}
    }

    private let served: any Served
    private let configuration: Configuration
    private let sampler: Sampler

    /// Runs a storage, which is open. The service closes it.
    ///
    /// - Parameters:
    ///   - storage: nobody else closes it.
    ///   - metrics: where they go. By default to the factory that the program has bootstrapped: then bootstrap it before this.
    ///   - configuration: how often it is looked at, and when the disk counts as nearly full.
    public init(_ storage: Storage, metrics: StorageMetrics = .init(), configuration: Configuration = .init()) {
      self.init(serving: storage, metrics, configuration)
    }

    /// Runs a store of partitions. Otherwise as a storage.
    public init(_ store: LogStore, metrics: StorageMetrics = .init(), configuration: Configuration = .init()) {
      self.init(serving: store, metrics, configuration)
    }

    private init(serving served: any Served, _ metrics: StorageMetrics, _ configuration: Configuration) {
      precondition(
        configuration.interval > .zero, "the interval is \(configuration.interval); it must be more than zero")
      precondition(configuration.lowSpace >= 0, "lowSpace is \(configuration.lowSpace); it must be at least 0")
      self.served = served
      self.configuration = configuration
      sampler = Sampler(served, metrics, lowSpace: configuration.lowSpace)
    }

    /// Runs until a graceful shutdown begins or the task is cancelled, and then closes the storage.
    ///
    /// - Throws: what `shutdown()` of the storage throws: some committed records may not be on stable storage then. Opening it
    ///   again recovers.
    public func run() async throws {
      do {
        try await cancelWhenGracefulShutdown { [sampler, configuration] in
          while true {
            await sampler.look()
            try await Task.sleep(for: configuration.interval)
          }
        }
      } catch is CancellationError {
        // The end, either way.
      }
      // With this, the counters have what was appended up to the end.
      await sampler.look()
      try await withSpan("immuta.shutdown") { span in
        span.attributes["immuta.directory"] = served.directory
        try await served.shutdown()
      }
    }
  }
#endif
