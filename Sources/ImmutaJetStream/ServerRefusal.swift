#if JetStream
  import Immuta

  /// A server answered that it does not do what it was asked to.
  struct ServerRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// As HTTP's.
    let code: Int
    /// JetStream's own number of the error; 0 for none.
    let number: Int
    let text: String

    static let noAnswerer = ServerRefusal(code: 503, number: 0, text: "no server with JetStream answers")

    init(code: Int, number: Int, text: String) {
      self.code = code
      self.number = number
      self.text = text
    }

    /// What an answer says; nil where it refuses nothing.
    init?(_ json: JSON) {
      guard let error = json["error"] else { return nil }
      self.init(
        code: error["code"]?.int ?? 0, number: error["err_code"]?.int ?? 0,
        text: error["description"]?.string ?? "the server gave no reason")
    }

    /// What a status without a body says; nil where there is none.
    init?(status reply: Reply) {
      if reply.status == 0 { return nil }
      self = reply.status == 503 ? .noAnswerer : ServerRefusal(code: reply.status, number: 0, text: reply.reason)
    }

    var description: String { number == 0 ? "\(text) (\(code))" : "\(text) (\(code), \(number))" }

    /// Whether it may be otherwise in a moment: a leader is being chosen, or is busy.
    var isPassing: Bool {
      if isFull { return false }
      if code == 503 || code == 408 || isLackOfPeers { return true }
      return switch number {
      // Temporarily unavailable, not the leader, no majority for an assignment, resources, too much at once, in process; batches:
      // too many at once, and given up half-way.
      case 10003, 10008, 10009, 10023, 10074, 10077, 10158, 10164, 10167, 10176, 10199, 10205, 10206, 10210, 10211: true
      default: false
      }
    }

    /// The stream has as much as it may have.
    var isFull: Bool { text.contains("maximum messages exceeded") || text.contains("maximum bytes exceeded") }
    /// Servers are missing to keep something that are known, and do not answer now: “no suitable peers for placement, peer offline”.
    private var isLackOfPeers: Bool { number == 10005 && text.contains("offline") }
    var isTooLarge: Bool { number == 10054 }
    var isNoStream: Bool { number == 10059 }
    var isNoMessage: Bool { number == 10037 || code == 404 && number == 0 }
    var isNoConsumer: Bool { number == 10014 }
    var isNameInUse: Bool { number == 10058 }
    var isWrongLastSequence: Bool { number == 10071 || number == 10164 && text.contains("wrong last sequence") }
    /// Another server leads than the one that knew the run, or it has ended.
    var isUnknownBatch: Bool { number == 10208 }
    /// JetStream is off, on the server or for the account.
    var isNoJetStream: Bool { number == 10039 || number == 10076 || number == 10035 }
  }
#endif
