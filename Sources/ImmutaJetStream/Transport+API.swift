#if JetStream
  import Immuta

  extension Transport {
    /// Asks JetStream, again and again until it answers something that lasts.
    ///
    /// - Parameter path: what follows `$JS.API.`.
    /// - Throws: `ServerRefusal`, `.unavailable` when the time is over, `.storageClosed`, `CancellationError`.
    func api(_ path: String, _ body: JSON? = nil, until deadline: ContinuousClock.Instant) async throws -> JSON {
      let question = Outgoing(subject: "$JS.API." + path, bytes: body.map { Array($0.text.utf8) } ?? [])
      var attempts = Attempts(until: deadline)
      while let time = attempts.time(atMost: options.answerTimeout) {
        switch try await apiOnce(question, within: time) {
        case .success(let json): return json
        case .failure(let refusal): attempts.reason = refusal.description
        }
        try await attempts.rest()
      }
      throw ImmutaError.unavailable(attempts.reason)
    }

    /// Asks JetStream once. A failure is one that may be otherwise in a moment.
    func apiOnce(_ question: Outgoing, within time: Duration) async throws -> Result<JSON, ServerRefusal> {
      switch await ask(question, within: time) {
      case .success(let reply):
        let refusal: ServerRefusal?
        if let status = ServerRefusal(status: reply) {
          refusal = status
        } else {
          guard let json = reply.json else {
            return .failure(ServerRefusal(code: 0, number: 0, text: "a server gave an answer that is not JSON"))
          }
          refusal = ServerRefusal(json)
          if refusal == nil {
            noteSuccess()
            return .success(json)
          }
        }
        guard let refusal, refusal.isPassing else {
          noteSuccess()
          throw refusal ?? .noAnswerer
        }
        noteFailure()
        return .failure(refusal)
      case .failure(let silence):
        return .failure(try note(silence))
      }
    }

    /// What the lack of an answer is called.
    ///
    /// - Throws: where another attempt makes no sense.
    func note(_ silence: Silence) throws -> ServerRefusal {
      switch silence {
      case .timeout:
        noteFailure()
        return ServerRefusal(code: 408, number: 0, text: "no server answered in time")
      case .lost:
        return ServerRefusal(
          code: 503, number: 0, text: "the connection was lost, and no server could be reached again")
      case .tooLarge: throw ImmutaError.recordTooLarge
      case .closed: throw ImmutaError.storageClosed
      case .cancelled: throw CancellationError()
      }
    }
  }
#endif
