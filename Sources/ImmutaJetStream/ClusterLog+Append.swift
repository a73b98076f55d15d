#if JetStream
  public import Immuta

  extension ClusterLog {
    /// Appends one record: bytes, none included. When it returns, a majority of the servers that keep the log have it.
    ///
    /// Appends of several tasks are sent together. Cancelling the task ends the call at once: with `CancellationError` where nothing
    /// was sent, and nothing is appended then; otherwise with `.outcomeUnknown`.
    ///
    /// - Throws: `.recordTooLarge`, `.storageClosed`; `.unavailable`: nothing was appended; `.outcomeUnknown`: ask
    ///   ``outcome(of:)``; `.namespaceNotFound`, `.logChanged` where the stream was deleted; `.untransformable`.
    @discardableResult
    public func append(_ bytes: some Collection<UInt8>) async throws -> ClusterReceipt {
      try await appendOne(Array(bytes), expecting: nil, id: nil)
    }

    /// Appends one record if the log has exactly so many records; otherwise appends nothing, and throws `.unexpectedCount`. Of
    /// several appends that expect the same count, at most one succeeds, whichever callers make them and wherever these run.
    ///
    /// - Throws: as without a count.
    @discardableResult
    public func append(_ bytes: some Collection<UInt8>, expecting count: Int) async throws -> ClusterReceipt {
      try await appendOne(Array(bytes), expecting: count, id: nil)
    }

    /// Appends one record under an id of the caller's.
    ///
    /// Called again with the same id and count, it appends nothing new and returns where the record is. Without a count, this
    /// holds only for 30 seconds.
    ///
    /// - Parameters:
    ///   - bytes: the payload.
    ///   - count: how many records the log must have; nil for any number.
    ///   - id: 1 to 200 printable characters of ASCII without spaces; no other append of this log may have it.
    /// - Throws: as without an id; `.invalidConfiguration` for an id that cannot be one.
    @discardableResult
    public func append(
      _ bytes: some Collection<UInt8>, expecting count: Int?, id: String
    ) async throws -> ClusterReceipt {
      try await appendOne(Array(bytes), expecting: count, id: id)
    }

    /// Appends a record for each payload, all together or none: nobody else's record lies between them. At most 1,000.
    ///
    /// - Throws: `.batchTooLarge`, also where the stream takes no batches; `.unexpectedCount`; as `append` of one record.
    @discardableResult
    public func append<Payloads: Sequence>(
      contentsOf payloads: Payloads, expecting count: Int?
    ) async throws -> ClusterReceipts where Payloads.Element: Collection<UInt8> {
      try await append(contentsOf: payloads, expecting: count, id: nil)
    }

    /// Appends a record for each payload, all together or none, under an id of the caller's: the record at place k gets `<id>/<k>`.
    /// Otherwise as the one without an id.
    @discardableResult
    public func append<Payloads: Sequence>(
      contentsOf payloads: Payloads, expecting count: Int?, id: String?
    ) async throws -> ClusterReceipts where Payloads.Element: Collection<UInt8> {
      try access.checkOpen()
      try access.check(id: id)
      let payloads = payloads.map { Array($0) }
      if let most = limits.maximumBatchRecords, payloads.count > most {
        throw ImmutaError.batchTooLarge(maximum: most).of(namespace)
      }
      for payload in payloads { try check(payload) }
      if payloads.isEmpty { return try await appendNothing(expecting: count) }
      let appended = try await append(payloads, expecting: count, id: id)
      return ClusterReceipts(sequences: appended.sequences, id: appended.id)
    }

    private func appendNothing(expecting expected: Int?) async throws -> ClusterReceipts {
      let stream = try await access.describe(comparedTo: expected ?? 0, until: access.deadline)
      let count = max(stream.count, access.knownCount)
      if let expected, expected != count {
        throw ImmutaError.unexpectedCount(expected: expected, actual: count).of(namespace)
      }
      return ClusterReceipts(sequences: count..<count, id: "")
    }

    private func appendOne(_ payload: [UInt8], expecting count: Int?, id: String?) async throws -> ClusterReceipt {
      try access.checkOpen()
      try access.check(id: id)
      try check(payload)
      let appended = try await append([payload], expecting: count, id: id)
      return ClusterReceipt(sequence: appended.sequences.lowerBound, id: appended.id)
    }

    private func append(_ payloads: [[UInt8]], expecting count: Int?, id: String?) async throws -> Appended {
      try Task.checkCancellation()
      if let count, count < 0 {
        throw ImmutaError.unexpectedCount(expected: count, actual: try await self.count).of(namespace)
      }
      let unit = AppendUnit(payloads, id: id, expecting: count, deadline: access.deadline)
      line.add(unit)
      return try await unit.value()
    }

    private func check(_ payload: [UInt8]) throws(ImmutaError) {
      if let most = limits.maximumRecordBytes, payload.count > most { throw .recordTooLarge.of(namespace) }
    }

    /// Gives an appender that sends records without waiting for each to be stored, and keeps their order: for many records.
    ///
    /// - Parameters:
    ///   - window: the most records that are not acknowledged at a time; at least 1. Default: 256.
    ///   - count: how many records the log must have when the first is appended, and so on; then nobody else's record can lie
    ///     between them, and where one does, the appender ends with `.unexpectedCount`. Nil: any number, and others may append.
    public func appender(window: Int = 256, expecting count: Int? = nil) -> ClusterAppender {
      ClusterAppender(access, window: window, expecting: count)
    }

    // MARK: Outcomes

    /// What became of an append that threw `.outcomeUnknown`: asks the leader. Any handle of the log may be asked.
    ///
    /// - Throws: `.storageClosed`; `.unavailable`: ask again later; as ``count``.
    public func outcome(of append: UnknownAppend) async throws -> AppendOutcome {
      try access.checkOpen()
      guard append.namespace == namespace, append.count > 0, append.earliest >= 0 else { return .notAppended }
      let deadline = access.deadline
      let id = AppendUnit.id(append.id, 0, of: append.count)
      if append.isExpecting {
        guard let record = try await leaderRecord(at: append.earliest, until: deadline) else { return .undecided }
        return record.id == id ? .appended(append.earliest..<append.earliest + append.count) : .notAppended
      }
      // Anywhere from there on.
      let count = try await count
      for sequence in append.earliest..<max(append.earliest, count) {
        if try await leaderRecord(at: sequence, until: deadline)?.id == id {
          return .appended(sequence..<sequence + append.count)
        }
      }
      return .undecided
    }

    /// A record as it is stored, or nil where the leader has none of this number.
    func leaderRecord(at sequence: Int, until deadline: ContinuousClock.Instant) async throws -> ClusterRecord? {
      var attempts = Attempts(until: deadline)
      while let time = attempts.time(atMost: access.transport.options.answerTimeout) {
        switch try await access.leaderRecord(at: sequence, within: time) {
        case .success(let record): return record
        case .failure(let refusal): attempts.reason = refusal.description
        }
        try await attempts.rest()
      }
      throw ImmutaError.unavailable(attempts.reason).of(namespace)
    }
  }

  extension LogAccess {
    /// Ids become a line of a header.
    func check(id: String?) throws(ImmutaError) {
      guard let id else { return }
      guard (1...200).contains(id.utf8.count), id.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
        throw .invalidConfiguration(
          "“\(id)” cannot be the id of an append: use 1 to 200 printable characters of ASCII without spaces")
      }
    }

    func check(size: Int) throws(ImmutaError) {
      if size > mostBytes { throw .recordTooLarge(in: .init(namespace: namespace)) }
    }
  }
#endif
