#if JetStream
  import Immuta
  import ImmutaLibC
  import ImmutaLocking

  /// Has a consumer for as long as it lives: keeps its position on the cluster, and renews that it is had.
  ///
  /// One change is on its way at a time; moves that come meanwhile share the next one.
  final class MarkKeeper: Sendable {
    /// How long it is had after the last sign of life.
    static let lease = Duration.seconds(10)
    private static let renewal = Duration.seconds(3)
    /// How long releasing may take: others get the consumer in any case.
    private static let releaseTime = Duration.seconds(3)

    private struct State {
      var mark: ConsumerMark
      var revision: Int
      /// Where it is to be.
      var wanted: Int
      /// Counts the moves; and up to which of them the cluster has them.
      var asked = 0
      var done = 0
      var isWriting = false
      var isReleased = false
      /// Why it is not had any more.
      var loss: ImmutaError?
      /// Tasks that wait for a move to be done, by numbers that the tasks know.
      var waiters: [UInt64: (move: Int, continuation: CheckedContinuation<Result<Void, any Error>, Never>)] = [:]
      var whenLost: (@Sendable () -> Void)?
    }

    private let name: String
    let access: LogAccess
    private let store: MarkStore
    private let state: Lock<State>

    private init(_ name: String, _ store: MarkStore, _ mark: ConsumerMark, revision: Int) {
      self.name = name
      self.store = store
      access = store.access
      state = Lock(State(mark: mark, revision: revision, wanted: mark.position))
      renew()
    }

    /// The position that the cluster has.
    var position: Int { state.withLock { $0.mark.position } }

    func whenLost(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.whenLost = body } }

    func checkHeld() throws(ImmutaError) {
      if let loss = state.withLock({ $0.loss }) { throw loss }
    }

    // MARK: Taking it

    /// Takes a consumer; makes it where there is none.
    static func take(
      _ name: String, of access: LogAccess, startingAt start: StreamPosition, creating: Bool, replicas: Int
    ) async throws -> MarkKeeper {
      let deadline = access.deadline
      let store = MarkStore(access: access)
      let owner = AppendID.next()
      while true {
        var message: ClusterRecord?
        do {
          message = try await store.message(of: name, until: deadline)
        } catch let refusal as ServerRefusal where refusal.isNoStream {
          // The log's own may be what is gone.
          _ = try await access.describe(until: deadline)
          guard creating else { throw ImmutaError.consumerNotFound(name) }
          try await store.create(replicas: replicas, until: deadline)
        }
        let kept = try store.kept(message, name)
        if kept == nil, !creating { throw ImmutaError.consumerNotFound(name) }
        let position: Int
        if let kept {
          try await checkFree(kept, name, store, until: deadline)
          position = try await checked(kept.mark, access, until: deadline)
        } else {
          position = try await access.placeThatExists(start, until: deadline).sequence
        }
        let mark = ConsumerMark(
          identity: access.identity, position: position, owner: owner, process: Int(getpid()),
          since: Int(Timestamp.now.nanosecondsSince1970))
        if case .revision(let revision) = try await store.write(
          mark, of: name, replacing: message.map { $0.sequence + 1 } ?? 0, until: deadline)
        {
          return MarkKeeper(name, store, mark, revision: revision)
        }
        // Another process was faster: look which.
      }
    }

    /// Throws `.consumerInUse` if another process has it.
    static func checkFree(
      _ kept: MarkStore.Kept, _ name: String, _ store: MarkStore, until deadline: ContinuousClock.Instant
    ) async throws {
      guard kept.mark.owner != nil else { return }
      // Both by the servers' clocks.
      if let now = try await store.now(until: deadline),
        now.nanosecondsSince1970 - kept.time.nanosecondsSince1970 > Int64(lease / .nanoseconds(1))
      {
        return
      }
      throw inUse(kept.mark, name, store.access)
    }

    private static func inUse(_ mark: ConsumerMark?, _ name: String, _ access: LogAccess) -> ImmutaError {
      .consumerInUse(
        ConsumerOwner(
          consumer: name, namespace: access.namespace, processID: mark?.process.flatMap { Int32(exactly: $0) },
          since: mark?.since.map { Timestamp(nanosecondsSince1970: Int64($0)) }))
    }

    private static func checked(
      _ mark: ConsumerMark, _ access: LogAccess, until deadline: ContinuousClock.Instant
    ) async throws -> Int {
      guard mark.identity == access.identity else {
        throw ImmutaError.foreignPosition(expected: mark.identity, found: access.identity)
      }
      try await access.check(position: mark.position, until: deadline)
      return mark.position
    }

    // MARK: Moving it

    /// Moves it, and returns when the cluster has that. Being cancelled ends the wait at once.
    func move(to position: Int, isSeek: Bool) async throws {
      let number = UInt64.random(in: .min ... .max)
      let result = await withTaskCancellationHandler {
        await withCheckedContinuation { (continuation: CheckedContinuation<Result<Void, any Error>, Never>) in
          let (now, starts) = state.withLock { state -> (Result<Void, any Error>?, Bool) in
            if let loss = state.loss { return (.failure(loss), false) }
            if state.isReleased { return (.failure(ImmutaError.consumerClosed(name).of(access.namespace)), false) }
            if Task.isCancelled { return (.failure(CancellationError()), false) }
            if !isSeek, position <= state.mark.position, state.done == state.asked { return (.success(()), false) }
            if isSeek || position > state.wanted { state.wanted = position }
            state.asked += 1
            state.waiters[number] = (state.asked, continuation)
            defer { state.isWriting = true }
            return (nil, !state.isWriting)
          }
          if let now { continuation.resume(returning: now) }
          if starts { Task { await self.write() } }
        }
      } onCancel: {
        let waiter = state.withLock { $0.waiters.removeValue(forKey: number) }
        waiter?.continuation.resume(returning: .failure(CancellationError()))
      }
      try result.get()
    }

    private func write() async {
      while true {
        let next = state.withLock { state -> (ConsumerMark, Int, Int)? in
          guard state.loss == nil, state.done < state.asked else {
            state.isWriting = false
            return nil
          }
          var mark = state.mark
          mark.position = state.wanted
          mark.change += 1
          if state.isReleased { mark.owner = nil }
          return (mark, state.revision, state.asked)
        }
        guard let (mark, revision, move) = next else { return }
        do {
          let deadline = mark.owner == nil ? .now + Self.releaseTime : access.deadline
          switch try await store.write(mark, of: name, replacing: revision, until: deadline) {
          case .revision(let revision):
            finish(through: move, .success(())) { state in
              state.mark = mark
              state.revision = revision
            }
          case .refused: try await lookAgain()
          }
        } catch {
          // Whether it was written is found out by the next one.
          finish(through: move, .failure(access.error(error))) { _ in }
        }
      }
    }

    /// Another change is stored: from a write of this process that it considered lost, or from another process.
    private func lookAgain() async throws {
      let kept = try await store.read(name, until: access.deadline)
      let owner = state.withLock { $0.mark.owner }
      if let kept, kept.mark.owner == owner || kept.mark.owner == nil && state.withLock({ $0.isReleased }) {
        return state.withLock { $0.revision = kept.revision }
      }
      let loss = MarkKeeper.inUse(kept?.mark, name, access)
      let body = state.withLock { state in
        state.loss = loss
        return state.whenLost
      }
      finish(through: .max, .failure(loss)) { _ in }
      body?()
    }

    private func finish(through move: Int, _ result: Result<Void, any Error>, _ change: @Sendable (inout State) -> Void)
    {
      let waiters = state.withLock { state in
        change(&state)
        state.done = max(state.done, min(move, state.asked))
        let done = state.waiters.filter { $0.value.move <= move }
        for number in done.keys { state.waiters[number] = nil }
        return done.values.map(\.continuation)
      }
      for waiter in waiters { waiter.resume(returning: result) }
    }

    // MARK: Renewing and letting go

    private func renew() {
      try? WorkThreads.shared.add(at: .now + Self.renewal) { [weak self] in
        guard let self, !access.isClosed else { return }
        let (goesOn, starts) = state.withLock { state in
          if state.isReleased || state.loss != nil { return (false, false) }
          state.asked += 1
          defer { state.isWriting = true }
          return (true, !state.isWriting)
        }
        if starts { Task { await self.write() } }
        if goesOn { renew() }
      }
    }

    /// Lets others have it. Idempotent.
    func release() async throws {
      let isHeld = state.withLock { state in
        if state.isReleased || state.loss != nil { return false }
        state.isReleased = true
        return true
      }
      guard isHeld, !access.transport.isClosed else { return }
      do { try await settle() } catch let error as ImmutaError {
        if case .consumerInUse = error { return }
        throw error
      }
    }

    /// Writes once more, now that nobody has it.
    private func settle() async throws {
      let result = await withCheckedContinuation {
        (continuation: CheckedContinuation<Result<Void, any Error>, Never>) in
        let (loss, starts) = state.withLock { state -> (ImmutaError?, Bool) in
          if let loss = state.loss { return (loss, false) }
          state.asked += 1
          state.waiters[.random(in: .min ... .max)] = (state.asked, continuation)
          defer { state.isWriting = true }
          return (nil, !state.isWriting)
        }
        if let loss { continuation.resume(returning: .failure(loss)) }
        if starts { Task { await self.write() } }
      }
      try result.get()
    }
  }
#endif
