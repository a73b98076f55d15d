#if JetStream
  import Immuta

  /// Where reading begins: a number, and for a moment that no record has reached yet the moment, too.
  struct RecordPlace: Hashable, Sendable {
    var sequence: Int
    /// Earlier records are passed over.
    var notBefore: Timestamp?
  }

  extension LogAccess {
    /// Finds the place that a position means now. O(1), of a moment O(log n) questions to the leader.
    ///
    /// - Throws: `.invalidPosition`, `.positionBeyondEnd`, `.foreignPosition`; as `describe`.
    func place(of position: StreamPosition, until deadline: ContinuousClock.Instant) async throws -> RecordPlace {
      try checkOpen()
      if case .skipping(let count) = position {
        precondition(count >= 0, "a stream cannot skip \(count) records")
        return RecordPlace(sequence: count)
      }
      let stream = try await describe(until: deadline)
      // Records that this handle knows of exist, even if a new leader does not report them yet.
      let count = max(stream.count, knownCount)
      switch position {
      case .beginning: return RecordPlace(sequence: stream.first)
      case .latest: return RecordPlace(sequence: count)
      case .last(let wanted):
        precondition(wanted >= 0, "a log has no last \(wanted) records")
        return RecordPlace(sequence: max(stream.first, count - min(wanted, count)))
      case .sequence(let sequence): return RecordPlace(sequence: try await checked(sequence, until: deadline))
      case .position(let position):
        guard position.identity == identity else {
          throw ImmutaError.foreignPosition(expected: position.identity, found: identity).of(namespace)
        }
        return RecordPlace(sequence: try await checked(position.sequence, until: deadline))
      case .time(let time):
        return try await place(of: time, in: stream.first..<max(stream.first, stream.count), until: deadline)
      default: preconditionFailure("a position that this version of ImmutaJetStream does not know")
      }
    }

    /// The same, for a consumer, which never begins with a record that was removed.
    ///
    /// - Throws: `.recordRemoved`, too.
    func placeThatExists(
      _ position: StreamPosition, until deadline: ContinuousClock.Instant
    ) async throws -> RecordPlace {
      while true {
        let place = try await place(of: position, until: deadline)
        let first = try await describe(until: deadline).first
        if place.sequence >= first { return place }
        // It was, meanwhile: another one is the first by now.
        if position == .beginning { continue }
        throw ImmutaError.recordRemoved(sequence: place.sequence, first: first).of(namespace)
      }
    }

    private func checked(_ sequence: Int, until deadline: ContinuousClock.Instant) async throws -> Int {
      if sequence < 0 { throw ImmutaError.invalidPosition(sequence).of(namespace) }
      try await check(position: sequence, until: deadline)
      return sequence
    }

    /// Throws `.positionBeyondEnd` where the log has fewer records for certain; as `describe`.
    func check(position: Int, until deadline: ContinuousClock.Instant) async throws {
      if position <= knownCount { return }
      let stream = try await describe(comparedTo: position, until: deadline)
      // Somebody may have appended meanwhile, through this handle.
      let count = max(stream.count, knownCount)
      if position > count { throw ImmutaError.positionBeyondEnd(position: position, count: count).of(namespace) }
    }

    /// The first record whose time is this moment or later.
    private func place(
      of time: Timestamp, in range: Range<Int>, until deadline: ContinuousClock.Instant
    ) async throws -> RecordPlace {
      var (low, high) = (range.lowerBound, range.upperBound)
      while low < high {
        let middle = low + (high - low) / 2
        if try await storedTime(of: middle, until: deadline) < time { low = middle + 1 } else { high = middle }
      }
      return RecordPlace(sequence: low, notBefore: time)
    }

    private func storedTime(of sequence: Int, until deadline: ContinuousClock.Instant) async throws -> Timestamp {
      var attempts = Attempts(until: deadline)
      while let time = attempts.time(atMost: transport.options.answerTimeout) {
        switch try await leaderRecord(at: sequence, within: time) {
        case .success(let record?): return record.timestamp
        case .success(nil): attempts.reason = "the leader is behind what was appended"
        case .failure(let refusal): attempts.reason = refusal.description
        }
        try await attempts.rest()
      }
      throw ImmutaError.unavailable(attempts.reason).of(namespace)
    }
  }
#endif
