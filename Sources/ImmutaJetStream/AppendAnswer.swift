#if JetStream
  /// What the leader answers to an append.
  enum AppendAnswer: Hashable, Sendable {
    /// Stored, up to this number of the next record. `batch` is how many were stored together, where it was a batch.
    case stored(count: Int, batch: Int?, isDuplicate: Bool)
    /// Not stored: the log has so many records.
    case unexpected(count: Int)
    /// Nobody got it.
    case noAnswerer
    /// A record with its id is stored, or is being stored.
    case idInUse(ServerRefusal)
    /// Not now. It may be stored all the same.
    case passing(ServerRefusal)
    /// Not stored, nor would it be the next time.
    case refused(ServerRefusal)

    init(_ reply: Reply) {
      if reply.status == 503 {
        self = .noAnswerer
      } else if let refusal = ServerRefusal(status: reply) {
        self = .passing(refusal)
      } else if let json = reply.json {
        self = AppendAnswer(json)
      } else {
        self = .passing(ServerRefusal(code: 0, number: 0, text: "a server gave an answer that is not JSON"))
      }
    }

    init(_ json: JSON) {
      if let refusal = ServerRefusal(json) {
        self = Self.refusal(refusal)
      } else if let place = json["seq"]?.int, place > 0 {
        self = .stored(count: place, batch: json["count"]?.int, isDuplicate: json["duplicate"]?.bool ?? false)
      } else {
        self = .passing(ServerRefusal(code: 0, number: 0, text: "a server gave an answer that says nothing"))
      }
    }

    /// Of a batch with an id that is known already.
    private static let duplicateInBatch = 10201
    /// Of a record with an id that is being stored.
    private static let inProcess = 10158

    private static func refusal(_ refusal: ServerRefusal) -> AppendAnswer {
      if refusal.isWrongLastSequence, let count = Int(refusal.text.split(separator: " ").last ?? "") {
        return .unexpected(count: count)
      }
      if [duplicateInBatch, inProcess].contains(refusal.number) { return .idInUse(refusal) }
      return refusal.isPassing || refusal.isWrongLastSequence ? .passing(refusal) : .refused(refusal)
    }
  }
#endif
