#if JetStream
  import Immuta
  import ImmutaLocking

  /// A run of records on their way, without waiting for one before the next is sent: what servers from 2.14 on call a fast batch
  /// (ADR-50 of NATS, “Fast-ingest Batch Publishing”).
  ///
  /// Each message says which number it is to get. A server ends the run with the first message that it does not store, because it
  /// has another number of records, or because one before is missing: so nothing is ever stored out of order. From time to time
  /// it says how many are stored, on a majority of the servers. When the run is over, records that are not known to be stored may
  /// be stored: at the place that they were sent for, or nowhere.
  final class FastBatch: CallbackTarget, ConnectionWatcher {
    /// A record that was sent: for this place, by this id.
    struct Placed: Sendable {
      let unit: AppendUnit
      let place: Int
      let id: String
    }

    /// Why a server ended the run.
    enum Refusal {
      /// Another writer's record is at a place of the run.
      case rival
      /// It does not take such runs.
      case unusable
    }

    private enum Phase {
      case open
      /// Nothing more is sent; it waits for the server's last word.
      case closing
      case over
    }

    private struct State {
      var phase = Phase.open
      /// The units that are not known to be stored, from the first on.
      var units: [Placed] = []
      /// How many messages were sent, and how many are known to be stored.
      var sent = 0
      var stored = 0
      /// Messages that are sent together with the next ones.
      var unsent: [Outgoing] = []
      var refusal: Refusal?
      var lastAdd = ContinuousClock.now
      /// When a server last answered about units that are under way.
      var heard = ContinuousClock.now
      var subscription: NatsSubscription?
      var waiter: CheckedContinuation<Void, Never>?
    }

    private enum Operation: Int {
      case begin = 0
      case add = 1
      /// Ends the run; is not stored itself.
      case end = 3
    }

    private let access: LogAccess
    private let connection: NatsConnection
    private let id = AppendID.next()
    /// The place of the first record.
    private let first: Int
    /// After how many messages a server says what is stored.
    private let flow: Int
    /// How many messages are sent together. Each by itself would wake a thread here and one on the server.
    private var piece: Int { max(1, flow / 2) }
    private let state = Lock(State())

    /// After how long without another record it is ended, so that the last ones are acknowledged.
    private static let idleTime = Duration.milliseconds(50)
    /// How long a message waits for others.
    private static let gatherTime = Duration.milliseconds(1)

    /// Begins a run; nil where there is no connection.
    static func begin(_ access: LogAccess, at first: Int, flow: Int) async -> FastBatch? {
      guard let connection = await access.transport.bulkConnection() else { return nil }
      let batch = FastBatch(access, connection, first, flow)
      guard let subscription = try? NatsSubscription(connection, "\(batch.inbox).>", batch) else { return nil }
      batch.state.withLock { $0.subscription = subscription }
      access.transport.watchers.add(batch)
      batch.watch()
      return batch
    }

    private init(_ access: LogAccess, _ connection: NatsConnection, _ first: Int, _ flow: Int) {
      self.access = access
      self.connection = connection
      self.first = first
      self.flow = flow
    }

    deinit { access.transport.watchers.remove(ObjectIdentifier(self)) }

    private var inbox: String { "_INBOX.\(id)" }

    // MARK: Sending

    /// Sends a record for the next place. False where that cannot be, and nothing was sent: the run is ended, the record expects
    /// another place, or it cannot be encoded.
    func add(_ unit: AppendUnit) -> Bool { add(unit, again: nil) }

    /// Sends a record again that may be stored at the next place.
    func add(_ placed: Placed) -> Bool { add(placed.unit, again: placed) }

    private func add(_ unit: AppendUnit, again: Placed?) -> Bool {
      state.withLock { state in
        let place = first + state.sent
        guard state.phase == .open, unit.payloads.count == 1, unit.expecting ?? place == place,
          again?.place ?? place == place
        else { return false }
        let id = again?.id ?? unit.id ?? AppendID.next()
        guard var message = try? access.message(unit.payloads[0], id: id, at: place) else { return false }
        let append = UnknownAppend(
          namespace: access.namespace, id: id, count: 1, earliest: place, isExpecting: true)
        // It was given up.
        guard unit.markSent(append) else { return true }
        state.lastAdd = .now
        if state.sent == state.stored { state.heard = .now }
        state.units.append(Placed(unit: unit, place: place, id: id))
        state.sent += 1
        message.headers.append((HeaderName.expected, String(place)))
        message.replySubject = reply(state.sent == 1 ? .begin : .add, state.sent)
        state.unsent.append(message)
        if state.unsent.count >= piece { send(&state) } else if state.unsent.count == 1 { sendLater() }
        return true
      }
    }

    /// Sends the unsent messages. Within the lock: in the order of the places.
    private func send(_ state: inout State) {
      access.transport.send(state.unsent, through: connection)
      state.unsent = []
    }

    private func sendLater() {
      try? WorkThreads.shared.add(at: .now + Self.gatherTime) { [weak self] in
        guard let self else { return }
        state.withLock { if $0.phase == .open { self.send(&$0) } }
      }
    }

    /// Where a server answers to a message of the run, and what it goes by.
    private func reply(_ operation: Operation, _ number: Int) -> String {
      "\(inbox).\(flow).fail.\(number).\(operation.rawValue).$FI"
    }

    /// Nothing more is added: makes the server say what is stored.
    func finish() {
      let isOver = state.withLock { state in
        guard state.phase == .open else { return false }
        state.phase = .closing
        if state.sent == 0 { return true }
        state.heard = .now
        state.unsent.append(Outgoing(subject: access.subject, replySubject: reply(.end, state.sent + 1)))
        send(&state)
        return false
      }
      if isOver { end() }
    }

    // MARK: The end

    /// Waits until the run is over.
    ///
    /// - Returns: the records that may or may not be stored: none of them is stored without all before it.
    func over() async -> [Placed] {
      await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
        let isOver = state.withLock { state in
          if state.phase != .over { state.waiter = continuation }
          return state.phase == .over
        }
        if isOver { continuation.resume() }
      }
      return state.withLock { $0.units }
    }

    var refusal: Refusal? { state.withLock { $0.refusal } }

    /// Ends it, whatever happened to the sent records.
    func end() {
      let (waiter, subscription) = state.withLock { state in
        state.phase = .over
        defer { (state.waiter, state.subscription) = (nil, nil) }
        return (state.waiter, state.subscription)
      }
      waiter?.resume()
      withExtendedLifetime(subscription) {}
    }

    func connectionWasLost() { end() }

    func lookForClosing() {
      if access.isClosed { end() }
    }

    private func watch() {
      let isBegun: Void? = try? WorkThreads.shared.add(at: .now + Self.idleTime) { [weak self] in self?.look() }
      if isBegun == nil { end() }
    }

    private func look() {
      let now = ContinuousClock.now
      let patience = access.transport.options.answerTimeout
      let (phase, isDue, isSilent) = state.withLock { state in
        let awaits = state.phase == .closing || state.sent > state.stored
        // Where records come slowly, the last of so many that the server says something comes late.
        let isLate = awaits && now - state.heard > patience / 4
        return (state.phase, isLate || now - state.lastAdd >= Self.idleTime, awaits && now - state.heard > patience)
      }
      if phase == .over { return }
      if !connection.isUp { return end() }
      if isSilent {
        access.transport.noteFailure()
        return end()
      }
      if isDue { finish() }
      watch()
    }

    // MARK: What servers say

    func received(_ message: NatsMessage) {
      let reply = Reply(message)
      guard reply.status == 0, let json = reply.json else {
        access.transport.noteFailure()
        return end()
      }
      switch json["type"]?.string {
      case "ack": note(stored: json["seq"]?.int ?? 0)
      // The last word, with what is stored, comes after these.
      case "err", "gap": note(ServerRefusal(json))
      case nil:
        if let refusal = ServerRefusal(json) { note(refusal) } else { note(stored: json["count"]?.int ?? 0) }
        end()
      default: break
      }
    }

    /// A server ends the run.
    private func note(_ refusal: ServerRefusal?) {
      state.withLock { state in
        if state.phase == .open { state.phase = .closing }
        state.heard = .now
        guard let refusal else { return }
        if refusal.isWrongLastSequence {
          state.refusal = .rival
        } else if !refusal.isPassing, !refusal.isUnknownBatch, state.stored == 0, state.refusal == nil {
          state.refusal = .unusable
        }
      }
    }

    /// So many messages of the run are stored.
    private func note(stored count: Int) {
      access.transport.noteSuccess()
      let stored = state.withLock { state in
        state.heard = .now
        let more = min(count, state.sent) - state.stored
        guard more > 0, state.phase != .over else { return [Placed]() }
        state.stored += more
        defer { state.units.removeFirst(more) }
        return Array(state.units.prefix(more))
      }
      guard let last = stored.last else { return }
      access.noteCount(last.place + 1)
      for placed in stored { placed.complete() }
    }
  }

  extension FastBatch.Placed {
    /// It is stored at its place.
    func complete() {
      unit.complete(Appended(sequences: place..<place + 1, id: id))
    }
  }
#endif
