#if JetStream
  public import Immuta
  import ImmutaLocking

  /// A reader of a log on a cluster whose position the cluster keeps: each record is delivered at least once.
  ///
  /// ```swift
  /// let billing = try await orders.consumer("billing")
  /// while let record = try await billing.next() {
  ///   try await charge(record)
  ///   try await billing.acknowledge(record)       // and all before it
  /// }
  /// ```
  ///
  /// It delivers records in their order, from the first that it has not acknowledged on. A record that was delivered but not
  /// acknowledged when the process ends is delivered again, so your work on a record must tolerate being done twice.
  ///
  /// One process has a consumer at a time, others get `ImmutaError.consumerInUse`. The process that has it renews that
  /// every 3 seconds, and when it was silent for 10 seconds, another one may take the consumer. If the first one is still alive,
  /// it cannot acknowledge any more: each change names the one that it replaces, and the cluster refuses it. Then all its calls
  /// throw `.consumerInUse`, and what it delivered is delivered again.
  ///
  /// An acknowledgement is stored when the call returns, as a record is: on a majority of the servers. Acknowledgements that come
  /// together share one. Several tasks may use one consumer: each record then goes to one of them.
  public final class ClusterConsumer: LogConsumer {
    /// What it delivers.
    public typealias Entry = ClusterRecord

    /// The consumer's name.
    public let name: String
    let access: LogAccess
    private let keeper: MarkKeeper
    private let reading: Lock<Reading>

    private struct Reading {
      var place: RecordPlace
      var follower: Follower?
      var isClosed = false
    }

    init(_ name: String, _ access: LogAccess, _ keeper: MarkKeeper) {
      self.name = name
      self.access = access
      self.keeper = keeper
      reading = Lock(Reading(place: RecordPlace(sequence: keeper.position)))
      keeper.whenLost { [weak self] in self?.wake() }
    }

    deinit {
      let keeper = keeper
      Task { try? await keeper.release() }
    }

    // MARK: Taking records

    /// The next record, waiting for it if need be; never nil.
    ///
    /// - Throws: as ``ClusterStream/next()``; `.consumerClosed`; `.consumerInUse` where somebody else has taken it. The place stays.
    public func next() async throws -> ClusterRecord? { try await take(until: nil) }

    /// The next record, or nil when none came in time. A timeout of zero or less takes a record that was read ahead.
    ///
    /// - Throws: as ``next()``.
    public func next(timeout: Duration) async throws -> ClusterRecord? { try await take(until: .now + timeout) }

    private func take(until deadline: ContinuousClock.Instant?) async throws -> ClusterRecord? {
      while true {
        try Task.checkCancellation()
        try checkUsable()
        let (look, follower, place) = try reading.withLock { reading in
          let follower = reading.follower ?? Follower(access, at: reading.place.sequence)
          reading.follower = follower
          let place = reading.place
          let look = follower.take(at: place.sequence)
          switch look {
          case .record(let record):
            do {
              let decoded = try access.decoded(record)
              let isEarly = place.notBefore.map { record.timestamp < $0 } ?? false
              reading.place = RecordPlace(sequence: place.sequence + 1, notBefore: isEarly ? place.notBefore : nil)
              return (isEarly ? Follower.Look.elsewhere : .record(decoded), follower, place)
            } catch {
              reading.follower = nil
              throw error
            }
          case .failure, .elsewhere: reading.follower = nil
          case .nothing: break
          }
          return (look, follower, place)
        }
        switch look {
        case .record(let record): return record
        case .failure(let error): throw error
        case .elsewhere: continue
        case .nothing:
          if let deadline, deadline <= .now { return nil }
          await follower.wait(at: place.sequence, until: deadline)
        }
      }
    }

    private func checkUsable() throws {
      if reading.withLock({ $0.isClosed }) { throw ImmutaError.consumerClosed(name).of(access.namespace) }
      try access.checkOpen()
      try keeper.checkHeld()
    }

    /// Makes the waiters look again.
    private func wake() {
      let follower = reading.withLock { $0.follower }
      follower?.wake()
    }

    // MARK: Position

    /// The number of the first record that was not acknowledged: where the consumer goes on after a crash. O(1).
    public var position: Int { keeper.position }

    /// How many records exist that were not acknowledged; at least so many.
    ///
    /// - Throws: as ``ClusterLog/count``.
    public var lag: Int {
      get async throws {
        let stream = try await access.describe(until: access.deadline)
        return max(0, max(stream.count, access.knownCount) - max(position, stream.first))
      }
    }

    /// Acknowledges a record and all before it; nothing where that was done. One message, stored on a majority of the servers.
    ///
    /// - Throws: `.positionBeyondEnd` where the log has no such record, `.consumerClosed`, `.consumerInUse`; `.unavailable`,
    ///   `CancellationError`: then the position is the old one or the new one.
    public func acknowledge(_ record: ClusterRecord) async throws {
      try await acknowledge(through: record.sequence)
    }

    /// Acknowledges all records up to and including the one of a number.
    ///
    /// - Throws: as `acknowledge(_:)` of a record; `.invalidPosition`.
    public func acknowledge(through sequence: Int) async throws {
      try checkUsable()
      if sequence < 0 { throw ImmutaError.invalidPosition(sequence).of(access.namespace) }
      try await access.check(position: sequence == .max ? sequence : sequence + 1, until: access.deadline)
      try await keeper.move(to: sequence + 1, isSeek: false)
      let passed = reading.withLock { reading -> Follower? in
        // What is acknowledged is not delivered.
        guard reading.place.sequence <= sequence else { return nil }
        reading.place = RecordPlace(sequence: sequence + 1)
        defer { reading.follower = nil }
        return reading.follower
      }
      passed?.wake()
    }

    /// Moves the consumer, forward or back: it goes on there, also after a crash.
    ///
    /// - Throws: `.recordRemoved` for a record that somebody has removed: `.beginning` is the first that exists;
    ///   `.positionBeyondEnd`, `.foreignPosition`, `.invalidPosition`; as `acknowledge(_:)`. The position stays then.
    public func seek(to position: StreamPosition) async throws {
      try checkUsable()
      let place = try await access.placeThatExists(position, until: access.deadline)
      try await keeper.move(to: place.sequence, isSeek: true)
      let old = reading.withLock { reading in
        reading.place = place
        defer { reading.follower = nil }
        return reading.follower
      }
      old?.wake()
    }

    /// Lets others have the consumer, at once. A caller that waits for its next record gets `.consumerClosed`. Idempotent.
    ///
    /// - Throws: `.unavailable` if the cluster could not be informed: then others have to wait 10 seconds.
    public func shutdown() async throws {
      let isFirst = reading.withLock { reading in
        defer { reading.isClosed = true }
        return !reading.isClosed
      }
      wake()
      if isFirst { try await keeper.release() }
    }
  }
#endif
