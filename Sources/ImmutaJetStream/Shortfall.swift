#if JetStream
  /// For how long a log's leader has said that the log has fewer records than it may have.
  ///
  /// For some seconds two servers may think that they lead, and the one that was cut off has fewer records. So one answer is not
  /// enough: the leader must say so again and again for a while, and must have heard from most other servers each time. A server
  /// that was cut off and is connected again learns of the new leader within that time.
  struct Shortfall: Sendable {
    /// How long it must last to count: for a call that a caller waits for, and for a stream that ends by it.
    static let timeOfCall = Duration.seconds(2)
    static let timeOfReading = Duration.seconds(10)

    let needed: Int
    private let time: Duration
    private var since: ContinuousClock.Instant?

    init(of needed: Int, believedAfter time: Duration) {
      self.needed = needed
      self.time = time
    }

    /// Whether the log has fewer records for certain, now that a server says this of it.
    mutating func isCertain(_ stream: StreamDescription, at now: ContinuousClock.Instant = .now) -> Bool {
      guard stream.count < needed, stream.isOfLeader else {
        since = nil
        return false
      }
      // Nobody else can lead it.
      if stream.replicas == 1 { return true }
      let first = since ?? now
      since = first
      return now - first >= time
    }
  }
#endif
