#if JetStream
  import Immuta
  import ImmutaLocking

  /// Reads a log in order, ahead of whoever takes its records, and waits for more.
  ///
  /// It is a pull consumer of the stream that lives as long as this does. The place is kept here, not there: after anything that
  /// does not fit (a gap, no sign of life, a lost connection, a consumer that is gone) another consumer is made, from the next
  /// record on. At most two batches are held: for more is asked when half of one is left.
  final class Follower: CallbackTarget, ConnectionWatcher {
    struct State {
      var buffer: [ClusterRecord] = []
      /// How many of them were taken.
      var taken = 0
      /// Number of the record that comes next from the server.
      var next: Int
      /// Records that were asked for and did not come yet.
      var asked = 0
      var delivery: Delivery?
      var isResetting = false
      var failure: (any Error)?
      /// By numbers that their tasks know.
      var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
      /// When the server gave the last sign of life.
      var heard = ContinuousClock.now
      var isWatched = false
      /// Signs of life in a row that brought no record.
      var quietBeats = 0
      /// How often another consumer was made.
      var resets = 0
      /// What was missed last, and how often in a row.
      var gap = (at: -1, times: 0)
      /// The last record that came: the log had it.
      var last: Read?
    }

    /// What a consumer delivers to.
    struct Delivery: Sendable {
      let consumer: String
      let connection: NatsConnection
      let subscription: NatsSubscription
    }

    /// By what a record is known again: another one at its place has another time.
    struct Read: Sendable {
      let sequence: Int
      let timestamp: Timestamp
      let id: String?

      init(_ record: ClusterRecord) { (sequence, timestamp, id) = (record.sequence, record.timestamp, record.id) }

      func isSame(as record: ClusterRecord) -> Bool {
        record.sequence == sequence && record.timestamp == timestamp && record.id == id
      }
    }

    let access: LogAccess
    let state: Lock<State>

    static let batch = 256
    private static let heartbeat = Duration.milliseconds(500)
    private static let silence = heartbeat * 3
    /// How long one attempt to make a consumer may take.
    private static let patience = Duration.seconds(5)

    init(_ access: LogAccess, at sequence: Int) {
      self.access = access
      state = Lock(State(next: sequence))
      access.transport.watchers.add(self)
      reset()
    }

    deinit {
      access.transport.watchers.remove(ObjectIdentifier(self))
      // Nobody refers to it any more.
      if let delivery = state.withLock({ $0.delivery }) { Self.remove(delivery, access) }
    }

    private static func remove(_ delivery: Delivery, _ access: LogAccess) {
      access.transport.send(
        Outgoing(subject: "$JS.API.CONSUMER.DELETE.\(access.name.stream).\(delivery.consumer)"),
        through: delivery.connection)
    }

    /// How often another consumer was made: for tests.
    var resets: Int { state.withLock { $0.resets } }

    // MARK: Taking

    /// What a look for the next record finds.
    enum Look {
      case record(ClusterRecord)
      case nothing
      case failure(any Error)
      /// Somebody took other records meanwhile.
      case elsewhere
    }

    /// Takes the record of this number, if it has come.
    func take(at sequence: Int) -> Look {
      let (look, asks) = state.withLock { state in
        guard state.next - (state.buffer.count - state.taken) == sequence else { return (Look.elsewhere, false) }
        if state.taken < state.buffer.count {
          let record = state.buffer[state.taken]
          state.taken += 1
          if state.taken == state.buffer.count {
            state.buffer.removeAll(keepingCapacity: true)
            state.taken = 0
          }
          return (.record(record), wantsMore(state))
        }
        if let failure = state.failure { return (.failure(failure), false) }
        return (.nothing, wantsMore(state))
      }
      if asks { pull() }
      return look
    }

    /// Waits until there may be something to take at this place, or the deadline passed. Being cancelled ends it at once, and so
    /// does `wake`.
    func wait(at sequence: Int, until deadline: ContinuousClock.Instant?) async {
      let number = UInt64.random(in: .min ... .max)
      if let deadline { try? WorkThreads.shared.add(at: deadline) { [weak self] in self?.wake(number) } }
      await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
          let isWaiting = state.withLock { state in
            guard sequence == state.next, state.failure == nil, !Task.isCancelled else { return false }
            if let deadline, deadline <= .now { return false }
            state.waiters[number] = continuation
            return true
          }
          if !isWaiting { continuation.resume() }
        }
      } onCancel: {
        wake(number)
      }
    }

    private func wake(_ number: UInt64) {
      let waiter = state.withLock { $0.waiters.removeValue(forKey: number) }
      waiter?.resume()
    }

    /// Ends the waits of all.
    func wake() {
      let waiters = state.withLock { Self.takeWaiters(&$0) }
      for waiter in waiters { waiter.resume() }
    }

    private static func takeWaiters(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
      if state.waiters.isEmpty { return [] }
      defer { state.waiters = [:] }
      return Array(state.waiters.values)
    }

    /// Ends the reading: whoever takes or waits gets the error, after what has come.
    func fail(_ error: any Error) {
      let (waiters, delivery) = state.withLock { state in
        if state.failure == nil { state.failure = error }
        defer { state.delivery = nil }
        return (Self.takeWaiters(&state), state.delivery)
      }
      for waiter in waiters { waiter.resume() }
      if let delivery { Self.remove(delivery, access) }
    }

    // MARK: Asking

    /// Whether no more than half a batch is here or on its way: so that the next one comes without a pause.
    private func wantsMore(_ state: State) -> Bool {
      state.delivery != nil && !state.isResetting && state.failure == nil
        && state.asked + state.buffer.count - state.taken <= Self.batch / 2
    }

    private func pull() {
      let delivery = state.withLock { state -> Delivery? in
        guard wantsMore(state) else { return nil }
        state.asked += Self.batch
        state.heard = .now
        watch(&state)
        return state.delivery
      }
      guard let delivery else { return }
      access.transport.send(
        Outgoing(
          subject: "$JS.API.CONSUMER.MSG.NEXT.\(access.name.stream).\(delivery.consumer)",
          bytes: PullRequests.records(Self.batch, heartbeat: Self.heartbeat),
          replySubject: delivery.subscription.subject), through: delivery.connection)
    }

    /// Has it looked later whether the server is alive.
    private func watch(_ state: inout State) {
      if state.isWatched { return }
      let isBegun: Void? = try? WorkThreads.shared.add(at: .now + Self.heartbeat) { [weak self] in self?.look() }
      state.isWatched = isBegun != nil
    }

    private func look() {
      let isSilent = state.withLock { state in
        state.isWatched = false
        guard state.failure == nil, state.asked > 0, !state.isResetting else { return false }
        watch(&state)
        return .now - state.heard > Self.silence
      }
      if isSilent { reset() }
    }

    // MARK: What comes

    func received(_ message: NatsMessage) {
      let reply = Reply(message)
      if reply.status != 0 { return take(status: reply.status, reply.pending, message) }
      guard let place = DeliveryPlace(message.replySubject) else { return }
      let record = ClusterRecord(
        sequence: place.sequence, timestamp: place.timestamp, payload: message.payload, id: reply.id)
      let (waiters, isGap) = state.withLock { state -> ([CheckedContinuation<Void, Never>], Bool) in
        guard let delivery = current(state), place.consumer == delivery.consumer else { return ([], false) }
        state.heard = .now
        guard record.sequence == state.next else {
          // Asked for one that is not there yet, a consumer begins with the next one that comes.
          if record.sequence < state.next { state.asked = max(0, state.asked - 1) }
          return ([], record.sequence > state.next)
        }
        state.next += 1
        state.asked = max(0, state.asked - 1)
        state.last = Read(record)
        state.quietBeats = 0
        state.gap = (-1, 0)
        state.buffer.append(record)
        return (Self.takeWaiters(&state), false)
      }
      access.noteCount(record.sequence + 1)
      for waiter in waiters { waiter.resume() }
      if isGap { reset() }
    }

    /// The consumer of now, from which alone anything is taken: what older ones sent may still be on its way.
    private func current(_ state: State) -> Delivery? {
      state.isResetting || state.failure != nil ? nil : state.delivery
    }

    private func take(status: Int, _ pending: Int?, _ message: NatsMessage) {
      enum Consequence { case none, pull, reset, compare(Int) }
      let consequence = state.withLock { state -> Consequence in
        guard current(state)?.subscription.subject == message.subject else { return .none }
        state.heard = .now
        switch status {
        // A heartbeat.
        case 100:
          state.quietBeats += 1
          return .compare(state.quietBeats)
        // A request has run out, with so many records that did not come.
        case 404, 408:
          state.asked = max(0, state.asked - (pending ?? state.asked))
          return .pull
        // The consumer or its leader is gone, or nobody is there.
        default: return .reset
        }
      }
      switch consequence {
      case .none: break
      case .pull: pull()
      case .reset: reset()
      case .compare(let beats): compare(after: beats)
      }
    }

    func connectionWasLost() {
      if access.isClosed { lookForClosing() } else { reset() }
    }

    func lookForClosing() {
      if access.isClosed { fail(ImmutaError.storageClosed.of(access.namespace)) }
    }

    // MARK: Another consumer

    func reset() {
      let old: Delivery?? = state.withLock { state in
        if state.isResetting || state.failure != nil { return nil }
        state.isResetting = true
        state.resets += 1
        defer { state.delivery = nil }
        return .some(state.delivery)
      }
      guard let old else { return }
      if let old { Self.remove(old, access) }
      Task { [weak self] in
        var attempts = Attempts(until: .now + .seconds(365 * 86_400))
        while let follower = self, await !follower.begin() { try? await attempts.rest() }
      }
    }

    /// Makes a consumer and asks for records; true where it is there, or where none ever will be.
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

    /// Throws where the log has lost records that this has read, and where the one that comes next is missing while others are there.
    private func checkEnd(_ last: Read) async throws {
      let next = last.sequence + 1
      let time = Shortfall.timeOfReading
      let stream = try await access.describe(
        comparedTo: next, believedAfter: time, until: .now + time + Self.patience)
      if stream.count < next {
        throw ImmutaError.positionBeyondEnd(position: next, count: stream.count).of(access.namespace)
      }
      // Others may have been appended in place of those that were lost.
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
