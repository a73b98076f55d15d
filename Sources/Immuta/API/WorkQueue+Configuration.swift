extension WorkQueue {
  /// How a work queue deals with its jobs. The queue does not remember it: each time it is opened, that one counts.
  public struct Configuration: Sendable {
    /// For how long a worker has a job: then it is given to another one, unless the worker has acknowledged it, or has extended
    /// its lease. More than zero. Default: 30 seconds.
    public var lease: Duration

    /// How often a job is given to workers: after that it goes to the dead letters. At least 1. Default: nil, until somebody
    /// acknowledges it. Needs ``deadLetters``.
    public var maximumDeliveries: Int?

    /// The log that gets what was given too often, or was rejected, as ``DeadLetter`` says. It is open for appending, and another one
    /// than the queue's. Default: nil.
    public var deadLetters: Log?

    /// When a job may be given to a worker, as its record says; nil for at once. Default: nil, all at once.
    ///
    /// It is asked when a record is read for the first time since the queue was opened, so it must say the same of the same
    /// record each time. It must not call the queue. A job that is not due takes 16 bytes of memory until it is.
    public var due: (@Sendable (Record) -> Timestamp?)?

    /// After how many events the state log begins a segment with a summary.
    package var eventsOfASegment = 65_536

    /// A configuration; what is left out is as its property says.
    public init(
      lease: Duration = .seconds(30), maximumDeliveries: Int? = nil, deadLetters: Log? = nil,
      due: (@Sendable (Record) -> Timestamp?)? = nil
    ) {
      self.lease = lease
      self.maximumDeliveries = maximumDeliveries
      self.deadLetters = deadLetters
      self.due = due
    }

    /// Throws `.invalidConfiguration`, and `.readOnly` of the dead letters.
    func check(for log: Log) throws(ImmutaError) {
      if lease <= .zero { throw .invalidConfiguration("a work queue's lease is \(lease); it must be more than zero") }
      if let most = maximumDeliveries {
        if most < 1 { throw .invalidConfiguration("maximumDeliveries is \(most); it must be at least 1") }
        if deadLetters == nil {
          throw .invalidConfiguration(
            "maximumDeliveries is set without deadLetters, which get what was given that often")
        }
      }
      guard let deadLetters else { return }
      if deadLetters.open === log.open {
        throw .invalidConfiguration("the dead letters of a work queue would be its jobs: give them another log")
      }
      _ = try deadLetters.openWriter()
    }
  }
}
