#if JetStream
  import Immuta
  import ImmutaLocking

  // The consumers of the stream that a follower reads through, one after the other.

  extension Follower {
    func reset() {
      let old: Delivery?? = state.withLock { state in
        if state.isResetting || state.failure != nil { return nil }
        state.isResetting = true
        state.resets += 1
        defer { state.delivery = nil }
        return .some(state.delivery)
      }
      guard let old else { return }
      // Nothing comes from the old one any more.
      resumeServed()
      if let old { Self.remove(old, access) }
      Task { [weak self] in
        var attempts = Attempts(until: .now + .seconds(365 * 86_400))
        while let follower = self, await !follower.begin() { try? await attempts.rest() }
      }
    }

    /// Makes a consumer and asks for records; true if it exists, or if none ever will.
    private func begin() async -> Bool {
      let (next, last) = state.withLock { ($0.next, $0.last) }
      do {
        let stream = try await access.describe(until: .now + Self.patience)
        if next < stream.first {
          throw ImmutaError.recordRemoved(sequence: next, first: stream.first).of(access.namespace)
        }
        let name = "immuta-" + AppendID.next()
        _ = try await access.transport.api(
          "CONSUMER.CREATE.\(access.name.stream).\(name)", PullRequests.consumer(name, of: access.name, from: next),
          until: .now + Self.patience)
        // It was made by a majority: now the leader knows what there is, if it is one.
        if let last { try await checkEnd(last) }
        guard let connection = access.transport.connection else { throw ImmutaError.storageClosed.of(access.namespace) }
        let subscription = try NatsSubscription(connection, "_INBOX.\(name)", self)
        let delivery = Delivery(consumer: name, connection: connection, subscription: subscription)
        let isWanted = state.withLock { state in
          state.isResetting = false
          if state.failure != nil { return false }
          state.delivery = delivery
          (state.asked, state.quietBeats) = (0, 0)
          return true
        }
        if isWanted { pull() } else { Self.remove(delivery, access) }
        return true
      } catch let error as ImmutaError {
        if case .unavailable = error { return false }
        fail(error)
        return true
      } catch let refusal as ServerRefusal where refusal.isPassing || refusal.isNoStream {
        // Whether the stream is gone is said by its description.
        return false
      } catch let refusal as ServerRefusal {
        fail(access.error(refusal))
        return true
      } catch {
        return false
      }
    }

    /// Throws if the log has lost records that this has read, or if the next record is missing while later ones exist.
    private func checkEnd(_ last: ClusterRecord) async throws {
      let next = last.sequence + 1
      let time = Shortfall.timeOfReading
      let stream = try await access.describe(
        comparedTo: next, believedAfter: time, until: .now + time + Self.patience)
      if stream.count < next {
        throw ImmutaError.positionBeyondEnd(position: next, count: stream.count).of(access.namespace)
      }
      // Other records may have been appended in place of the lost ones.
      if stream.first <= last.sequence, stream.missing == 0 {
        guard case .success(let record?) = try await access.leaderRecord(at: last.sequence, within: Self.patience)
        else { throw ImmutaError.unavailable(LogAccess.isBehind).of(access.namespace) }
        if !last.isSame(as: record) {
          throw ImmutaError.logChanged(LogChange(path: access.place, kind: .cutBack, sharedCount: 0)).of(
            access.namespace)
        }
      }
      let times = state.withLock { state in
        state.gap = state.gap.at == next ? (next, state.gap.times + 1) : (next, 1)
        return state.gap.times
      }
      // Another consumer did not find it either.
      guard times > 3, next < stream.count,
        case .success(nil) = try await access.leaderRecord(at: next, within: Self.patience)
      else { return }
      throw ImmutaError.recordRemoved(sequence: next, first: next + 1).of(access.namespace)
    }
  }
#endif
