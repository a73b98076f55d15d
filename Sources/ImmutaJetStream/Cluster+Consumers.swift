#if JetStream
  public import Immuta

  extension Cluster {
    /// The consumers of a log, sorted by name, and how far they have come. Opens none. A question for the log, one for the list, and
    /// one for each consumer.
    ///
    /// - Throws: as ``details(of:)``; `.invalidConfiguration` where something else published among the positions.
    public func consumers(of namespace: String) async throws -> [ConsumerDetails] {
      var log = try await details(of: namespace)
      guard let name = StreamName(namespace) else { throw ImmutaError.invalidNamespace(namespace) }
      let deadline = ContinuousClock.now + transport.options.deadline
      let positions: JSON
      do {
        positions = try await transport.api(
          "STREAM.INFO.\(name.positions)", .object(["subjects_filter": .string(name.allPositions)]), until: deadline)
      } catch let refusal as ServerRefusal {
        // No consumer was ever made.
        if refusal.isNoStream { return [] }
        throw ImmutaError.unavailable(refusal.description).of(namespace)
      }
      guard case .object(let subjects)? = positions["state"]?["subjects"] else { return [] }
      var marks: [(consumer: String, mark: ConsumerMark)] = []
      for subject in subjects.map(\.name) {
        guard let consumer = name.consumer(ofPosition: subject),
          let mark = try await mark(at: subject, name, until: deadline)
        else { continue }
        marks.append((consumer, mark))
      }
      let own = marks.filter { $0.mark.identity == log.identity }
      if let most = own.map(\.mark.position).max(), most > log.count {
        log.count = try await count(of: log, name, comparedTo: most, until: deadline)
      }
      return marks.map { Self.details($0.consumer, $0.mark, log) }.sorted { $0.name < $1.name }
    }

    /// How many records a log has, where a consumer has come further than a server says that there are.
    private func count(
      of log: ClusterLog.Details, _ name: StreamName, comparedTo position: Int, until deadline: ContinuousClock.Instant
    ) async throws -> Int {
      do {
        let json = try await transport.api("STREAM.INFO.\(name.stream)", until: deadline)
        guard let stream = StreamDescription(json) else { throw ImmutaError.namespaceNotFound(log.namespace) }
        let access = LogAccess(transport, name, log.identity, stream, nil)
        return try await access.describe(comparedTo: position, until: deadline).count
      } catch let refusal as ServerRefusal {
        throw refusal.isNoStream
          ? ImmutaError.namespaceNotFound(log.namespace)
          : ImmutaError.unavailable(refusal.description).of(log.namespace)
      }
    }

    private func mark(
      at subject: String, _ name: StreamName, until deadline: ContinuousClock.Instant
    ) async throws -> ConsumerMark? {
      do {
        let json = try await transport.api(
          "STREAM.MSG.GET.\(name.positions)", .object(["last_by_subj": .string(subject)]), until: deadline)
        guard let record = StoredMessage.record(json) else { throw ImmutaError.unavailable("a server gave no message") }
        // Of one that was removed.
        if record.payload.isEmpty { return nil }
        guard let mark = ConsumerMark(record.payload) else {
          throw ImmutaError.invalidConfiguration(
            "what \(subject) has is no position of a consumer: somebody else published there")
        }
        return mark
      } catch let refusal as ServerRefusal {
        // It was removed meanwhile.
        if refusal.isNoMessage { return nil }
        throw ImmutaError.unavailable(refusal.description).of(name.namespace)
      }
    }

    private static func details(_ name: String, _ mark: ConsumerMark, _ log: ClusterLog.Details) -> ConsumerDetails {
      let place = ImmutaError.Place(namespace: log.namespace)
      let fault: ImmutaError? =
        if mark.identity != log.identity {
          .foreignPosition(expected: mark.identity, found: log.identity, in: place)
        } else if mark.position > log.count {
          .positionBeyondEnd(position: mark.position, count: log.count, in: place)
        } else {
          nil
        }
      let owner = mark.owner.map { _ in
        ConsumerOwner(
          consumer: name, namespace: log.namespace, processID: mark.process.flatMap { Int32(exactly: $0) },
          since: mark.since.map { Timestamp(nanosecondsSince1970: Int64($0)) })
      }
      return ConsumerDetails(
        name: name, position: mark.position,
        lag: fault == nil ? max(0, log.count - max(mark.position, log.firstSequence)) : nil,
        removed: fault == nil ? max(0, log.firstSequence - mark.position) : nil, owner: owner, fault: fault)
    }
  }

  extension StreamName {
    /// The consumer whose position a subject is; nil for another subject.
    func consumer(ofPosition subject: String) -> String? {
      let start = position(of: "")
      guard subject.hasPrefix(start) else { return nil }
      return String(subject.dropFirst(start.count).map { $0 == "=" ? "." : $0 })
    }
  }
#endif
