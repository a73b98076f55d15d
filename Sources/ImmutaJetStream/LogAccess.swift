#if JetStream
  import Immuta
  import Synchronization

  /// One log of a cluster, as all that work on it reach it.
  final class LogAccess: Sendable {
    let transport: Transport
    let name: StreamName
    let identity: LogIdentity
    /// Nil where payloads are stored as they are.
    let coder: PayloadCoder?
    /// Whether the stream takes batches that are stored whole or not at all.
    let isAtomic: Bool
    /// Whether it takes runs of messages that end with the first one that is not stored.
    let isBatched: Bool
    /// Bytes that may be stored for a record: what the servers take, without room for its header.
    let mostBytes: Int
    /// Relaxed: a caller that needs it got the number from a caller that raised this before.
    private let known: Atomic<Int>
    /// Relaxed: it only becomes true, and waiting callers are informed in other ways.
    private let closed = Atomic(false)

    init(
      _ transport: Transport, _ name: StreamName, _ identity: LogIdentity, _ stream: StreamDescription,
      _ coder: PayloadCoder?
    ) {
      self.transport = transport
      self.name = name
      self.identity = identity
      self.coder = coder
      isAtomic = stream.isAtomic
      isBatched = stream.isBatched
      let most = stream.config["max_msg_size"]?.int ?? -1
      mostBytes = max(0, min(transport.connection?.mostBytes ?? 0, most < 0 ? .max : most) - Self.headerRoom)
      known = Atomic(stream.count)
    }

    /// Bytes that a record's header has at most: an id, what is expected, and a batch's members.
    private static let headerRoom = 1024

    var namespace: String { name.namespace }
    var subject: String { StreamDescription.subject(name, identity) }
    /// What errors call the place of its records.
    var place: String { "stream \(name.stream)" }

    /// How many records exist at least: those that this handle appended, read or got the number of.
    var knownCount: Int { known.load(ordering: .relaxed) }
    func noteCount(_ count: Int) { known.max(count, ordering: .relaxed) }

    var isClosed: Bool { closed.load(ordering: .relaxed) || transport.isClosed }
    func close() { closed.store(true, ordering: .relaxed) }

    func checkOpen() throws(ImmutaError) {
      if isClosed { throw .storageClosed(in: .init(namespace: namespace)) }
    }

    /// When a call that begins now must be over.
    var deadline: ContinuousClock.Instant { .now + transport.options.deadline }

    /// The error that a call ends with: of this log, and of the kinds that it promises.
    func error(_ error: any Error) -> any Error {
      switch error {
      case let refusal as ServerRefusal:
        refusal.isNoStream
          ? ImmutaError.namespaceNotFound(namespace) : ImmutaError.unavailable(refusal.description).of(namespace)
      case let error as ImmutaError: error.of(namespace)
      default: error
      }
    }

    // MARK: The stream

    /// What the leader says of the stream.
    ///
    /// - Throws: `.namespaceNotFound`, `.logChanged`, `.unavailable`, `.storageClosed`, `CancellationError`.
    func describe(until deadline: ContinuousClock.Instant) async throws -> StreamDescription {
      try checkOpen()
      do {
        return try checked(try await transport.api("STREAM.INFO.\(name.stream)", until: deadline))
      } catch {
        throw self.error(error)
      }
    }

    /// The same, to learn whether the log has at least `count` records. Returns once the leader has that many, or has said for a
    /// while that there are fewer: see ``Shortfall``.
    ///
    /// - Parameter time: how long the leader must have said so. The deadline must be later than that.
    /// - Throws: as `describe(until:)`.
    func describe(
      comparedTo count: Int, believedAfter time: Duration = Shortfall.timeOfCall,
      until deadline: ContinuousClock.Instant
    ) async throws -> StreamDescription {
      var shortfall = Shortfall(of: count, believedAfter: time)
      var attempts = Attempts(until: deadline)
      repeat {
        let stream = try await describe(until: deadline)
        if stream.count >= count || shortfall.isCertain(stream) { return stream }
        try await attempts.rest()
      } while ContinuousClock.now < deadline
      throw ImmutaError.unavailable(Self.isBehind).of(namespace)
    }

    /// Why a server's count is not taken as the end of the log.
    static let isBehind = "the server that answers for the log may be behind"

    /// The same by one question; nil where nobody could answer it now.
    func describeOnce(within time: Duration) async throws -> StreamDescription? {
      do {
        switch try await transport.apiOnce(Outgoing(subject: "$JS.API.STREAM.INFO.\(name.stream)"), within: time) {
        case .success(let json): return try checked(json)
        case .failure: return nil
        }
      } catch {
        throw self.error(error)
      }
    }

    private func checked(_ json: JSON) throws(ImmutaError) -> StreamDescription {
      guard let stream = StreamDescription(json) else { throw .unavailable("a server describes no stream") }
      guard stream.identity == identity else {
        throw .logChanged(LogChange(path: place, kind: .replaced, sharedCount: 0))
      }
      noteCount(stream.count)
      return stream
    }

    // MARK: One record

    /// A record as it is stored, from the leader, by one question. Success with nil: it has none of this number. Failure: nobody
    /// could answer now.
    func leaderRecord(at sequence: Int, within time: Duration) async throws -> Result<ClusterRecord?, ServerRefusal> {
      let question = Outgoing(
        subject: "$JS.API.STREAM.MSG.GET.\(name.stream)",
        bytes: Array(JSON.object(["seq": .int(sequence + 1)]).text.utf8))
      do {
        switch try await transport.apiOnce(question, within: time) {
        case .success(let json):
          guard let record = StoredMessage.record(json), record.sequence == sequence else {
            return .failure(
              ServerRefusal(code: 0, number: 0, text: "a server gave another record than it was asked for"))
          }
          noteCount(sequence + 1)
          return .success(record)
        case .failure(let refusal): return .failure(refusal)
        }
      } catch let refusal as ServerRefusal {
        if refusal.isNoMessage { return .success(nil) }
        throw error(refusal)
      }
    }

    /// A record as it is stored, from any server; nil if the server that answered has none of this number, or no server answered.
    func directRecord(at sequence: Int, within time: Duration) async throws -> ClusterRecord? {
      let question = Outgoing(
        subject: "$JS.API.DIRECT.GET.\(name.stream)", bytes: Array(JSON.object(["seq": .int(sequence + 1)]).text.utf8))
      switch await transport.ask(question, within: time) {
      case .success(let reply):
        guard reply.status == 0, let place = reply.sequence, place == sequence + 1,
          let time = reply.time.flatMap({ RecordTime.parse($0) })
        else { return nil }
        noteCount(sequence + 1)
        return ClusterRecord(sequence: sequence, timestamp: time, payload: reply.message.payload, id: reply.id)
      case .failure(let silence):
        _ = try transport.note(silence)
        return nil
      }
    }

    /// A record, from any server that has it, as it was appended.
    ///
    /// - Throws: `.recordNotFound`, `.recordRemoved`; `.unavailable`, `.storageClosed`, `CancellationError`; `.undecodable`.
    func record(at sequence: Int, until deadline: ContinuousClock.Instant) async throws -> ClusterRecord {
      try checkOpen()
      guard sequence >= 0, sequence < Int.max else { throw ImmutaError.recordNotFound(sequence).of(namespace) }
      var attempts = Attempts(until: deadline)
      while let time = attempts.time(atMost: transport.options.answerTimeout) {
        do {
          // A server that lags does not have the newest records yet: then the leader is asked.
          if let record = try await directRecord(at: sequence, within: time) { return try decoded(record) }
          switch try await leaderRecord(at: sequence, within: time) {
          case .success(let record?): return try decoded(record)
          case .success(nil):
            // A new leader may still be reading its records: it must know all records that this handle knows. And an old leader
            // may not know that there is a new one.
            if let stream = try await describeOnce(within: time), stream.isOfLeader, stream.count >= knownCount {
              throw sequence < stream.first
                ? ImmutaError.recordRemoved(sequence: sequence, first: stream.first)
                : ImmutaError.recordNotFound(sequence)
            }
            attempts.reason = Self.isBehind
          case .failure(let refusal): attempts.reason = refusal.description
          }
        } catch {
          throw self.error(error)
        }
        try await attempts.rest()
      }
      throw ImmutaError.unavailable(attempts.reason).of(namespace)
    }

    /// The record as it was appended.
    func decoded(_ record: ClusterRecord) throws(ImmutaError) -> ClusterRecord {
      guard let coder else { return record }
      return record.with(
        try coder.decode(record.payload, sequence: record.sequence, timestamp: record.timestamp, place: place))
    }
  }
#endif
