#if JetStream
  import Immuta
  import ImmutaJetStream

  /// What is known of the logs of a cluster.
  @MainActor struct ClusterInfo {
    private let sizes: ByteWords
    private var table: Table
    private var json: [[UInt8]] = []
    private var failures: [Failure] = []

    /// Prints what is known of the logs that are named, or of all.
    static func print(_ namespaces: [String], on servers: String, sizes: ByteWords, asJSON: Bool) async throws {
      let info = try await Cluster.withConnection(to: servers) { cluster in
        var info = ClusterInfo(sizes)
        if namespaces.isEmpty {
          let logs = try await cluster.logs
          if logs.isEmpty { throw ToolError("no logs on the cluster: `immuta append NAMESPACE --url …` makes one") }
          for log in logs { info.add(log) }
        }
        for namespace in namespaces {
          do {
            info.add(try await cluster.details(of: namespace))
          } catch ImmutaError.namespaceNotFound(let name) {
            info.failures.append(Failure(await cluster.notFound(name)))
          }
        }
        return info
      }
      try info.print(asJSON)
    }

    private init(_ sizes: ByteWords) {
      self.sizes = sizes
      table = Table([
        ("NAMESPACE", .left), ("RECORDS", .right), (sizes.title, .right), ("FIRST", .left), ("LAST", .left),
        ("SERVERS", .right),
        ("HEALTH", .left),
      ])
    }

    private mutating func add(_ log: ClusterLog.Details) {
      let records = log.count - log.firstSequence
      let fault = log.faults.isEmpty ? nil : log.faults.joined(separator: "; ")
      table.add([
        log.namespace, Quantities.grouped(records), sizes.of(log.byteCount),
        log.firstTimestamp?.day ?? "-", log.lastTimestamp?.day ?? "-", "\(log.replicas)",
        fault == nil ? "ok" : "wrong settings",
      ])
      var object = JSONObject()
      object.add("namespace", log.namespace)
      object.add("stream", log.streamName)
      object.add("identity", "\(log.identity)")
      object.add("records", records)
      object.add("count", log.count)
      object.add("firstSequence", log.firstSequence)
      object.add("bytes", log.byteCount)
      object.add("first", log.firstTimestamp?.description)
      object.add("last", log.lastTimestamp?.description)
      if log.codec.isEmpty { object.addNull("codec") } else { object.add("codec", log.codec) }
      object.add("replicas", log.replicas)
      object.add("health", fault == nil ? "ok" : "wrong settings")
      object.add("error", fault)
      json.append(object.line)
      if let fault {
        failures.append(Failure(ToolError("the stream \(log.streamName) is not configured as a log must be: \(fault)")))
      }
    }

    private func print(_ asJSON: Bool) throws {
      try Output().report(json.isEmpty ? [] : table.lines, json: json, asJSON: asJSON)
      for failure in failures { failure.report() }
      try ExitStatus.throwUnlessSuccess(of: failures)
    }
  }
#endif
