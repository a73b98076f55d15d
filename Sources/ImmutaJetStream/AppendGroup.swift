#if JetStream
  import Immuta

  /// Units that are appended together, from the first attempt until it is known what became of them, or nobody wants to know.
  struct AppendGroup {
    private var units: [AppendUnit]
    private let access: LogAccess
    private let line: AppendLine
    /// Where it may have been stored: it was sent, and no answer said that it was not.
    private var doubt: SentGroup?
    private var reason = "no server answered in time"
    /// Whether the last attempt came too late: another writer's record is at its place.
    private var isTooLate = false
    /// Of a log that has fewer records than the first unit expects.
    private var shortfall: Shortfall?

    /// - Parameter doubt: where the units may have been stored already.
    init(_ units: [AppendUnit], doubt: SentGroup? = nil, _ access: LogAccess, _ line: AppendLine) {
      self.units = units
      self.doubt = doubt
      self.access = access
      self.line = line
    }

    /// Returns when each unit has its outcome.
    mutating func settle() async {
      // Nobody cancels this task; what waits in it ends by deadlines and by closing.
      var attempts = Attempts(until: .now + .seconds(365 * 86_400))
      var race = AppendRace()
      while !isOver() {
        isTooLate = false
        do {
          if try await attempt() { return }
        } catch {
          return fail(access.error(error))
        }
        if isTooLate {
          line.noteRival()
          await race.restAfterLosing()
        } else {
          try? await attempts.rest()
        }
      }
    }

    /// Whether nobody waits for it any more.
    private mutating func isOver() -> Bool {
      if let failure = line.failure { fail(failure) }
      let now = ContinuousClock.now
      for unit in units where unit.deadline <= now {
        let error = ImmutaError.unavailable(reason).of(access.namespace)
        unit.giveUp(error)
        line.noteFailure(error)
      }
      line.expire(reason)
      if doubt == nil { units.removeAll(where: \.isOver) }
      guard units.allSatisfy(\.isOver) else { return false }
      // It may still be stored. Then the next one's number is refused, or it is: both cannot be.
      line.guess = nil
      return true
    }

    /// How long one question may take.
    private var time: Duration {
      let left = units.filter { !$0.isOver }.map { $0.deadline - .now }.min() ?? .zero
      return max(.milliseconds(1), min(left, access.transport.options.answerTimeout))
    }

    private func fail(_ error: any Error) {
      for unit in units { unit.giveUp(error) }
      line.noteFailure(error)
    }

    /// Tries once; true when all is settled.
    private mutating func attempt() async throws -> Bool {
      if let sent = doubt {
        switch try await look(for: sent, refusedAt: nil) {
        case .settled(let isOver): return isOver
        case .unanswered: return false
        case .nothing: return try await send(sent)
        }
      }
      // The count is higher than this process knows. If the leader does not know so many records either, nothing is sent, so
      // nothing can be stored, whichever server leads. If it were sent, that would not be certain: for some seconds another
      // server may lead, which has more records and stores it.
      if let expected = units[0].expecting, expected > access.knownCount {
        guard let stream = try await describe() else { return false }
        if stream.count < expected {
          return isShort(of: expected, stream) ? refused(stream.count) : false
        }
      }
      var first = units[0].expecting ?? line.guess
      if first == nil { first = try await count() }
      guard let first, let sent = prepare(first) else { return false }
      return try await send(sent)
    }

    /// Whether the log has fewer records than the first unit expects, for certain.
    private mutating func isShort(of expected: Int, _ stream: StreamDescription) -> Bool {
      reason = LogAccess.isBehind
      var shortfall =
        shortfall.flatMap { $0.needed == expected ? $0 : nil }
        ?? Shortfall(of: expected, believedAfter: Shortfall.timeOfCall)
      defer { self.shortfall = shortfall }
      return shortfall.isCertain(stream)
    }

    private enum Finding {
      case settled(Bool)
      /// Nothing is at its place; it may still come.
      case nothing
      case unanswered
    }

    /// Looks which record is at the place of an append that may have been stored: only that decides. A server's refusal does not.
    /// For some seconds two servers may think that they lead, and then both get it: one refuses it, and the other stores it.
    ///
    /// - Parameter count: how many records the server that refused it has; nil if it must be asked.
    private mutating func look(for sent: SentGroup, refusedAt count: Int?) async throws -> Finding {
      switch try await access.leaderRecord(at: sent.first, within: time) {
      case .failure(let refusal):
        reason = refusal.description
        return .unanswered
      case .success(nil): return .nothing
      case .success(let record?):
        if record.id == AppendUnit.id(sent.ids[0], 0, of: units[0].payloads.count) {
          return .settled(complete(sent.first, sent.ids))
        }
        // Another writer's record is at the place: this one never will be.
        var count = count
        if count == nil { count = try await self.count() }
        guard let count else { return .unanswered }
        return .settled(refused(max(count, sent.first + 1)))
      }
    }

    /// How many records the leader has; nil where it does not answer.
    private mutating func count() async throws -> Int? { try await describe()?.count }

    /// What the leader says of the log; nil where it does not answer.
    private mutating func describe() async throws -> StreamDescription? {
      let stream = try await access.describeOnce(within: time)
      if stream == nil { reason = "the log's leader does not answer" }
      return stream
    }

    /// What is sent, noted in each unit; nil if a unit was given up meanwhile, or cannot be sent.
    private func prepare(_ first: Int) -> SentGroup? {
      do throws(SentGroup.Failure) {
        let sent = try SentGroup(units, at: first, access)
        return note(sent) ? sent : nil
      } catch {
        error.unit.giveUp(error.error)
        line.noteFailure(error.error)
        return nil
      }
    }

    /// Notes in each unit that it is about to be sent; false where one of them was given up meanwhile.
    private func note(_ sent: SentGroup) -> Bool {
      var place = sent.first
      for (index, (unit, id)) in zip(units, sent.ids).enumerated() {
        let append = UnknownAppend(
          namespace: access.namespace, id: id, count: unit.payloads.count, earliest: place, isExpecting: true)
        guard unit.markSent(append) else {
          for unit in units.prefix(index) { unit.markRefused() }
          return false
        }
        place += unit.payloads.count
      }
      return true
    }

    private mutating func send(_ sent: SentGroup) async throws -> Bool {
      // What was sent before may still come.
      let isFirst = doubt == nil
      doubt = sent
      switch await access.transport.ask(sent.attempt(), within: time) {
      case .failure(.tooLarge) where isFirst && sent.count == 1:
        refuse()
        throw ImmutaError.recordTooLarge
      case .failure(let silence):
        reason = try access.transport.note(silence).description
        return false
      case .success(let reply): return try await take(AppendAnswer(reply), sent, isFirst)
      }
    }

    /// None of it is stored.
    private mutating func refuse() {
      doubt = nil
      for unit in units { unit.markRefused() }
    }

    private mutating func take(_ answer: AppendAnswer, _ sent: SentGroup, _ isFirst: Bool) async throws -> Bool {
      switch answer {
      case .stored(let count, let batch, let isDuplicate):
        access.transport.noteSuccess()
        if isDuplicate { return try await takeDuplicate(at: count - 1, sent, isFirst) }
        guard sent.count == 1 || batch == sent.count, count - sent.count == sent.first else {
          // The record at its place shows the outcome.
          reason = "a server stored \(batch ?? 1) of \(sent.count) records, up to \(count)"
          return false
        }
        return complete(sent.first, sent.ids)
      case .unexpected(let count):
        access.transport.noteSuccess()
        if case .settled(let isOver) = try await look(for: sent, refusedAt: isFirst ? count : nil) { return isOver }
        // Another writer's record is on its way to the place.
        isTooLate = true
        return false
      case .noAnswerer:
        if isFirst { refuse() }
        reason = "no server with JetStream answers"
        access.transport.noteFailure()
        // The stream may be gone.
        _ = try await access.describeOnce(within: time)
        return false
      case .idInUse(let refusal):
        reason = refusal.description
        return false
      case .passing(let refusal):
        reason = refusal.description
        access.transport.noteFailure()
        return false
      case .refused(let refusal):
        access.transport.noteSuccess()
        if case .settled(let isOver) = try await look(for: sent, refusedAt: nil) { return isOver }
        if isFirst { refuse() }
        throw refusal.isTooLarge ? ImmutaError.recordTooLarge : refusal
      }
    }

    /// A record of this id is stored. Whether it is this one, its place says.
    private mutating func takeDuplicate(at place: Int, _ sent: SentGroup, _ isFirst: Bool) async throws -> Bool {
      if place == sent.first || units[0].id == nil { return false }
      // What this one sent before may come in between: then only the record says it.
      if !isFirst {
        guard case .success(let record?) = try await access.leaderRecord(at: place, within: time),
          record.id == AppendUnit.id(sent.ids[0], 0, of: units[0].payloads.count)
        else { return false }
      }
      if units[0].expecting != nil { return refused(max(place + 1, access.knownCount)) }
      // The caller's id, appended before: what was asked for is done.
      return complete(place, sent.ids)
    }

    private func complete(_ first: Int, _ ids: [String]) -> Bool {
      var place = first
      for (unit, id) in zip(units, ids) {
        unit.complete(Appended(sequences: place..<place + unit.payloads.count, id: id))
        place += unit.payloads.count
      }
      access.noteCount(place)
      line.guess = max(place, access.knownCount)
      return true
    }

    /// It is certain that nothing of it is stored, as the log has another number of records.
    private mutating func refused(_ count: Int) -> Bool {
      refuse()
      line.guess = count
      guard let expected = units[0].expecting else {
        isTooLate = true
        return false
      }
      let error = ImmutaError.unexpectedCount(expected: expected, actual: count).of(access.namespace)
      units[0].giveUp(error)
      line.noteFailure(error)
      // The others may expect the count that the log has.
      line.putBack(Array(units.dropFirst()))
      return true
    }
  }
#endif
