#if JetStream
  import Immuta
  import ImmutaJetStream

  /// The records of a log of a cluster, to be printed: by a stream, or by a consumer.
  struct ClusterRecords: PrintableStream {
    /// What gives the next record: nil where none came in time, or at all if that is not limited.
    private let take: (Duration?) async throws -> ClusterRecord?
    private let note: (ClusterRecord) async throws -> Void
    /// The log has at least so many records: wait for them, as they are on their way.
    private let count: Int
    /// The number of the record that comes next; nil before the first one, where that is not known.
    private var position: Int?

    /// - Parameter position: where the stream begins, if that is known. Otherwise there is a record at least.
    init(_ stream: ClusterStream, at position: Int?, count: Int) {
      let stream = Place(stream)
      take = { timeout in
        if let timeout { try await stream.stream.next(timeout: timeout) } else { try await stream.stream.next() }
      }
      note = { _ in }
      (self.position, self.count) = (position, count)
    }

    init(_ consumer: ClusterConsumer, count: Int) {
      take = { timeout in
        if let timeout { try await consumer.next(timeout: timeout) } else { try await consumer.next() }
      }
      note = { try await consumer.acknowledge($0) }
      (position, self.count) = (consumer.position, count)
    }

    private final class Place {
      var stream: ClusterStream
      init(_ stream: ClusterStream) { self.stream = stream }
    }

    /// Whether all records were printed that there were when it began.
    var isAtEnd: Bool { position.map { $0 >= count } ?? false }

    /// How many of them are left; nil if that is not known.
    var left: Int? { position.map { max(0, count - $0) } }

    mutating func nextAtOnce() async throws -> ClusterRecord? { try await next(within: isAtEnd ? .zero : nil) }
    mutating func next() async throws -> ClusterRecord? { try await next(within: nil) }
    mutating func next(timeout: Duration) async throws -> ClusterRecord? { try await next(within: timeout) }

    private mutating func next(within timeout: Duration?) async throws -> ClusterRecord? {
      guard let record = try await take(timeout) else { return nil }
      position = record.sequence + 1
      return record
    }

    func acknowledge(_ record: ClusterRecord) async throws { try await note(record) }

    static func place(of record: ClusterRecord) -> PrintedPlace { PrintedPlace(record) }
    static func print(_ record: ClusterRecord, with printer: inout RecordPrinter) throws { try printer.print(record) }
  }

  extension Cat {
    /// Prints records of a log of a cluster.
    @MainActor func print(from servers: String) async throws {
      try await Cluster.withLog(namespace, on: servers, codec: codecOptions) { log in
        let count = try await log.count
        if let consumer {
          let consumer = try await log.consumer(consumer, startingAt: .beginning, creating: true)
          let records = ClusterRecords(consumer, count: count)
          do {
            // The next process need not wait until the cluster counts this one as dead.
            try await Interruption.cancelling {
              try await options.print(records, of: { _ in nil }, total: records.left) { $0.isAtEnd }
            }
          } catch {
            try? await consumer.shutdown()
            throw error
          }
          return try await consumer.shutdown()
        }
        let (start, position) = try await start(in: log, count)
        let records = ClusterRecords(log.stream(from: start), at: position, count: count)
        try await options.print(records, of: { _ in nil }, total: records.left) { $0.isAtEnd }
      }
    }

    /// Where to begin, and the number of that record where it is known.
    private func start(in log: ClusterLog, _ count: Int) async throws -> (StreamPosition, Int?) {
      if let since = options.since {
        // Where no record is so late, none is waited for.
        let isThere = count > 0 ? try await log.record(at: count - 1).timestamp >= since : false
        return (.time(since), isThere ? nil : count)
      }
      if let last = options.last {
        let first = max(try await log.firstSequence, count - last)
        return (.skipping(first), first)
      }
      if let from = options.from {
        if !options.ahead, from > count { throw ImmutaError.positionBeyondEnd(position: from, count: count) }
        return (options.ahead ? .skipping(from) : .sequence(from), from)
      }
      if options.latest { return (.skipping(count), count) }
      return (.beginning, try await log.firstSequence)
    }
  }
#endif
