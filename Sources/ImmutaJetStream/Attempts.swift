#if JetStream
  import Immuta

  /// The time that a call has, and the pauses between its attempts.
  struct Attempts: Sendable {
    let deadline: ContinuousClock.Instant
    private var pause = Duration.milliseconds(10)
    /// What the last attempt came to.
    var reason = "no server answered in time"

    private static let longestPause = Duration.milliseconds(250)

    init(until deadline: ContinuousClock.Instant) {
      self.deadline = deadline
    }

    /// How long the next attempt may take: nil where the time is over.
    func time(atMost limit: Duration) -> Duration? {
      let left = deadline - .now
      return left > .zero ? min(left, limit) : nil
    }

    /// Waits a little before the next attempt.
    ///
    /// - Throws: `CancellationError`.
    mutating func rest() async throws {
      // Not all at the same moment.
      let time = min(pause * Double.random(in: 0.5...1), deadline - .now)
      pause = min(pause * 2, Self.longestPause)
      if time > .zero { try await Task.sleep(for: time) } else { try Task.checkCancellation() }
    }
  }
#endif
