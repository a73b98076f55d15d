#if JetStream
  public import Immuta

  /// A log on a NATS JetStream cluster: see ``Cluster``.
  ///
  /// ```swift
  /// let orders = try await cluster.log("orders", creating: .init(replicas: 3))
  /// let receipt = try await orders.append("order placed")
  /// for try await record in orders.stream(from: .beginning) { print(record.sequence, record.text) }
  /// ```
  ///
  /// It is an `AppendOnlyLog` with any number of writers, in any number of processes: no process has it for itself, and a
  /// caller that must know that nothing came between appends with `expecting`. A handle may be used from any number of tasks at
  /// once.
  ///
  /// Each append names the number of records that the log must have, even if the caller does not: so a record is stored once,
  /// however often it had to be sent, and wherever an older copy of it was held up. Acknowledged records are on a majority of the
  /// servers; what else the cluster promises, and what it does not, is in <doc:GrowingPastOneMachine>.
  public final class ClusterLog: AppendOnlyLog {
    /// A record: ``ClusterRecord``.
    public typealias Entry = ClusterRecord
    /// Its records, as they come: ``ClusterStream``.
    public typealias Entries = ClusterStream
    /// A reader of it whose position is kept: ``ClusterConsumer``.
    public typealias EntryConsumer = ClusterConsumer
    /// What appending one record returns: ``ClusterReceipt``.
    public typealias AppendReceipt = ClusterReceipt
    /// What appending several records returns: ``ClusterReceipts``.
    public typealias BatchReceipt = ClusterReceipts

    /// The cluster that keeps it.
    public let cluster: Cluster
    /// The largest record and batch, and on how many servers a record is once its append has returned. Whether they flush it by
    /// then is their own setting, `sync_interval`, which they do not report: so a record never counts as flushed here. O(1).
    public let limits: LogLimits
    let access: LogAccess
    let line: AppendLine
    /// On how many servers it is kept.
    let replicas: Int

    init(_ cluster: Cluster, _ access: LogAccess, replicas: Int) {
      self.cluster = cluster
      self.access = access
      self.replicas = replicas
      // What a codec adds to what it cannot make smaller.
      let room = access.coder == nil ? 0 : access.mostBytes / 128 + 4096
      limits = LogLimits(
        maximumRecordBytes: max(0, access.mostBytes - room),
        maximumBatchRecords: access.isAtomic ? AppendLine.largestBatch : 1,
        survives: replicas == 1 ? .process : .machines(replicas, isFlushed: false))
      line = AppendLine(access)
    }

    deinit { line.close(ImmutaError.storageClosed.of(access.namespace)) }

    /// The namespace's name.
    public var namespace: String { access.namespace }
    /// The log's identity, drawn when it was made. A log that was deleted and made again has another one.
    public var identity: LogIdentity { access.identity }
    /// The stream that it is on the cluster. A namespace's dots are equals signs in it.
    public var streamName: String { access.name.stream }

    /// How many records were ever appended, at least: what the leader says, and no less than what this handle knows of.
    ///
    /// - Throws: `.storageClosed`, `.unavailable`, `.namespaceNotFound` where the stream was deleted, `.logChanged` where another one
    ///   has its name; `CancellationError`.
    public var count: Int {
      get async throws { max(try await access.describe(until: access.deadline).count, access.knownCount) }
    }

    /// The number of the first record that was not removed: 0, unless somebody with the right to do so changed the stream.
    ///
    /// - Throws: as ``count``.
    public var firstSequence: Int {
      get async throws { try await access.describe(until: access.deadline).first }
    }

    /// One record, by number. Any server may answer. If it does not have the record, it may only lag, so the leader is asked. So
    /// it never misses a record that was acknowledged. One question, rarely two.
    ///
    /// - Throws: `.recordNotFound`, `.recordRemoved`; `.undecodable`; as ``count``.
    public func record(at sequence: Int) async throws -> ClusterRecord {
      try await access.record(at: sequence, until: access.deadline)
    }

    /// The records from a position on: those that exist, then those to come. Never fails: the stream's first `next()` throws what
    /// stands in the way. It also settles what `StreamPosition.latest` means. O(1); from a moment the first `next()` asks O(log
    /// n) questions.
    public func stream(from position: StreamPosition = .beginning) -> ClusterStream { ClusterStream(access, position) }

    /// Closes this handle: its streams and consumers end with an error, and every later call throws `.storageClosed`. Its
    /// acknowledged appends are stored; appends under way may be. Other handles of the log go on. Idempotent.
    ///
    /// - Throws: `.unavailable` if the cluster could not be informed that its consumers are free; then others have to wait 10
    ///   seconds.
    public func shutdown() async throws {
      access.close()
      line.close(ImmutaError.storageClosed.of(namespace))
      access.transport.watchers.tellOfClosing()
      try await cluster.held.release { [access] in $0 === access }
    }
  }
#endif
