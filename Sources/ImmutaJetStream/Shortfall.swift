#if JetStream
  /// For how long a log's leader has said that the log has fewer records than it may have.
  ///
  /// For some seconds two servers may think that they lead, and the one that was cut off has fewer records. So nobody is believed
  /// at once: the leader must say so again and again for a while, and have heard of most other servers each time. A server that
  /// is with the others again, and still answers as the leader, hears of the new one within that time.
  struct Shortfall: Sendable {
    /// How long it takes to believe it: for a call that somebody waits for, and for a reading that ends by it.
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
