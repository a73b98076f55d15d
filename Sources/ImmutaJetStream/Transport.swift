#if JetStream
  import Immuta
  import ImmutaLocking
  import Logging

  /// Why no answer came.
  enum Silence: Error, Hashable, Sendable {
    /// None came in time.
    case timeout
    /// The connection was lost, or the question could not be sent.
    case lost
    /// It has more bytes than the server takes; it was not sent.
    case tooLarge
    case closed
    case cancelled
  }

  /// Questions and their answers, through a connection that may be replaced by another one.
  ///
  /// All answers come to one subscription; its subject ends with the question's number. Messages are sent by one thread, in the
  /// order of the calls, as sending may block. No continuation is resumed under the lock.
  final class Transport: CallbackTarget {
    private struct Question {
      let continuation: CheckedContinuation<Result<Reply, Silence>, Never>
      let deadline: ContinuousClock.Instant
    }

    private struct State {
      var connection: NatsConnection?
      var inbox: NatsSubscription?
      /// A second one to the same server, for runs of messages.
      var bulk: NatsConnection?
      /// When it could not be made: a server may take only so many.
      var bulkFailure: ContinuousClock.Instant?
      var isClosed = false
      var last: UInt64 = 0
      var questions: [UInt64: Question] = [:]
      /// Whether a look for questions whose time is over is scheduled.
      var isSweeping = false
      /// How many answers in a row did not come, or came from a server that could do nothing.
      var failures = 0
      var isMoving = false
      var lastMove: ContinuousClock.Instant?
    }

    let options: Cluster.Options
    let addresses: [ServerAddress]
    let watchers = ConnectionWatchers()
    private let state = Lock(State())
    private let sender: MessageSender
    /// What the subjects of all answers begin with; nobody else's do.
    private let prefix = "_INBOX.immuta" + String(UInt64.random(in: .min ... .max), radix: 36)

    /// How often to look for questions whose time is over.
    private static let sweepTime = Duration.milliseconds(25)
    /// The least time between two moves to other servers.
    private static let leastStay = Duration.seconds(2)
    /// How long no second connection is tried after one that could not be made.
    private static let bulkPause = Duration.seconds(5)

    init(_ options: Cluster.Options) throws(ImmutaError) {
      self.options = options
      addresses = try ServerAddress.list(options.servers)
      let asker = Asker()
      sender = MessageSender { number, silence in asker.transport?.end(number, .failure(silence)) }
      asker.set(self)
    }

    /// The asker of a question that could not be sent: the thread that sends must not keep the transport alive.
    private final class Asker: Sendable {
      private struct Watched: Sendable { weak var transport: Transport? }
      private let watched = Lock(Watched())

      func set(_ transport: Transport) { watched.withLock { $0.transport = transport } }
      var transport: Transport? { watched.withLock { $0.transport } }
    }

    // MARK: Connecting

    /// Connects to one of the servers. Blocks.
    ///
    /// - Throws: as connecting does; `.storageClosed`.
    func connect(_ servers: [ServerAddress]? = nil) throws(ImmutaError) {
      let connection = try NatsConnection(options, servers ?? addresses, self)
      let inbox: NatsSubscription
      do throws(NatsFailure) {
        inbox = try NatsSubscription(connection, prefix + ".*", self)
      } catch {
        connection.close()
        throw .unavailable("the server takes no subscription: \(error)")
      }
      let old: (connection: NatsConnection?, bulk: NatsConnection?, questions: [Question])? = state.withLock { state in
        if state.isClosed { return nil }
        let old = (state.connection, state.bulk, Array(state.questions.values))
        state.connection = connection
        state.bulk = nil
        state.inbox = inbox
        state.questions = [:]
        state.failures = 0
        return old
      }
      guard let old else {
        connection.close()
        throw .storageClosed
      }
      for question in old.questions { question.continuation.resume(returning: .failure(.lost)) }
      if let connection = old.connection {
        watchers.tellOfLoss()
        connection.close()
      }
      old.bulk?.close()
    }

    /// Ends all that waits, and closes the connection. Blocks until the library's threads have ended. Idempotent.
    func close() {
      let old = state.withLock { state in
        state.isClosed = true
        defer {
          state.questions = [:]
          state.connection = nil
          state.inbox = nil
          state.bulk = nil
        }
        return (state.connection, Array(state.questions.values), state.bulk)
      }
      for question in old.1 { question.continuation.resume(returning: .failure(.closed)) }
      watchers.tellOfClosing()
      old.0?.close()
      old.2?.close()
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }
    /// Nil once it is closed.
    var connection: NatsConnection? { state.withLock { $0.connection } }

    /// A connection for runs of messages, to the server of the other one: what is sent through it is written in large pieces. Nil where
    /// there is none now.
    func bulkConnection() async -> NatsConnection? {
      let (connection, bulk, failure) = state.withLock { ($0.connection, $0.bulk, $0.bulkFailure) }
      if let bulk, bulk.isUp { return bulk }
      if let failure, .now - failure < Self.bulkPause { return nil }
      guard let connection, connection.isUp, let address = connection.server.flatMap(address(of:)) else { return nil }
      guard
        let new = try? await BlockingCall.of({ () throws(ImmutaError) in
          try NatsConnection(self.options, [address], BulkTarget.shared, isBuffered: true)
        })
      else {
        state.withLock { $0.bulkFailure = .now }
        return nil
      }
      // The previous one is released by the last code that has it.
      let (isKept, old) = state.withLock { state in
        guard !state.isClosed, state.connection === connection else { return (false, state.bulk) }
        defer { state.bulk = new }
        return (true, state.bulk)
      }
      if isKept { old?.close() } else { new.close() }
      return isKept ? new : nil
    }

    /// Nobody waits for news of the second connection: its users look at it.
    private final class BulkTarget: CallbackTarget {
      static let shared = BulkTarget()
      func received(_ message: NatsMessage) {}
    }

    func changed(_ change: ConnectionChange) {
      switch change {
      case .lost: dropQuestions()
      case .restored:
        options.logger?.tell(
          .clusterBack, .info, "the connection to the cluster is there again",
          ["server": "\(connection?.server ?? "")"])
      case .ended: reconnect()
      }
    }

    /// Questions through a connection that is gone are not answered.
    private func dropQuestions() {
      let (questions, isClosed) = state.withLock { state in
        defer { state.questions = [:] }
        return (Array(state.questions.values), state.isClosed)
      }
      if !isClosed {
        options.logger?.tell(.clusterLost, .warning, "the connection to the cluster is lost; looking for a server", [:])
      }
      for question in questions { question.continuation.resume(returning: .failure(.lost)) }
      watchers.tellOfLoss()
    }

    // MARK: Other servers

    /// Notes that an answer did not come, or that the server that answered could do nothing. After a few of these in a row it
    /// connects to another server: one that is cut off from the others still talks to its clients.
    func noteFailure() {
      let moves = state.withLock { state in
        state.failures += 1
        guard state.failures >= options.failuresBeforeMoving, !state.isMoving, !state.isClosed else { return false }
        if let last = state.lastMove, ContinuousClock.now - last < Self.leastStay { return false }
        state.isMoving = true
        state.lastMove = .now
        return true
      }
      if moves { move() }
    }

    /// Notes that the cluster handles requests.
    func noteSuccess() {
      state.withLock { $0.failures = 0 }
    }

    private func move() {
      let isBegun: Void? = try? WorkThreads.shared.add { [weak self] in self?.connectElsewhere() }
      if isBegun == nil { state.withLock { $0.isMoving = false } }
    }

    /// How to connect to a server of this URL: as the caller of `connect` wrote it, if it is one of those, since that has the password.
    private func address(of url: String) -> ServerAddress? {
      addresses.first { $0.isAt(url) } ?? ServerAddress(toldOf: url, by: addresses)
    }

    private func connectElsewhere() {
      defer { state.withLock { $0.isMoving = false } }
      guard let connection else { return }
      let here = connection.server
      var others = addresses
      for told in connection.servers.compactMap(address(of:)) where !others.contains(told) { others.append(told) }
      if let here { others.removeAll { $0.isAt(here) } }
      if others.isEmpty { return }
      options.logger?.tell(.clusterMoving, .warning, "moving to another server", ["from": "\(here ?? "")"])
      do throws(ImmutaError) {
        try connect(others.shuffled())
      } catch {
        options.logger?.tell(
          .clusterUnreachable, .warning, "no other server can be reached: \(error)", ["from": "\(here ?? "")"])
      }
    }

    /// The library gave its connection up, as it does where a server refuses the credentials twice.
    private func reconnect() {
      guard !isClosed else { return }
      dropQuestions()
      try? WorkThreads.shared.add(at: .now + .milliseconds(500)) { [weak self] in
        guard let self, !isClosed, connection?.isEnded == true else { return }
        do throws(ImmutaError) { try connect() } catch { reconnect() }
      }
    }

    // MARK: Asking

    /// Sends messages, one directly after the other, and waits for the answer to the last. Being cancelled ends it at once.
    func ask(_ messages: [Outgoing], within timeout: Duration) async -> Result<Reply, Silence> {
      let number = state.withLock { state in
        state.last += 1
        return state.last
      }
      return await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
          ask(messages, number, Question(continuation: continuation, deadline: .now + timeout))
        }
      } onCancel: {
        end(number, .failure(.cancelled))
      }
    }

    func ask(_ message: Outgoing, within timeout: Duration) async -> Result<Reply, Silence> {
      await ask([message], within: timeout)
    }

    private func ask(_ messages: [Outgoing], _ number: UInt64, _ question: Question) {
      let connection: Result<NatsConnection, Silence> = state.withLock { state in
        guard !state.isClosed, let connection = state.connection else { return .failure(.closed) }
        // A later cancellation finds the question.
        if Task.isCancelled { return .failure(.cancelled) }
        state.questions[number] = question
        sweepLater(&state)
        return .success(connection)
      }
      switch connection {
      case .failure(let silence): question.continuation.resume(returning: .failure(silence))
      case .success(let connection):
        // What the library would hold back until there is a connection again is not worth sending then.
        guard connection.isUp else { return end(number, .failure(.lost)) }
        var letters = messages.map { MessageSender.Letter(outgoing: $0, number: nil, connection: connection) }
        if var last = messages.last {
          last.replySubject = "\(prefix).\(number)"
          letters[letters.count - 1] = MessageSender.Letter(outgoing: last, number: number, connection: connection)
        }
        sender.post(letters)
      }
    }

    /// Sends messages that nobody answers, or answers to another subject. They may not arrive.
    func send(_ messages: [Outgoing], through connection: NatsConnection) {
      if messages.isEmpty { return }
      sender.post(messages.map { MessageSender.Letter(outgoing: $0, number: nil, connection: connection) })
    }

    func send(_ message: Outgoing, through connection: NatsConnection) { send([message], through: connection) }

    func received(_ message: NatsMessage) {
      let reply = Reply(message)
      guard let number = UInt64(message.subject.dropFirst(prefix.utf8.count + 1)) else { return }
      end(number, .success(reply))
    }

    private func end(_ number: UInt64, _ result: Result<Reply, Silence>) {
      let question = state.withLock { $0.questions.removeValue(forKey: number) }
      question?.continuation.resume(returning: result)
    }

    private func sweepLater(_ state: inout State) {
      if state.isSweeping { return }
      state.isSweeping = true
      let isBegun: Void? = try? WorkThreads.shared.add(at: .now + Self.sweepTime) { [weak self] in self?.sweep() }
      // The next question tries again.
      if isBegun == nil { state.isSweeping = false }
    }

    private func sweep() {
      let now = ContinuousClock.now
      let late = state.withLock { state in
        let late = state.questions.filter { $0.value.deadline <= now }
        for number in late.keys { state.questions[number] = nil }
        state.isSweeping = false
        if !state.questions.isEmpty { sweepLater(&state) }
        return late
      }
      for question in late.values { question.continuation.resume(returning: .failure(.timeout)) }
    }
  }
#endif
