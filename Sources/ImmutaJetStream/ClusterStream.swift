#if JetStream
  public import Immuta

  /// The records of a log on a cluster, in order, each once: those that exist, then those to come. What
  /// ``ClusterLog/stream(from:)`` gives.
  ///
  /// It reads ahead as many records as make 1.5 MiB, if they are as large as the ones before; 24 at least and 1,536 at most. So a
  /// slow reader holds up nobody. Whatever happens to servers and connections, it goes on with the record that comes next,
  /// without a gap and without a repeat.
  ///
  /// A stream is a value, and copies go their own ways: of two that read on from the same place, both get all records. It ends
  /// only by an error: `CancellationError` when its task is cancelled, at once; `.storageClosed` when the log or its cluster is closed;
  /// `.recordRemoved`, `.logChanged` and `.positionBeyondEnd` where somebody removed records, or the log. While the cluster cannot
  /// be reached it waits.
  public struct ClusterStream: LogStream {
    /// What a stream delivers.
    public typealias Element = ClusterRecord
    /// `CancellationError` and `ImmutaError`.
    public typealias Failure = any Error

    private enum Place: Sendable {
      /// What the first `next()` finds out.
      case unsettled(StreamPosition)
      case at(RecordPlace)
    }

    private let access: LogAccess
    private var place: Place
    /// Shared with copies, for as long as they are at the same place.
    private var follower: Follower?

    init(_ access: LogAccess, _ position: StreamPosition) {
      self.access = access
      if case .skipping(let count) = position {
        precondition(count >= 0, "a stream cannot skip \(count) records")
        place = .at(RecordPlace(sequence: count))
      } else {
        place = .unsettled(position)
      }
    }

    /// The stream itself, from its place on. O(1).
    public func makeAsyncIterator() -> ClusterStream { self }

    /// The next record, waiting for it if need be; never nil.
    ///
    /// - Throws: `CancellationError`, `.storageClosed`, `.recordRemoved`, `.logChanged`, `.positionBeyondEnd`, `.undecodable`; the
    ///   first call also `.foreignPosition`, `.invalidPosition`, and `.unavailable` where the place cannot be found out.
    public mutating func next() async throws -> ClusterRecord? { try await take(until: nil) }

    /// The next record, on the caller's actor: what a `for try await` loop calls.
    public mutating func next(isolation actor: isolated (any Actor)?) async throws -> ClusterRecord? {
      try await take(until: nil)
    }

    /// The next record, or nil when none came in time. A timeout of zero or less takes a record that was read ahead.
    ///
    /// - Throws: as `next()`.
    public mutating func next(timeout: Duration) async throws -> ClusterRecord? {
      try await take(until: .now + timeout)
    }

    private mutating func take(until deadline: ContinuousClock.Instant?) async throws -> ClusterRecord? {
      while true {
        try Task.checkCancellation()
        try access.checkOpen()
        guard let place = try await settled(until: deadline) else { return nil }
        let reading = follower ?? Follower(access, at: place.sequence)
        follower = reading
        switch reading.take(at: place.sequence) {
        case .elsewhere: follower = nil
        case .failure(let error):
          // The next call tries again.
          follower = nil
          throw error
        case .record(let record):
          do throws(ImmutaError) {
            let decoded = try access.decoded(record)
            self.place = .at(RecordPlace(sequence: place.sequence + 1, notBefore: place.notBefore))
            if let time = place.notBefore, record.timestamp < time { continue }
            self.place = .at(RecordPlace(sequence: place.sequence + 1))
            return decoded
          } catch {
            // It stays the next one.
            follower = nil
            throw error
          }
        case .nothing:
          if let deadline, deadline <= .now { return nil }
          await reading.wait(at: place.sequence, until: deadline)
        }
      }
    }

    /// Where the stream is; nil where that could not be found out in time.
    private mutating func settled(until deadline: ContinuousClock.Instant?) async throws -> RecordPlace? {
      switch place {
      case .at(let place): return place
      case .unsettled(let position):
        do {
          let found = try await access.place(
            of: position, until: Swift.min(access.deadline, deadline ?? access.deadline))
          place = .at(found)
          return found
        } catch let error as ImmutaError {
          guard case .unavailable = error, let deadline, deadline <= .now else { throw error }
          return nil
        }
      }
    }
  }
#endif
