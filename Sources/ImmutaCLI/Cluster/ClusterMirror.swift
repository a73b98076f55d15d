#if JetStream
  import Immuta
  import ImmutaJetStream

  /// A log of a cluster as the copy.
  struct ClusterMirror: MirrorTarget {
    let log: ClusterLog

    /// What is under way at a time, at most: half of it goes while the other half is collected.
    private static var window: Int { 512 }

    func end() async throws -> (count: Int, lastID: String?) {
      let count = try await log.count
      return (count, count > 0 ? try await log.record(at: count - 1).id : nil)
    }

    func records(from number: Int) -> ClusterStream { log.stream(from: .sequence(number)) }

    func append(_ records: [(payload: Payload, id: String)], expecting count: Int) async throws {
      let appender = log.appender(window: Self.window, expecting: count)
      for record in records { try await appender.append(record.payload, id: record.id) }
      try await appender.finish()
    }
  }

  extension MirrorCommand {
    /// The log of the directory into the cluster.
    @MainActor func copy(to servers: String, _ report: MirrorReport) async throws {
      let (storage, source) = try location.openForReading(namespace, codecOptions.configuration())
      defer { storage.close() }
      source.sayOpeningNote(.namespace)
      let advice = ConsumerAdvice(consumer, of: namespace, in: location.directory)
      try await advice.whileReading {
        let consumer = try source.consumer(consumer)
        defer { consumer.close() }
        try await Cluster.withLog(namespace, on: servers, creating: .init(replicas: replicas), codec: codecOptions) {
          log in
          try await Mirroring(source, to: ClusterMirror(log: log), consumer, report: report, follows: follow).run()
        }
      }
    }

    /// The log of the cluster into the directory.
    @MainActor func copy(from servers: String, _ report: MirrorReport) async throws {
      // A log that is not there makes none here.
      try await Cluster.withLog(namespace, on: servers, codec: codecOptions) { log in
        let storage = try location.open(namespace, codecOptions.configuration())
        defer { storage.close() }
        let target = try storage.log(namespace)
        target.sayOpeningNote(.namespace)
        try await Fetching(source: log, target: target, report: report, follows: follow).run()
        try await storage.shutdown()
      }
    }
  }
#endif
