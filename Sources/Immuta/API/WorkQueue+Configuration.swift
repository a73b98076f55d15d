extension WorkQueue {
  /// How a work queue deals with its jobs. The queue does not save it: the configuration given at each opening counts.
  public struct Configuration: Sendable {
    /// For how long a worker has a job. After that the job goes to another worker, unless the first has acknowledged it or
    /// extended its lease. More than zero. Default: 30 seconds.
    public var lease: Duration

    /// How often a job is given to workers before it goes to the dead letters. At least 1. Default: nil, as often as it takes
    /// until it is acknowledged. Needs ``deadLetters``.
    public var maximumDeliveries: Int?

    /// The log that gets jobs that were given too often, or were rejected, as ``DeadLetter`` says. It must be open for appending,
    /// and not be the queue's own log. Default: nil.
    public var deadLetters: Log?

    /// When a job may be given to a worker, as its record says; nil for at once. Default: nil, all at once.
    ///
    /// It is called when a record is read for the first time since the queue was opened, so it must return the same for the same
    /// record each time. It must not call the queue. A job that is not due takes 16 bytes of memory until it is.
    public var due: (@Sendable (Record) -> Timestamp?)?

    /// After how many events the state log begins a new segment with a summary.
    package var eventsOfASegment = 65_536

    /// A configuration; arguments that are left out have the defaults of their properties.
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
