#if JetStream
  import Immuta
  import ImmutaLocking

  /// Appends many records in order, each once, without waiting for one before it sends the next: what
  /// ``ClusterLog/appender(window:expecting:)`` gives.
  ///
  /// ```swift
  /// let appender = log.appender()
  /// for line in lines { try await appender.append(line) }
  /// try await appender.finish()                     // all of them are stored
  /// ```
  ///
  /// Records are stored in the order in which they were given, from the first on and without a gap. Records of other
  /// writers may lie between them. Once one cannot be appended, none after it is, and every later call throws why. Calls from several tasks are served one after the other.
  public final class ClusterAppender: Sendable {
    /// The most records that are not acknowledged at a time.
    public let window: Int

    private struct State {
      var outstanding = 0
      var stored = 0
      var last: Appended?
      var failure: (any Error)?
      var next: Int?
      /// Tasks that wait for room, and tasks that wait for the end, by numbers that the tasks know.
      var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
      var lastWaiter: UInt64 = 0
    }

    private let access: LogAccess
    private let line: AppendLine
    private let state: Lock<State>

    init(_ access: LogAccess, window: Int, expecting count: Int?) {
      precondition(window >= 1, "a window of \(window) records lets none pass")
      self.window = window
      self.access = access
      // Half of it is collected while the other half is on its way.
      line = AppendLine(access, most: max(1, window / 2), isOrdered: true)
      state = Lock(State(next: count))
    }

    deinit { line.close(ImmutaError.storageClosed.of(access.namespace)) }

    /// How many of its records are stored. O(1).
    public var storedCount: Int { state.withLock { $0.stored } }

    /// Gives a record to be appended: bytes. Returns as soon as there is room in the window, which is before the record is stored.
    ///
    /// - Parameters:
    ///   - bytes: the payload.
    ///   - id: by which the record is appended; others must not have it. Nil: one is drawn.
    /// - Throws: what kept an earlier record from being appended; `.recordTooLarge`, `.storageClosed`, `CancellationError`, and the
    ///   record is not appended then.
    public func append(_ bytes: some Collection<UInt8>, id: String? = nil) async throws {
      try access.checkOpen()
      try access.check(id: id)
      let payload = Array(bytes)
      try access.check(size: payload.count)
      let limit = window
      try await wait { $0.outstanding < limit }
      let unit: AppendUnit = try state.withLock { state in
        if let failure = state.failure { throw failure }
        state.outstanding += 1
        let expecting = state.next
        state.next = expecting.map { $0 + 1 }
        let unit = AppendUnit([payload], id: id, expecting: expecting, deadline: access.deadline)
        // Within the lock: in the order of the numbers that they expect.
        line.add(unit)
        return unit
      }
      unit.whenOver { [weak self] in self?.note($0) }
    }

    /// Gives a record to be appended: text, as UTF-8. Otherwise as for bytes.
    public func append(_ text: some StringProtocol, id: String? = nil) async throws {
      try await append(Array(text.utf8), id: id)
    }

    /// Waits until all that was given is stored.
    ///
    /// - Returns: where the last one is; nil where nothing was appended.
    /// - Throws: what kept a record from being appended; of one that may be stored `.outcomeUnknown`; `CancellationError`.
    @discardableResult
    public func finish() async throws -> ClusterReceipt? {
      line.flush()
      try await wait { $0.outstanding == 0 }
      return try state.withLock { state in
        if let failure = state.failure { throw failure }
        return state.last.map { ClusterReceipt(sequence: $0.sequences.upperBound - 1, id: $0.id) }
      }
    }

    private func note(_ outcome: AppendUnit.Outcome) {
      let waiters = state.withLock { state in
        state.outstanding -= 1
        switch outcome {
        case .success(let appended):
          state.stored += appended.sequences.count
          if appended.sequences.upperBound > state.last?.sequences.upperBound ?? 0 { state.last = appended }
        // The first one's outcome says most.
        case .failure(let error): if state.failure == nil { state.failure = error }
        }
        defer { state.waiters = [:] }
        return state.waiters.values
      }
      for waiter in waiters { waiter.resume() }
    }

    /// Waits until something holds, or nothing more can be appended.
    private func wait(_ holds: @Sendable (State) -> Bool) async throws {
      while true {
        try Task.checkCancellation()
        // Mostly at once: a continuation may cost two changes of the thread.
        let number: UInt64? = state.withLock { state in
          if Self.isOver(state, holds) { return nil }
          state.lastWaiter += 1
          return state.lastWaiter
        }
        guard let number else { return }
        await withTaskCancellationHandler {
          await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let waits = state.withLock { state in
              if Self.isOver(state, holds) || Task.isCancelled { return false }
              state.waiters[number] = continuation
              return true
            }
            if !waits { continuation.resume() }
          }
        } onCancel: {
          let waiter = state.withLock { $0.waiters.removeValue(forKey: number) }
          waiter?.resume()
        }
      }
    }

    private static func isOver(_ state: State, _ holds: (State) -> Bool) -> Bool {
      holds(state) || state.failure != nil && state.outstanding == 0
    }
  }
#endif
