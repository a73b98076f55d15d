#if JetStream
  import Immuta

  /// The messages of a group of records, for one place in the log. More than one are a batch: stored whole or not at all.
  struct SentGroup: Sendable {
    /// The number of the first record.
    let first: Int
    /// By unit.
    let ids: [String]
    private let messages: [Outgoing]
    /// A unit that cannot be sent.
    struct Failure: Error {
      let unit: AppendUnit
      let error: ImmutaError
    }

    var count: Int { messages.count }

    init(_ units: [AppendUnit], at first: Int, _ access: LogAccess) throws(Failure) {
      try self.init(units, units.map { $0.id ?? AppendID.next() }, at: first, access)
    }

    /// A record that was sent on its way in a run of others.
    init(_ sent: FastBatch.Placed, _ access: LogAccess) throws(Failure) {
      try self.init([sent.unit], [sent.id], at: sent.place, access)
    }

    private init(_ units: [AppendUnit], _ ids: [String], at first: Int, _ access: LogAccess) throws(Failure) {
      var messages: [Outgoing] = []
      for (unit, id) in zip(units, ids) {
        do throws(ImmutaError) {
          messages += try Self.messages(unit, id, at: first + messages.count, access)
        } catch {
          throw Failure(unit: unit, error: error.of(access.namespace))
        }
      }
      messages[0].headers.append((HeaderName.expected, String(first)))
      (self.first, self.ids, self.messages) = (first, ids, messages)
    }

    private static func messages(
      _ unit: AppendUnit, _ id: String, at first: Int, _ access: LogAccess
    ) throws(ImmutaError) -> [Outgoing] {
      var messages: [Outgoing] = []
      for (place, payload) in unit.payloads.enumerated() {
        let id = AppendUnit.id(id, place, of: unit.payloads.count)
        messages.append(try access.message(payload, id: id, at: first + place))
      }
      return messages
    }

    /// What an attempt sends. Each is a batch of its own: of the one before some messages may have come.
    func attempt() -> [Outgoing] {
      guard messages.count > 1 else { return messages }
      var messages = messages
      let batch = AppendID.next()
      for place in messages.indices {
        messages[place].headers.append((HeaderName.batch, batch))
        messages[place].headers.append((HeaderName.batchSequence, String(place + 1)))
      }
      messages[messages.count - 1].headers.append((HeaderName.batchCommit, "1"))
      return messages
    }
  }

  extension LogAccess {
    /// What appends a record.
    ///
    /// - Throws: `.recordTooLarge`, and what encoding throws.
    func message(_ payload: [UInt8], id: String, at sequence: Int) throws(ImmutaError) -> Outgoing {
      let bytes = try coder?.encode(payload, sequence: sequence) ?? payload
      if bytes.count > mostBytes { throw .recordTooLarge }
      return Outgoing(subject: subject, headers: [(HeaderName.id, id)], bytes: bytes)
    }
  }

  /// Ids of appends: no two are the same, wherever they are drawn.
  enum AppendID {
    static func next() -> String {
      let (high, low) = (UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max))
      return String(high, radix: 36) + String(low, radix: 36)
    }
  }
#endif
