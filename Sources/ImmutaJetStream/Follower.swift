#if JetStream
  import Immuta
  import ImmutaLocking

  /// Reads a log in order, ahead of the tasks that take its records, and waits for more.
  ///
  /// It is a pull consumer of the stream that lives as long as this does. The place is kept here, not there: after anything that
  /// does not fit (a gap, no sign of life, a lost connection, a consumer that is gone) another consumer is made, from the next
  /// record on. At most a batch and a half are held: for more is asked when half of one is here or on its way.
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
      /// How many tasks have begun to wait.
      var waits: UInt64 = 0
      /// When the server gave the last sign of life.
      var heard = ContinuousClock.now
      var isWatched = false
      /// Signs of life in a row that brought no record.
      var quietBeats = 0
      /// How often another consumer was made.
      var resets = 0
      /// The record that was missed last, and how often in a row.
      var gap = (at: -1, times: 0)
      /// How many bytes records have, about, and the newest of them the most.
      var averageSize = 4096
      /// The last record that came: the log had it.
      var last: ClusterRecord?
    }

    /// What a consumer delivers to.
    struct Delivery: Sendable {
      let consumer: String
      let connection: NatsConnection
      let subscription: NatsSubscription
    }

    let access: LogAccess
    let state: Lock<State>

    /// How many bytes are asked for at once, about: enough that the servers do not wait for this, and a little of memory.
    private static let batchBytes = 1 << 20
    /// How many records are.
    private static let batchRecords = 16...1024
    /// How many records a waiting task gets at once, if more are coming.
    private static let mostAwaited = 64
    private static let heartbeat = Duration.milliseconds(500)
    private static let silence = heartbeat * 3
    /// How long one attempt to make a consumer may take.
    static let patience = Duration.seconds(5)

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

    static func remove(_ delivery: Delivery, _ access: LogAccess) {
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
      /// Another task took other records meanwhile.
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
      let number = state.withLock { state in
        state.waits += 1
        return state.waits
      }
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

    /// The waiting tasks, if there is something to take. While more records have come that this has not got yet, they go on
    /// waiting: resuming costs more than a record, so they take many at once.
    private static func takeServed(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
      let ready = state.buffer.count - state.taken
      if state.waiters.isEmpty || ready == 0 { return [] }
      if ready < mostAwaited, let delivery = state.delivery, delivery.subscription.pending > 0 { return [] }
      return takeWaiters(&state)
    }

    /// For when what was still to come was no record.
    func resumeServed() {
      let waiters = state.withLock { Self.takeServed(&$0) }
      for waiter in waiters { waiter.resume() }
    }

    private static func takeWaiters(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
      if state.waiters.isEmpty { return [] }
      defer { state.waiters = [:] }
      return Array(state.waiters.values)
    }

    /// Ends the reading: tasks that take or wait get the error, after the records that have come.
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
        && state.asked + state.buffer.count - state.taken <= batch(state) / 2
    }

    /// How many records are asked for at once.
    private func batch(_ state: State) -> Int {
      let count = Self.batchBytes / max(1, state.averageSize)
      return min(max(count, Self.batchRecords.lowerBound), Self.batchRecords.upperBound)
    }

    func pull() {
      let (delivery, count) = state.withLock { state -> (Delivery?, Int) in
        guard wantsMore(state) else { return (nil, 0) }
        let count = batch(state)
        state.asked += count
        state.heard = .now
        watch(&state)
        return (state.delivery, count)
      }
      guard let delivery else { return }
      access.transport.send(
        Outgoing(
          subject: "$JS.API.CONSUMER.MSG.NEXT.\(access.name.stream).\(delivery.consumer)",
          bytes: PullRequests.records(count, heartbeat: Self.heartbeat),
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
      // Nothing else can be a status, and to look for one takes long.
      if message.size == 0 {
        let reply = Reply(message)
        if reply.status != 0 { return takeStatus(reply) }
      }
      let (count, waiters, isGap) = state.withLock { state -> (Int?, [CheckedContinuation<Void, Never>], Bool) in
        guard let delivery = current(state), let place = message.place(from: delivery.consumer) else {
          return (nil, [], false)
        }
        state.heard = .now
        guard place.sequence == state.next else {
          // Asked for one that is not there yet, a consumer begins with the next one that comes.
          if place.sequence < state.next { state.asked = max(0, state.asked - 1) }
          // Tasks that wait for more records get the ones that are here.
          return (place.sequence + 1, Self.takeServed(&state), place.sequence > state.next)
        }
        let record = ClusterRecord(message, at: place)
        state.next += 1
        state.asked = max(0, state.asked - 1)
        state.averageSize += (record.payload.count - state.averageSize) / 16
        state.last = record
        state.quietBeats = 0
        state.gap = (-1, 0)
        state.buffer.append(record)
        return (place.sequence + 1, Self.takeServed(&state), false)
      }
      if let count { access.noteCount(count) }
      for waiter in waiters { waiter.resume() }
      if isGap { reset() }
    }

    /// The consumer of now, from which alone anything is taken: what older ones sent may still be on its way.
    private func current(_ state: State) -> Delivery? {
      state.isResetting || state.failure != nil ? nil : state.delivery
    }

    private func takeStatus(_ reply: Reply) {
      enum Consequence { case none, pull, reset, compare(Int) }
      let consequence = state.withLock { state -> Consequence in
        guard current(state)?.subscription.subject == reply.message.subject else { return .none }
        state.heard = .now
        switch reply.status {
        // A heartbeat.
        case 100:
          state.quietBeats += 1
          return .compare(state.quietBeats)
        // A request has run out, with so many records that did not come.
        case 404, 408:
          state.asked = max(0, state.asked - (reply.pending ?? state.asked))
          return .pull
        // The consumer or its leader is gone, or nobody answers.
        default: return .reset
        }
      }
      resumeServed()
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
  }
#endif
