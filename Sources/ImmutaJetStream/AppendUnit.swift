#if JetStream
  import Immuta
  import ImmutaLocking

  /// Where records were put.
  struct Appended: Hashable, Sendable {
    let sequences: Range<Int>
    let id: String
  }

  /// What one call appends: a record, or several that are stored whole or not at all. It has one outcome, the first.
  final class AppendUnit: Sendable {
    typealias Outcome = Result<Appended, any Error>

    let payloads: [[UInt8]]
    /// By which it is appended; nil: by one that it gets when it is sent.
    let id: String?
    /// How many records the log must have; nil for any number.
    let expecting: Int?
    let deadline: ContinuousClock.Instant
    let bytes: Int

    private struct State {
      /// What may be stored, though nobody knows.
      var sent: UnknownAppend?
      var outcome: Outcome?
      var whenOver: (@Sendable (Outcome) -> Void)?
    }

    private let state = Lock(State())

    init(_ payloads: [[UInt8]], id: String?, expecting: Int?, deadline: ContinuousClock.Instant) {
      self.payloads = payloads
      self.id = id
      self.expecting = expecting
      self.deadline = deadline
      bytes = payloads.reduce(0) { $0 + $1.count }
    }

    /// The header's id of one of its records.
    static func id(_ id: String, _ place: Int, of count: Int) -> String { count == 1 ? id : "\(id)/\(place)" }

    /// Where it was stored; nil where it was not, or nobody knows yet.
    var appended: Appended? { state.withLock { try? $0.outcome?.get() } }

    var isOver: Bool { state.withLock { $0.outcome != nil } }

    /// Calls `body` with the outcome, once: now, or when there is one.
    func whenOver(_ body: @escaping @Sendable (Outcome) -> Void) {
      let outcome = state.withLock { state in
        if state.outcome == nil { state.whenOver = body }
        return state.outcome
      }
      if let outcome { body(outcome) }
    }

    /// It is about to be sent; false where it is over already.
    func markSent(_ append: UnknownAppend) -> Bool {
      state.withLock { state in
        if state.outcome != nil { return false }
        state.sent = append
        return true
      }
    }

    /// It is known that it is not stored, and will not be.
    func markRefused() {
      state.withLock { $0.sent = nil }
    }

    func complete(_ appended: Appended) {
      end { _ in .success(appended) }
    }

    /// Nothing more is tried for it. Where it may be stored, that is its outcome, and not the error.
    func giveUp(_ error: any Error) {
      end { sent in
        guard let sent else { return .failure(error) }
        let reason = error is CancellationError ? "the task was cancelled before an answer came" : "\(error)"
        return .failure(ImmutaError.outcomeUnknown(sent, reason: reason))
      }
    }

    private func end(_ outcome: (UnknownAppend?) -> Outcome) {
      let call: ((@Sendable (Outcome) -> Void), Outcome)? = state.withLock { state in
        if state.outcome != nil { return nil }
        let outcome = outcome(state.sent)
        state.outcome = outcome
        defer { state.whenOver = nil }
        return state.whenOver.map { ($0, outcome) }
      }
      if let (body, outcome) = call { body(outcome) }
    }

    /// Waits for the outcome. Being cancelled ends it at once.
    func value() async throws -> Appended {
      let outcome = await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in whenOver { continuation.resume(returning: $0) } }
      } onCancel: {
        giveUp(CancellationError())
      }
      return try outcome.get()
    }
  }
#endif
