#if JetStream
  import Immuta

  /// The stream with the positions of a log's consumers: the newest message of each consumer counts, and earlier ones are
  /// removed.
  ///
  /// A change names the message that it replaces. So if two processes both believe that they have a consumer, one is refused, and
  /// cannot move it. A key-value bucket would be the same stream, under a name that does not show which log it belongs to.
  struct MarkStore: Sendable {
    let access: LogAccess

    /// A mark as it is kept.
    struct Kept: Sendable {
      let mark: ConsumerMark
      /// Its message's place in the stream, from 1 on.
      let revision: Int
      /// When the leader stored it.
      let time: Timestamp

      /// Nil where the message holds no mark.
      init?(_ message: ClusterRecord) {
        guard let mark = ConsumerMark(message.payload) else { return nil }
        self.mark = mark
        revision = message.sequence + 1
        time = message.timestamp
      }
    }

    private var stream: String { access.name.positions }

    /// Makes the stream, if it is not there.
    func create(replicas: Int, until deadline: ContinuousClock.Instant) async throws {
      let config = JSON.object([
        "name": .string(stream), "subjects": .array([.string(access.name.allPositions)]),
        "description": .string("the positions of the consumers of “\(access.namespace)”"),
        "retention": "limits", "storage": "file", "discard": "old", "num_replicas": .int(replicas),
        "max_msgs_per_subject": 1,
        "max_msgs": -1, "max_bytes": -1, "max_age": 0, "max_msg_size": -1, "max_consumers": -1,
        "allow_direct": true,
      ])
      do {
        _ = try await access.transport.api("STREAM.CREATE.\(stream)", config, until: deadline)
      } catch let refusal as ServerRefusal where refusal.isNameInUse {
        // With other limits: it keeps what it is asked to keep.
      }
    }

    /// What the leader has of a consumer; nil for nothing. Throws a `ServerRefusal` where there is no stream.
    func read(_ consumer: String, until deadline: ContinuousClock.Instant) async throws -> Kept? {
      try kept(try await message(of: consumer, until: deadline), consumer)
    }

    /// What a message says of a consumer; nil for nothing, and for the empty one that a consumer leaves that was removed.
    func kept(_ message: ClusterRecord?, _ consumer: String) throws(ImmutaError) -> Kept? {
      guard let message, !message.payload.isEmpty else { return nil }
      guard let kept = Kept(message) else {
        throw ImmutaError.invalidConfiguration(
          """
          what the stream \(stream) has of the consumer “\(consumer)” is no position: somebody else published there. Say where it \
          goes on with `seekConsumer`, or remove it with `removeConsumer`
          """
        )
      }
      return kept
    }

    /// The message that the leader has of a consumer, whatever is in it; nil for none. Throws a `ServerRefusal` where there is no
    /// stream.
    func message(of consumer: String, until deadline: ContinuousClock.Instant) async throws -> ClusterRecord? {
      let question = JSON.object(["last_by_subj": .string(access.name.position(of: consumer))])
      do {
        let json = try await access.transport.api("STREAM.MSG.GET.\(stream)", question, until: deadline)
        guard let message = StoredMessage.record(json) else {
          throw ImmutaError.unavailable("a server gave no message")
        }
        return message
      } catch let refusal as ServerRefusal where refusal.isNoMessage {
        return nil
      }
    }

    /// The leader's clock; nil where it does not say.
    func now(until deadline: ContinuousClock.Instant) async throws -> Timestamp? {
      try await access.transport.api("STREAM.INFO.\(stream)", until: deadline)["ts"]?.string.flatMap {
        RecordTime.parse($0)
      }
    }

    enum Written: Sendable {
      case revision(Int)
      /// Another message is stored.
      case refused
    }

    /// Puts a mark, or nothing, in the place of the message of a revision; 0: where there is none.
    ///
    /// - Throws: `.unavailable` where it may be written or not; `.storageClosed`, `CancellationError`.
    func write(
      _ mark: ConsumerMark?, of consumer: String, replacing revision: Int, until deadline: ContinuousClock.Instant
    ) async throws -> Written {
      let bytes = mark?.bytes ?? []
      let message = Outgoing(
        subject: access.name.position(of: consumer),
        headers: [(HeaderName.expectedOfSubject, String(revision))], bytes: bytes)
      var attempts = Attempts(until: deadline)
      while let time = attempts.time(atMost: access.transport.options.answerTimeout) {
        switch await access.transport.ask(message, within: time) {
        case .failure(let silence):
          attempts.reason = try access.transport.note(silence).description
        case .success(let reply):
          switch AppendAnswer(reply) {
          case .stored(let revision, _, _):
            access.transport.noteSuccess()
            return .revision(revision)
          case .unexpected:
            access.transport.noteSuccess()
            // An earlier copy may have been stored. Or two servers both think that they lead: one refused it, and the other stored
            // it. What is stored decides.
            let kept = try await self.message(of: consumer, until: deadline)
            let found = kept.map { $0.sequence + 1 } ?? 0
            if found != revision {
              return kept?.payload.elementsEqual(bytes) == true ? .revision(found) : .refused
            }
            attempts.reason = "a server that is behind refused it"
          case .refused(let refusal): throw ImmutaError.unavailable(refusal.description)
          case .passing(let refusal), .idInUse(let refusal):
            attempts.reason = refusal.description
            access.transport.noteFailure()
          case .noAnswerer:
            attempts.reason = "no server with JetStream answers"
            access.transport.noteFailure()
          }
        }
        try await attempts.rest()
      }
      throw ImmutaError.unavailable(attempts.reason)
    }
  }
#endif
